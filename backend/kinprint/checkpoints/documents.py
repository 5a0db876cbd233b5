"""The two texts beside the weights, ``config.json`` and ``README.md``; hostile like the weights.

Each read of ``config.json`` counts as a download on the Hub, so they are read for models under
comparison alone, by `open_documents`, and never while a fingerprint is taken.
"""

from __future__ import annotations

import json
import os
import re
import stat
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING

from kinprint.checkpoints.json_members import JsonError, members
from kinprint.checkpoints.limits import (
    CARD_BYTES,
    CONFIG_BYTES,
    CONFIG_KEPT_BYTES,
    CONFIG_MEMBERS,
    CONFIG_TOKENS,
    CONFIG_VALUE_BYTES,
)
from kinprint.checkpoints.local import located, opened
from kinprint.errors import CheckpointError, HubError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

CONFIG = "config.json"
CARD = "README.md"

_DECIMAL_DIGITS = 64
_SURROGATE = re.compile(r"[\ud800-\udfff]")


@dataclass(frozen=True)
class Document:
    """One text of a revision, or why there is none.

    Attributes:
        content: Its bytes as read, None where it could not be.
        reason: Why it is missing, or what of it was not read; None where all of it is there.
    """

    content: bytes | None = None
    reason: str | None = None

    @property
    def sha256(self) -> str | None:
        """Hex digest of the bytes that were read."""
        return None if self.content is None else sha256(self.content).hexdigest()


@dataclass(frozen=True)
class Documents:
    """What a revision says of itself beside its weights.

    Attributes:
        config_json: ``config.json`` as read.
        readme: ``README.md``, the model card, as read.
    """

    config_json: Document
    readme: Document

    @property
    def config(self) -> Mapping[str, object] | None:
        """The members of ``config.json``; None where it is missing or no JSON object.

        Members over `limits.CONFIG_VALUE_BYTES`, and what exceeds `limits.CONFIG_KEPT_BYTES`
        together, are left out. ``NaN`` and ``Infinity`` become texts.
        """
        return self._parsed[0]

    @property
    def config_reason(self) -> str | None:
        """Why `config` is None, or what of it was left out."""
        return self._parsed[1]

    @property
    def card(self) -> str | None:
        """The text of the card; None where it is missing."""
        raw = self.readme.content
        return None if raw is None else raw.decode("utf-8-sig", errors="replace")

    @property
    def card_reason(self) -> str | None:
        """Why `card` is None, or what of it was left out."""
        return self.readme.reason

    @cached_property
    def _parsed(self) -> tuple[dict[str, object] | None, str | None]:
        raw, reason = self.config_json.content, self.config_json.reason
        if raw is None:
            return None, reason
        try:
            return _object_of(raw)
        except (ValueError, RecursionError) as error:
            return None, f"{CONFIG} is no JSON object: {_SURROGATE.sub('�', str(error))[:200]}"


def local_documents(path: Path) -> Documents:
    """Read the documents of a folder; a weight file named alone has none."""
    named = path.expanduser()
    if not named.is_dir():
        why = "a weight file was named, not a model's folder"
        alone = Document(reason=why if named.exists() else f"{str(path)!r} does not exist")
        return Documents(alone, alone)
    root = named.resolve()

    def read(name: str, limit: int) -> tuple[bytes, int] | None:
        # The link itself counts: one that leads nowhere is there, and is named as such.
        if not os.path.lexists(root / name):
            return None
        with opened(located(root, name), name) as descriptor:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise CheckpointError("not a regular file", file=name)
            return os.pread(descriptor, limit, 0), status.st_size

    return read_documents(read)


def read_documents(read: Callable[[str, int], tuple[bytes, int] | None]) -> Documents:
    """Read both documents within their bounds.

    Args:
        read: Takes a name and the most bytes to return; gives the first bytes of that file and
            its size, None where there is no such file.
    """
    return Documents(
        config_json=_document(read, CONFIG, CONFIG_BYTES, whole=True),
        readme=_document(read, CARD, CARD_BYTES, whole=False),
    )


def _document(
    read: Callable[[str, int], tuple[bytes, int] | None], name: str, limit: int, *, whole: bool
) -> Document:
    try:
        found = read(name, limit)
    except (HubError, CheckpointError) as error:
        return Document(reason=f"{name} could not be read: {error.message}")
    if found is None:
        return Document(reason=f"there is no {name}")
    content, size = found
    if size <= limit:
        return Document(content)
    if whole:
        return Document(reason=f"{name} has {size:,} bytes, more than {limit:,}")
    return Document(content, reason=f"only the first {limit:,} of {size:,} bytes were read")


def _object_of(raw: bytes) -> tuple[dict[str, object], str | None]:
    """Return the members of a JSON object that are small enough, and what was left out."""
    text = raw.removeprefix(b"\xef\xbb\xbf")
    # Walking costs time by value, not by byte.
    if sum(text.count(mark) for mark in (b",", b"[", b"{")) > CONFIG_TOKENS:
        raise JsonError(f"more than {CONFIG_TOKENS:,} values")
    kept: dict[str, object] = {}
    left_out: dict[str, None] = {}
    kept_bytes = 0
    for name, start, stop in members(text):
        if len(kept) == CONFIG_MEMBERS:
            raise JsonError(f"more than {CONFIG_MEMBERS:,} members")
        if name in kept or name in left_out:
            raise JsonError("a key is repeated")
        length = stop - start + len(name)
        if length > CONFIG_VALUE_BYTES or kept_bytes + length > CONFIG_KEPT_BYTES:
            if len(left_out) == CONFIG_MEMBERS:
                raise JsonError(f"more than {CONFIG_MEMBERS:,} long members")
            left_out[name] = None
            continue
        kept_bytes += length
        kept[name] = _DECODER.decode(text[start:stop].decode("utf-8"))
    if not left_out:
        return kept, None
    shown = ", ".join(islice(left_out, 5)) + (" …" if len(left_out) > 5 else "")
    return kept, f"too long to compare, left out: {shown[:200]}"


def _integer(digits: str) -> int:
    if len(digits) > _DECIMAL_DIGITS:
        raise JsonError(f"a number of {len(digits):,} digits")
    return int(digits)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise JsonError("a key is repeated")
    return found


# Configurations of honest models hold Infinity, which is no JSON.
_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=str, parse_int=_integer)
