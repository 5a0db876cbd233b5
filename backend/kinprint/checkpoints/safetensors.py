"""Reads what a safetensors file declares, and believes none of it before it is checked."""

from __future__ import annotations

import math
import re
from sys import getsizeof
from typing import TYPE_CHECKING, TypeGuard

from kinprint.checkpoints import json_members, limits
from kinprint.checkpoints.dtypes import ITEM_BITS
from kinprint.checkpoints.tensors import StoredTensor
from kinprint.checkpoints.weights import sort_out
from kinprint.errors import LimitExceededError, MalformedHeaderError, MalformedIndexError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from kinprint.checkpoints.tensors import Inventory

FIRST_READ_BYTES = 32_768
"""Enough for the header of most shards, so that one read does."""

_LENGTH_BYTES = 8
_LFS_POINTER = b"version https://git-lfs"
_DTYPE_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,31}")
_METADATA = "__metadata__"


def read_header(read: Callable[[int, int], bytes], size: int, file: str) -> Inventory:
    """Read the header of one safetensors file, in two reads at most.

    Args:
        read: Returns the exact bytes ``[start, stop)`` of the file.
        size: Size of the file in bytes.
        file: Its path inside the checkpoint, for tensors and errors.

    Returns:
        Tensors that hold weights, in the order of their offsets; the others as skipped.

    Raises:
        MalformedHeaderError: The header is truncated, is not the JSON that the format asks for,
            or lies about offsets, shapes or dtypes.
        LimitExceededError: It is over a bound of `kinprint.checkpoints.limits`.
    """
    return _inventory(_header_bytes(read, size, file), size, file)


def read_index(raw: bytes, file: str) -> Mapping[str, str]:
    """Read a shard index (``*.index.json``): tensor name → shard as the index spells it.

    Raises:
        MalformedIndexError: Not JSON, no ``weight_map``, a tensor listed twice, a shard that is
            not text.
        LimitExceededError: It is over ``limits.INDEX_BYTES``, ``limits.TENSORS`` or
            ``limits.NAMES_BYTES``.
    """
    if len(raw) > limits.INDEX_BYTES:
        raise LimitExceededError(f"the index has {len(raw):,} bytes", file=file)
    shards: dict[str, str] = {}
    names_bytes = 0
    found = False
    try:
        for key, start, _ in json_members.members(raw):
            if key != "weight_map":
                continue
            if found:
                raise MalformedIndexError("two weight maps", file=file)
            found = True
            for name, begin, end in json_members.members(raw, start):
                shard = json_members.value(raw, begin, end)
                if not isinstance(shard, str):
                    raise MalformedIndexError("its shard is not text", file=file, tensor=name)
                if name in shards:
                    raise MalformedIndexError("listed twice", file=file, tensor=name)
                if len(shards) >= limits.TENSORS:
                    raise LimitExceededError(f"more than {limits.TENSORS:,} tensors", file=file)
                names_bytes += getsizeof(name) + getsizeof(shard)
                if names_bytes > limits.NAMES_BYTES:
                    raise LimitExceededError(
                        f"names that take more than {limits.NAMES_BYTES:,} bytes", file=file
                    )
                shards[name] = shard
    except json_members.JsonError as error:
        raise MalformedIndexError(f"the index is not valid JSON: {error}", file=file) from None
    if not found:
        raise MalformedIndexError("the index has no weight_map", file=file)
    return shards


def _header_bytes(read: Callable[[int, int], bytes], size: int, file: str) -> bytes:
    """Return the JSON text of the header, its length checked before it is read."""
    if size < _LENGTH_BYTES:
        raise MalformedHeaderError(f"the file has only {size} bytes", file=file)
    first = _exactly(read, 0, min(size, _LENGTH_BYTES + FIRST_READ_BYTES), file)
    if first.startswith(_LFS_POINTER):
        raise MalformedHeaderError(
            "a Git LFS pointer, not the weights", file=file, hint="Run `git lfs pull` first."
        )
    length = int.from_bytes(first[:_LENGTH_BYTES], "little")
    stop = _LENGTH_BYTES + length
    if length > limits.HEADER_BYTES:
        raise LimitExceededError(
            f"a header of {length:,} bytes is declared, the limit is {limits.HEADER_BYTES:,}",
            file=file,
        )
    if stop > size:
        raise MalformedHeaderError(
            f"a header of {length:,} bytes is declared in a file of {size:,}", file=file
        )
    if stop <= len(first):
        return first[_LENGTH_BYTES:stop]
    return first[_LENGTH_BYTES:] + _exactly(read, len(first), stop, file)


