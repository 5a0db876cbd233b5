"""A fingerprint as one safetensors file, readable by the `safetensors` library alone.

Columns of numbers are tensors named ``blocks.<column>`` and ``vectors.<column>``; everything else
is one JSON text in the metadata entry ``kinprint``. Files come from strangers: sizes, shapes and
indices are checked before anything is built from them.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xxhash
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from kinprint.checkpoints import limits
from kinprint.checkpoints.source import is_fingerprint
from kinprint.errors import FingerprintError, MissingError, UsageError
from kinprint.fingerprint.columns import BLOCK_COLUMNS, VECTOR_COLUMNS
from kinprint.fingerprint.record import (
    BlockColumns,
    Depth,
    FileFact,
    Fingerprint,
    OriginFact,
    SkippedFact,
    VectorColumns,
    ViewFact,
)
from kinprint.sketches.blocks import STEPS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from kinprint.fingerprint.columns import ColumnTypes

FILE_BYTES = 100_000_000
"""Largest fingerprint file that is read: 150,000 views, twice those of the widest MoE."""

_SIDE = 2**63
_NOT_NEGATIVE = ("step", "std", "zeros", "rounding", "levels", "group_levels", "start", "cols")


class _Header(BaseModel):
    """The JSON part."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    sketch_name: str = Field(max_length=256)
    origin: OriginFact
    files: tuple[FileFact, ...] = Field(max_length=limits.SHARDS)
    views: tuple[ViewFact, ...] = Field(max_length=limits.TENSORS)
    skipped: tuple[SkippedFact, ...] = Field(max_length=limits.TENSORS)
    parameters: int = Field(ge=0)
    bytes_read: int = Field(ge=0)
    depth: Depth = Depth.FULL


def save(fingerprint: Fingerprint, path: Path) -> int:
    """Write a fingerprint file, in place of an older fingerprint but of nothing else.

    Returns:
        Its size in bytes.

    Raises:
        UsageError: Another file has that name: weights, perhaps.
        MissingError: The folder does not exist or cannot be written to.

    Example:
        >>> from pathlib import Path
        >>> from kinprint import fingerprint_of, save_fingerprint
        >>> save_fingerprint(fingerprint_of("./known"), Path("known.kinprint.safetensors")) > 0
        True
    """
    content = to_bytes(fingerprint)
    if path.exists() and not is_fingerprint(path):
        raise UsageError(
            f"{str(path)!r} exists and is no fingerprint; it was left as it is.",
            hint="Choose another name, or remove the file yourself.",
        )
    beside = path.with_name(f".{path.name}.part")
    try:
        beside.write_bytes(content)
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise MissingError(f"Cannot write {str(path)!r}: {error.strerror}") from None
    return len(content)


def load(path: Path) -> Fingerprint:
    """Read a fingerprint file.

    Raises:
        MissingError: There is no such file.
        FingerprintError: It is no fingerprint, damaged, or of another version.

    Example:
        >>> from pathlib import Path
        >>> from kinprint import fingerprint_of, load_fingerprint, save_fingerprint
        >>> path = Path("known.kinprint.safetensors")
        >>> bytes_stored = save_fingerprint(fingerprint_of("./known"), path)
        >>> load_fingerprint(path).parameters == fingerprint_of("./known").parameters
        True
    """
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES + 1)
    except OSError as error:
        raise MissingError(f"Cannot read {str(path)!r}: {error.strerror}") from None
    return from_bytes(content)


def to_bytes(fingerprint: Fingerprint) -> bytes:
    """Return the content of a fingerprint's file."""
    header = _Header(
        sketch_name=fingerprint.sketch_name,
        origin=fingerprint.origin,
        files=fingerprint.files,
        views=fingerprint.views,
        skipped=fingerprint.skipped,
        parameters=fingerprint.parameters,
        bytes_read=fingerprint.bytes_read,
        depth=fingerprint.depth,
    )
    tensors = {
        f"{group}.{name}": np.ascontiguousarray(column)
        for group, columns in (("blocks", fingerprint.blocks), ("vectors", fingerprint.vectors))
        for name, column in vars(columns).items()
    }
    metadata = {"kinprint": header.model_dump_json(exclude_defaults=True)}
    return save_tensors(tensors, metadata=metadata)


