"""The instance's secret projection, which nobody can shape a tensor against.

A public projection can be attacked with 1 to 3 % of a tensor's std. Here both the signs and the
rows are the instance's secret: another key on the same rows would not see swapped neurons.
"""

from __future__ import annotations

import hashlib
import secrets
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kinprint.errors import UsageError
from kinprint.sketches.key_file import read_key_file, write_key_file
from kinprint.sketches.linear import phash
from kinprint.sketches.projection import Projection

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

KEY_BYTES = 32
_WHAT = "secret key"


class _KeyFile(BaseModel):
    """The file's content: keys in hexadecimal, newest first."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    keys: list[str] = Field(min_length=1, max_length=64)


class SecretKey:
    """One secret key, and the projections that follow from it.

    Its representation shows the public id only.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self.id = hashlib.blake2b(b"id", key=key, digest_size=8).hexdigest()

    def __repr__(self) -> str:
        """Name the key by its public id."""
        return f"SecretKey(id={self.id!r})"

    @classmethod
    def load_or_create(cls, path: Path) -> Self:
        """Return the newest key of a key file, making file and key if there is none.

        Raises:
            UsageError: Others than the owner can read the file, or it is malformed.
            MissingError: It cannot be read or made.
        """
        return cls.load_all(path)[0]

    @classmethod
    def load_all(cls, path: Path) -> tuple[Self, ...]:
        """Return all keys of a key file, newest first; see `load_or_create`."""
        if not path.exists():
            _write(path, [secrets.token_bytes(KEY_BYTES)], replace=False)
        return tuple(cls(key) for key in _read(path))

    @classmethod
    def rotate(cls, path: Path) -> Self:
        """Put a new key in front; older ones stay until everything was read again under it."""
        keys = [secrets.token_bytes(KEY_BYTES), *_read(path)]
        _write(path, keys, replace=True)
        return cls(keys[0])

    @classmethod
    def keep(cls, path: Path, ids: Collection[str]) -> None:
        """Drop all keys but those of these public ids from a key file."""
        _write(path, [key for key in _read(path) if cls(key).id in ids], replace=True)

    def row_offset(self, cols: int, rows: int, block_rows: int, *, avoid: int) -> int:
        """Return the secret first row for views of a width.

        Args:
            cols: C of the block; the secret draw depends on the key and on it alone.
            rows: Rows of the view.
            block_rows: R; the block lies within the rows.
            avoid: Rows at the top (of the public block) left out where enough others are there.
        """
        seed = hashlib.blake2b(b"rows:%d" % cols, key=self._key, digest_size=8).digest()
        first = avoid if rows - block_rows >= avoid else 0
        return first + int.from_bytes(seed, "little") % (rows - block_rows - first + 1)

    def signs(self, values: NDArray[np.floating[Any]]) -> bytes:
        """Return 256 signs, packed as a public phash is, of a block under this key.

        Args:
            values: Float (R, C), a block's cells at the secret rows.
        """
        return phash(self._projection.project(values)).tobytes()

    @cached_property
    def _projection(self) -> Projection:
        return Projection(f"secret-{self.id}", self._key)


def _write(path: Path, keys: list[bytes], *, replace: bool) -> None:
    content = _KeyFile(keys=[key.hex() for key in keys]).model_dump_json()
    write_key_file(path, content.encode("ascii"), what=_WHAT, replace=replace)


def _read(path: Path) -> list[bytes]:
    content = read_key_file(path, what=_WHAT)
    try:
        keys = [bytes.fromhex(key) for key in _KeyFile.model_validate_json(content).keys]
    except (ValidationError, ValueError):
        keys = []
    if not keys or any(len(key) != KEY_BYTES for key in keys):
        raise UsageError(
            f"The secret key {str(path)!r} is malformed",
            hint="Restore it from a backup; a new key cannot check what the old one signed.",
        )
    return keys