def _exactly(read: Callable[[int, int], bytes], start: int, stop: int, file: str) -> bytes:
    raw = read(start, stop)
    if len(raw) != stop - start:
        raise MalformedHeaderError(
            f"{len(raw):,} bytes came where {stop - start:,} were asked for", file=file
        )
    return raw


def _inventory(raw: bytes, size: int, file: str) -> Inventory:
    """Check the declarations one by one, then together: they must tile the data section."""
    data_start = _LENGTH_BYTES + len(raw)
    declared: dict[str, StoredTensor] = {}
    try:
        for name, start, stop in json_members.members(raw):
            if name == _METADATA:
                continue
            if name in declared:
                raise MalformedHeaderError("declared twice", file=file, tensor=name)
            if len(declared) >= limits.TENSORS:
                raise LimitExceededError(f"more than {limits.TENSORS:,} tensors", file=file)
            if len(name) > limits.NAME_CHARACTERS:
                raise LimitExceededError(f"a name of {len(name):,} characters", file=file)
            entry = json_members.value(raw, start, stop)
            declared[name] = _tensor(name, entry, data_start, size, file)
    except json_members.JsonError as error:
        raise MalformedHeaderError(f"the header is not valid JSON: {error}", file=file) from None
    in_order = sorted(declared.values(), key=lambda tensor: (tensor.offset, tensor.nbytes))
    _check_tiling(in_order, data_start, size, file)
    return sort_out(in_order)


def _tensor(name: str, entry: object, data_start: int, size: int, file: str) -> StoredTensor:
    """Check one entry against the format, the limits and the file."""
    if not isinstance(entry, dict):
        raise MalformedHeaderError("its entry is not an object", file=file, tensor=name)
    dtype, shape, offsets = entry.get("dtype"), entry.get("shape"), entry.get("data_offsets")
    if not isinstance(dtype, str) or not _DTYPE_NAME.fullmatch(dtype):
        raise MalformedHeaderError("no valid dtype", file=file, tensor=name)
    if not _is_counts(shape):
        raise MalformedHeaderError("no valid shape", file=file, tensor=name)
    if not _is_counts(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise MalformedHeaderError("no valid data_offsets", file=file, tensor=name)
    if len(shape) > limits.RANK:
        raise LimitExceededError(f"rank {len(shape)}", file=file, tensor=name)
    if any(dimension > limits.DIMENSION for dimension in shape):
        raise LimitExceededError(f"shape {shape}", file=file, tensor=name)
    begin, end = offsets
    if data_start + end > size:
        raise MalformedHeaderError(
            f"ends at byte {data_start + end:,} of a file of {size:,}", file=file, tensor=name
        )
    # A dtype newer than this list leaves its tensor out, not the whole model.
    if dtype in ITEM_BITS and math.prod(shape) * ITEM_BITS[dtype] != 8 * (end - begin):
        raise MalformedHeaderError(
            f"{dtype} of shape {shape} does not take {end - begin:,} bytes", file=file, tensor=name
        )
    return StoredTensor(name, dtype, tuple(shape), file, data_start + begin, end - begin)


def _is_counts(value: object) -> TypeGuard[list[int]]:
    """Say whether a JSON value is a list of natural numbers (true and 1.0 are not)."""
    return isinstance(value, list) and all(type(item) is int and item >= 0 for item in value)


def _check_tiling(in_order: Sequence[StoredTensor], data_start: int, size: int, file: str) -> None:
    """Refuse holes, overlaps and bytes that no tensor owns, as the format does."""
    at = data_start
    for tensor in in_order:
        if tensor.offset != at:
            what = "a hole before it" if tensor.offset > at else "it overlaps the one before it"
            raise MalformedHeaderError(what, file=file, tensor=tensor.name)
        at += tensor.nbytes
    if at != size:
        raise MalformedHeaderError(f"{size - at:,} bytes belong to no tensor", file=file)
