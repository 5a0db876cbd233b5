"""A fingerprint as one safetensors file, readable by the `safetensors` library alone.

Columns of numbers are tensors named ``blocks.<column>`` and ``vectors.<column>``; everything else
is one JSON text in the metadata entry ``kinprint``. Files come from strangers: sizes, shapes and
indices are checked before anything is built from them.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import xxhash
from safetensors.numpy import save as save_tensors

from kinprint.checkpoints import limits
from kinprint.checkpoints.source import is_fingerprint
from kinprint.errors import FingerprintError, LimitExceededError, MissingError, UsageError
from kinprint.fingerprint.columns import BLOCK_COLUMNS, VECTOR_COLUMNS
from kinprint.fingerprint.header import MARK, header_text, read_header
from kinprint.fingerprint.record import BlockColumns, Fingerprint, VectorColumns
from kinprint.sketches.blocks import FAR_START, MAX_COLS, STEPS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from kinprint.fingerprint.columns import ColumnTypes
    from kinprint.fingerprint.header import Place

FILE_BYTES = 100_000_000
"""Largest fingerprint file that is read; the columns of `limits.SKETCHES` blocks take 48 MB."""

_SIDE = 2**63
_NOT_NEGATIVE = ("step", "std", "zeros", "rounding", "levels", "group_levels", "start", "cols")


_DTYPES = {
    "uint8": "U8",
    "int16": "I16",
    "int32": "I32",
    "float32": "F32",
    "float64": "F64",
}
"""Types of columns as safetensors names them."""
_GROUPS: Mapping[str, tuple[ColumnTypes, int]] = {
    "blocks": (BLOCK_COLUMNS, limits.SKETCHES),
    "vectors": (VECTOR_COLUMNS, limits.VECTORS),
}
_LENGTH_BYTES = 8


def save(fingerprint: Fingerprint, path: Path) -> int:
    """Write a fingerprint file, in place of an older fingerprint but of nothing else.

    Returns:
        Its size in bytes.

    Raises:
        UsageError: Another file has that name: weights, perhaps.
        MissingError: The folder does not exist or cannot be written to.
        LimitExceededError: As `to_bytes`.

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
    """Return the content of a fingerprint's file.

    Raises:
        LimitExceededError: The views take more than ``limits.FINGERPRINT_HEADER_BYTES``.
    """
    tensors = {
        f"{group}.{name}": np.ascontiguousarray(getattr(getattr(fingerprint, group), name))
        for group, (types, _) in _GROUPS.items()
        for name in types
    }
    text = header_text(fingerprint)
    if len(text) > limits.FINGERPRINT_HEADER_BYTES:
        raise LimitExceededError(f"the names and shapes of all views take {len(text):,} bytes")
    return save_tensors(tensors, metadata={MARK: text})


def from_bytes(content: bytes) -> Fingerprint:
    """Build a fingerprint from the content of its file; its columns are views of the content.

    Raises:
        FingerprintError: The content is no fingerprint, damaged, or of another version.
    """
    if len(content) > FILE_BYTES:
        raise FingerprintError(f"A fingerprint file has at most {FILE_BYTES:,} bytes")
    length = int.from_bytes(content[:_LENGTH_BYTES], "little")
    data = _LENGTH_BYTES + length
    if length > limits.FINGERPRINT_HEADER_BYTES or data > len(content):
        raise FingerprintError(f"Not a fingerprint: its header is said to have {length:,} bytes")
    try:
        header = read_header(content[_LENGTH_BYTES:data], len(BLOCK_COLUMNS) + len(VECTOR_COLUMNS))
    except ValueError as error:
        first = str(error).splitlines()[0]
        raise FingerprintError(f"Not a fingerprint of this version: {first}") from None
    fingerprint = Fingerprint(
        sketch_name=header.facts.sketch_name,
        origin=header.facts.origin,
        files=header.files,
        views=header.views,
        skipped=header.skipped,
        blocks=BlockColumns(**_columns("blocks", header.places, content, data)),
        vectors=VectorColumns(**_columns("vectors", header.places, content, data)),
        parameters=header.facts.parameters,
        bytes_read=header.facts.bytes_read,
        depth=header.facts.depth,
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


def _columns(
    group: str, places: Mapping[str, Place], content: bytes, data: int
) -> dict[str, NDArray[Any]]:
    """Return a group's columns; what the header says of them is held against the file first."""
    types, most = _GROUPS[group]
    columns: dict[str, NDArray[Any]] = {}
    for name, (dtype, inner) in types.items():
        place = places.get(f"{group}.{name}")
        is_typed = place is not None and place.dtype == _DTYPES[dtype]
        if place is None or not is_typed or not place.shape or place.shape[1:] != inner:
            raise FingerprintError(f"Column {group}.{name} is missing or malformed")
        first, stop = place.data_offsets
        n_bytes = prod(place.shape) * np.dtype(dtype).itemsize
        if not 0 <= first <= stop <= len(content) - data or stop - first != n_bytes:
            raise FingerprintError(f"Column {group}.{name} does not lie in the file")
        column = np.frombuffer(content, dtype, prod(place.shape), data + first)
        columns[name] = column.reshape(place.shape)
    if len({len(column) for column in columns.values()}) != 1:
        raise FingerprintError(f"The columns of {group} differ in length")
    if len(columns["view"]) > most:
        raise FingerprintError(f"A fingerprint has at most {most:,} {group}")
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
    _check_blocks(blocks)
    if not np.isfinite(vectors.std).all():
        raise FingerprintError("Column vectors.std holds impossible numbers")
    places = blocks.view.astype(np.int64) * 2 + (blocks.start > 0)
    if any(len(np.unique(each)) < len(each) for each in (places, vectors.view)):
        raise FingerprintError("A view has two sketches of one place")
    for column in (blocks.view, vectors.view):
        if len(column) and not 0 <= int(column.min()) <= int(column.max()) < len(fingerprint.views):
            raise FingerprintError("A sketch belongs to no view")


def _check_blocks(blocks: BlockColumns) -> None:
    for name in _NOT_NEGATIVE:
        column = getattr(blocks, name)
        if not np.isfinite(column).all() or (column < 0).any():
            raise FingerprintError(f"Column blocks.{name} holds impossible numbers")
    if not np.isin(blocks.rows, [rows for rows, _ in STEPS]).all():
        raise FingerprintError("A block has a number of rows that no sketch has")
    if not np.isin(blocks.start, (0, FAR_START)).all() or (blocks.cols > MAX_COLS).any():
        raise FingerprintError("A block lies where no sketch does")
