"""Reads what a torch zip archive (.bin, .pt, .pth, .ckpt) declares, by ranges."""

from __future__ import annotations

import io
import math
import re
import struct
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from kinprint.checkpoints import limits
from kinprint.checkpoints.tensors import Inventory, Skipped, StoredTensor
from kinprint.checkpoints.torch_pickle import DTYPES, UNTYPED, TensorRef, read_pickle
from kinprint.checkpoints.weights import sort_out
from kinprint.errors import LimitExceededError, MalformedHeaderError, UnsupportedFormatError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Read = Callable[[int, int], bytes]
    """Returns the exact bytes ``[start, stop)`` of the archive."""

TAIL_BYTES = 131_072
"""Read first; holds the directory of most archives."""

_LOCAL_HEADER = struct.Struct("<4s22xHH")
_LOCAL_MAGIC = b"PK\x03\x04"
_ENCRYPTED_FLAG = 0x1
_UTF8_FLAG = 0x800
_EXTRA_GUESS_BYTES = 128
_NEAR_BYTES = 32_768
_JOINED_BYTES = 262_144
_STATE = "data.pkl"
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def read_archive(read: Read, size: int, file: str, *, concurrency: int = 1) -> Inventory:
    """Read the directory, the pickle and the place of each storage of one archive.

    Args:
        read: Returns exact bytes; called from ``concurrency`` threads for the places.
        size: Size of the file in bytes.
        file: Its path inside the checkpoint, for tensors and errors.
        concurrency: Reads of local headers at the same time.

    Returns:
        Tensors of the state dict and of dicts one level below it, tied ones each by itself;
        integers, tensors that are not contiguous and deeper containers as skipped.

    Raises:
        UnsupportedFormatError: Not a zip archive of torch, TorchScript, compressed, big-endian.
        UnsafePickleError: The pickle asks for more than tensor rebuilds.
        MalformedHeaderError: Directory, local headers or tensors contradict the file.
        LimitExceededError: Over a bound of `kinprint.checkpoints.limits`.
    """
    entries = _directory(read, size, file)
    prefix = _prefix(entries, file)
    _check_byte_order(entries.get(f"{prefix}/byteorder"), read, size, file)
    state = read_pickle(_content(entries[f"{prefix}/{_STATE}"], read, size, file), file)
    named, skipped = _flattened(state, file)
    storages: dict[str, zipfile.ZipInfo] = {}
    for name, tensor in named.items():
        path = f"{prefix}/data/{tensor.storage.key}"
        if path not in entries:
            raise MalformedHeaderError("its storage is missing", file=file, tensor=name)
        storages[tensor.storage.key] = entries[path]
    places = _places(storages, read, size, file, concurrency)
    stored: list[StoredTensor] = []
    for name, tensor in named.items():
        entry = storages[tensor.storage.key]
        _check(tensor, entry.file_size, name, file)
        dtype, item_bytes = DTYPES[tensor.dtype]
        if not _is_contiguous(tensor):
            skipped.append(Skipped(name, "not contiguous in its file"))
            continue
        offset = places[tensor.storage.key] + tensor.offset * item_bytes
        nbytes = math.prod(tensor.shape) * item_bytes
        stored.append(StoredTensor(name, dtype, tensor.shape, file, offset, nbytes))
    sorted_out = sort_out(stored)
    return Inventory(sorted_out.tensors, sorted_out.skipped + tuple(skipped))


class _Ranges(io.RawIOBase):
    """The archive as the seekable file that `zipfile` wants; keeps the tail and one window."""

    def __init__(self, read: Read, size: int, file: str) -> None:
        self._read, self._size, self._file = read, size, file
        self._position = 0
        self._windows = [self._fetched(max(0, size - TAIL_BYTES), size)] * 2

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError("an offset before the start of the archive")
        self._position = base + offset
        return self._position

    def read(self, count: int = -1, /) -> bytes:
        stop = self._size if count < 0 else min(self._size, self._position + count)
        start, self._position = self._position, max(self._position, stop)
        if stop - start > limits.ZIP_DIRECTORY_BYTES:
            raise LimitExceededError(f"a zip directory of {stop - start:,} bytes", file=self._file)
        for begin, raw in self._windows:
            if begin <= start and stop <= begin + len(raw):
                return raw[start - begin : max(start, stop) - begin]
        self._windows[1] = self._fetched(start, stop)
        return self._windows[1][1]

    def _fetched(self, start: int, stop: int) -> tuple[int, bytes]:
        return start, self._read(start, stop)