def from_bytes(content: bytes) -> Fingerprint:
    """Build a fingerprint from the content of its file.

    Raises:
        FingerprintError: The content is no fingerprint, damaged, or of another version.
    """
    if len(content) > FILE_BYTES:
        raise FingerprintError(f"A fingerprint file has at most {FILE_BYTES:,} bytes")
    try:
        tensors = load_tensors(content)
        header = _Header.model_validate_json(_metadata(content))
    except (SafetensorError, ValidationError, ValueError, KeyError) as error:
        first = str(error).splitlines()[0]
        raise FingerprintError(f"Not a fingerprint of this version: {first}") from None
    fingerprint = Fingerprint(
        sketch_name=header.sketch_name,
        origin=header.origin,
        files=header.files,
        views=header.views,
        skipped=header.skipped,
        blocks=BlockColumns(**_columns("blocks", BLOCK_COLUMNS, tensors)),
        vectors=VectorColumns(**_columns("vectors", VECTOR_COLUMNS, tensors)),
        parameters=header.parameters,
        bytes_read=header.bytes_read,
        depth=header.depth,
    )
    _check(fingerprint)
    return fingerprint


def digest_of(fingerprint: Fingerprint) -> str:
    """Return a digest of the sampled weights, 32 hex digits.

    It covers the block and vector digests with their shapes, sorted: names, order, shards and the
    file format do not matter, a cast does. Equal digests mean equal sampled bytes.
    """
    rows = [
        f"{group}:{'x'.join(str(side) for side in fingerprint.views[view].shape)}:"
        f"{columns.digest[row].tobytes().hex()}"
        for group, columns in (("b", fingerprint.blocks), ("v", fingerprint.vectors))
        for row, view in enumerate(columns.view.tolist())
    ]
    return xxhash.xxh3_128_hexdigest("\n".join(sorted(rows)).encode())


def _metadata(content: bytes) -> str:
    length = int.from_bytes(content[:8], "little")
    metadata = json.loads(content[8 : 8 + length]).get("__metadata__", {})
    text = metadata.get("kinprint") if isinstance(metadata, dict) else None
    if not isinstance(text, str):
        raise ValueError("it has no Kinprint header")
    return text


def _columns(
    group: str, types: ColumnTypes, tensors: Mapping[str, NDArray[Any]]
) -> dict[str, NDArray[Any]]:
    columns = {}
    for name, (dtype, inner) in types.items():
        column = tensors.get(f"{group}.{name}")
        if column is None or column.dtype != dtype or not column.ndim or column.shape[1:] != inner:
            raise FingerprintError(f"Column {group}.{name} is missing or malformed")
        columns[name] = column
    if len({len(column) for column in columns.values()}) != 1:
        raise FingerprintError(f"The columns of {group} differ in length")
    return columns


def _check(fingerprint: Fingerprint) -> None:
    """Refuse numbers that nothing later expects: every field may come from a stranger."""
    blocks, vectors = fingerprint.blocks, fingerprint.vectors
    for view in fingerprint.views:
        sides = (*view.shape, view.rows, view.cols)
        if len(view.shape) > limits.RANK or not all(0 <= side < _SIDE for side in sides):
            raise FingerprintError(f"View {view.name[:80]!r} has an impossible shape")
        if len(view.name) > limits.NAME_CHARACTERS:
            raise FingerprintError("A view's name is too long")
    for column in (blocks.view, vectors.view):
        if len(column) and not 0 <= int(column.min()) <= int(column.max()) < len(fingerprint.views):
            raise FingerprintError("A sketch belongs to no view")
    for name in _NOT_NEGATIVE:
        column = getattr(blocks, name)
        if not np.isfinite(column).all() or (column < 0).any():
            raise FingerprintError(f"Column blocks.{name} holds impossible numbers")
    if not np.isfinite(vectors.std).all():
        raise FingerprintError("Column vectors.std holds impossible numbers")
    if not np.isin(blocks.rows, [rows for rows, _ in STEPS]).all():
        raise FingerprintError("A block has a number of rows that no sketch has")