def _directory(read: Read, size: int, file: str) -> dict[str, zipfile.ZipInfo]:
    """Read the central directory: entry name → entry."""
    try:
        with zipfile.ZipFile(_Ranges(read, size, file)) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error) as error:
        if read(0, min(4, size)) != _LOCAL_MAGIC:
            raise UnsupportedFormatError(
                "not a torch zip archive",
                file=file,
                hint="Torch files from before version 1.6, and other .bin files, cannot be read "
                "by ranges; load the file and save it again as safetensors.",
            ) from None
        raise MalformedHeaderError(
            f"the archive has no valid directory: {error}", file=file
        ) from None
    by_name = {entry.filename: entry for entry in entries}
    # `zipfile` cuts a name at a NUL, behind which a second entry of that name could hide.
    if len(by_name) != len(entries) or any(e.filename != e.orig_filename for e in entries):
        raise MalformedHeaderError("the archive holds two entries of one name", file=file)
    for entry in entries:
        if not 0 <= entry.header_offset < size:
            raise MalformedHeaderError(f"{entry.filename!r} lies outside the archive", file=file)
    return by_name


def _prefix(entries: Mapping[str, zipfile.ZipInfo], file: str) -> str:
    """Return the one folder that all of a torch archive lies in."""
    folders = [name.split("/")[0] for name in entries if name.split("/")[1:] == [_STATE]]
    if len(folders) != 1:
        raise UnsupportedFormatError("a zip archive, but not one of torch", file=file)
    if f"{folders[0]}/constants.pkl" in entries:
        raise UnsupportedFormatError("a TorchScript program, not a state dict", file=file)
    return folders[0]


def _check_byte_order(entry: zipfile.ZipInfo | None, read: Read, size: int, file: str) -> None:
    if entry is not None and _content(entry, read, size, file) != b"little":
        raise UnsupportedFormatError("the tensors are not little-endian", file=file)


def _content(entry: zipfile.ZipInfo, read: Read, size: int, file: str) -> bytes:
    """Read one small entry whole, usually in one read, and check its checksum."""
    if entry.file_size > limits.PICKLE_BYTES:
        raise LimitExceededError(
            f"{entry.filename!r} is declared to have {entry.file_size:,} bytes", file=file
        )
    start = entry.header_offset
    guess = start + _header_bytes(entry) + _EXTRA_GUESS_BYTES + entry.file_size
    window = read(start, min(guess, size))
    place = _place(entry, window, size, file)
    raw = window[place - start :][: entry.file_size]
    if len(raw) < entry.file_size:
        raw = read(place, place + entry.file_size)
    if zlib.crc32(raw) != entry.CRC:
        raise MalformedHeaderError(f"{entry.filename!r} does not match its checksum", file=file)
    return raw


def _stored_name(entry: zipfile.ZipInfo) -> bytes:
    return entry.filename.encode("utf-8" if entry.flag_bits & _UTF8_FLAG else "cp437")


def _header_bytes(entry: zipfile.ZipInfo) -> int:
    return _LOCAL_HEADER.size + len(_stored_name(entry))


def _place(entry: zipfile.ZipInfo, window: bytes, size: int, file: str) -> int:
    """Return where an entry's data begin, by its local header, which must agree with the rest."""
    name = _stored_name(entry)
    if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & _ENCRYPTED_FLAG:
        raise UnsupportedFormatError(f"{entry.filename!r} is compressed or encrypted", file=file)
    if len(window) < _header_bytes(entry):
        raise MalformedHeaderError(f"{entry.filename!r} lies outside the archive", file=file)
    magic, name_bytes, extra_bytes = _LOCAL_HEADER.unpack_from(window)
    stored_name = window[_LOCAL_HEADER.size : _header_bytes(entry)]
    if magic != _LOCAL_MAGIC or name_bytes != len(name) or stored_name != name:
        raise MalformedHeaderError(
            f"{entry.filename!r} has another local header than the directory says", file=file
        )
    place = entry.header_offset + _header_bytes(entry) + int(extra_bytes)
    if entry.compress_size != entry.file_size or place + entry.file_size > size:
        raise MalformedHeaderError(f"{entry.filename!r} lies outside the archive", file=file)
    return place


def _header(window: bytes, start: int, entry: zipfile.ZipInfo) -> bytes:
    begin = entry.header_offset - start
    return window[begin : begin + _header_bytes(entry)]


def _places(
    storages: Mapping[str, zipfile.ZipInfo], read: Read, size: int, file: str, concurrency: int
) -> dict[str, int]:
    """Return where each storage's data begin; neighbouring local headers take one read."""
    groups = list(_neighbours(storages))

    def places_of(keys: list[str]) -> list[tuple[str, int]]:
        first, last = storages[keys[0]], storages[keys[-1]]
        start = first.header_offset
        window = read(start, min(last.header_offset + _header_bytes(last), size))
        return [
            (key, _place(storages[key], _header(window, start, storages[key]), size, file))
            for key in keys
        ]

    with ThreadPoolExecutor(concurrency, thread_name_prefix="kinprint-places") as pool:
        return dict(pair for pairs in pool.map(places_of, groups) for pair in pairs)


def _neighbours(storages: Mapping[str, zipfile.ZipInfo]) -> Iterator[list[str]]:
    """Group the storages whose local headers lie close together, in order of offset."""
    group: list[str] = []
    for key in sorted(storages, key=lambda key: storages[key].header_offset):
        offset = storages[key].header_offset
        if group and (
            offset - storages[group[-1]].header_offset > _NEAR_BYTES
            or offset - storages[group[0]].header_offset > _JOINED_BYTES
        ):
            yield group
            group = []
        group.append(key)
    if group:
        yield group


def _flattened(state: object, file: str) -> tuple[dict[str, TensorRef], list[Skipped]]:
    """Name the tensors of a state dict, and of dicts one level below (``{"state_dict": …}``).

    The upper key is left out where the tensors all lie below one.
    """
    if isinstance(state, TensorRef):
        state = {"tensor": state}
    if not isinstance(state, dict):
        raise UnsupportedFormatError("the archive does not hold a dict of tensors", file=file)
    inner = {
        key: value
        for key, value in state.items()
        if isinstance(value, dict) and any(isinstance(v, TensorRef) for v in value.values())
    }
    alone = len(inner) == 1 and not any(isinstance(v, TensorRef) for v in state.values())
    levels = [("", state)]
    levels += [("" if alone else f"{key}.", value) for key, value in inner.items()]
    named: dict[str, TensorRef] = {}
    skipped: list[Skipped] = []
    for prefix, level in levels:
        for key, item in level.items():
            name = _name(f"{prefix}{key}", file)
            if isinstance(item, TensorRef):
                if name in named:
                    raise MalformedHeaderError("declared twice", file=file, tensor=name)
                named[name] = item
            elif isinstance(item, (dict, list)) and item and item is not inner.get(key):
                skipped.append(Skipped(name, "nested deeper than a state dict"))
    if len(named) > limits.TENSORS:
        raise LimitExceededError(f"more than {limits.TENSORS:,} tensors", file=file)
    return named, skipped


def _name(name: str, file: str) -> str:
    if len(name) > limits.NAME_CHARACTERS:
        raise LimitExceededError(f"a name of {len(name):,} characters", file=file)
    if _SURROGATE.search(name):
        raise MalformedHeaderError("a lone surrogate in a name", file=file)
    return name


def _check(tensor: TensorRef, storage_bytes: int, name: str, file: str) -> None:
    """Check a declared tensor against the limits and against its storage in the file."""
    if len(tensor.shape) > limits.RANK:
        raise LimitExceededError(f"rank {len(tensor.shape)}", file=file, tensor=name)
    if any(size > limits.DIMENSION for size in tensor.shape):
        raise LimitExceededError(f"shape {tensor.shape}", file=file, tensor=name)
    if (
        len(tensor.strides) != len(tensor.shape)
        or min((0, tensor.offset, *tensor.shape, *tensor.strides)) < 0
    ):
        raise MalformedHeaderError("no valid size and strides", file=file, tensor=name)
    item_bytes = DTYPES[tensor.dtype][1]
    storage = tensor.storage
    unit_bytes = 1 if storage.dtype == UNTYPED else DTYPES[storage.dtype][1]
    if storage.elements * unit_bytes != storage_bytes:
        raise MalformedHeaderError(
            f"its storage has {storage_bytes:,} bytes, not {storage.elements * unit_bytes:,}",
            file=file,
            tensor=name,
        )
    reach = [(size - 1) * stride for size, stride in zip(tensor.shape, tensor.strides, strict=True)]
    end = tensor.offset + sum(reach) + 1 if 0 not in tensor.shape else tensor.offset
    if end * item_bytes > storage_bytes:
        raise MalformedHeaderError("it reaches past its storage", file=file, tensor=name)


def _is_contiguous(tensor: TensorRef) -> bool:
    """Say whether the elements lie row by row without gaps (dimensions of 1 have free strides)."""
    expected = 1
    for size, stride in zip(reversed(tensor.shape), reversed(tensor.strides), strict=True):
        if size != 1 and stride != expected:
            return math.prod(tensor.shape) == 0
        expected *= size
    return True
