"""All tensors of a checkpoint, from reads by range: the same steps on the Hub and on disk."""

from __future__ import annotations

import posixpath
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from sys import getsizeof
from typing import TYPE_CHECKING

from kinprint.checkpoints import layout, limits
from kinprint.checkpoints.safetensors import read_header, read_index
from kinprint.checkpoints.tensors import Inventory, Skipped
from kinprint.checkpoints.torch_zip import read_archive
from kinprint.errors import LimitExceededError, MalformedIndexError, UnsupportedFormatError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from kinprint.checkpoints.tensors import StoredTensor

    Reader = Callable[[str, int, int], bytes]
    """Returns the exact bytes ``[start, stop)`` of the file at a path."""

LONG_READ_BYTES = 1_000_000
"""Headers that take a longer read than this are parsed one at a time, which bounds memory."""


@dataclass(frozen=True, slots=True)
class Contents:
    """The weight files that were chosen, in order, and what their headers declare."""

    paths: tuple[str, ...]
    inventory: Inventory


def read_inventory(sizes: Mapping[str, int], read: Reader, *, concurrency: int = 1) -> Contents:
    """Choose the weight files of a repo or folder and read what they declare.

    Args:
        sizes: Every file of the checkpoint: path → bytes.
        read: Returns the exact bytes of a range; called from ``concurrency`` threads.
        concurrency: Headers read at the same time.

    Raises:
        CheckpointError: As `layout.weight_files`, `read_files`; or an index is over its limit,
            names a shard that is missing, or contradicts its shards.
    """
    choice = layout.weight_files(tuple(sizes.items()))
    files: list[layout.WeightFile] = []
    maps: list[tuple[layout.ShardIndex, Mapping[str, str], tuple[layout.WeightFile, ...]]] = []
    for item in choice.chosen:
        if isinstance(item, layout.WeightFile):
            files.append(item)
            continue
        if item.size > limits.INDEX_BYTES:
            raise LimitExceededError(f"the index has {item.size:,} bytes", file=item.path)
        weight_map = read_index(read(item.path, 0, item.size), item.path)
        shards = layout.shard_files(item, weight_map, sizes)
        files.extend(shards)
        maps.append((item, weight_map, shards))
    parts = read_files(files, read, concurrency=concurrency)
    for index, weight_map, shards in maps:
        _check_map(index, weight_map, {shard.path: parts[shard.path] for shard in shards})
    joined = _joined([parts[file.path] for file in files])
    return Contents(
        tuple(file.path for file in files),
        replace(joined, skipped=joined.skipped + choice.left_out),
    )


def read_files(
    files: Sequence[layout.WeightFile], read: Reader, *, concurrency: int = 1
) -> dict[str, Inventory]:
    """Read the headers of weight files, concurrently: path → what it declares.

    A file of no known format among others that can be read becomes a skipped entry.

    Raises:
        MalformedHeaderError: A header lies (see `safetensors.read_header`).
        UnsafePickleError: A pickle asks for more than tensors.
        UnsupportedFormatError: No file is of a known format.
        LimitExceededError: Over a bound, of which ``limits.TENSORS`` and ``limits.NAMES_BYTES``
            hold for all files together.
    """
    headers = _Headers(read, max(1, concurrency // max(1, len(files))))
    with ThreadPoolExecutor(concurrency, thread_name_prefix="kinprint-header") as pool:
        # Not futures of our own: with the error of one they would make a cycle that keeps what
        # was read so far.
        found = list(pool.map(headers.quick, files))
    parts: dict[str, Inventory] = {}
    refused: list[UnsupportedFormatError] = []
    for file, part in zip(files, found, strict=True):
        result = headers.whole(file) if part is None else part
        if isinstance(result, UnsupportedFormatError):
            refused.append(result)
            result = Inventory((), (Skipped(file.path, result.message),))
        parts[file.path] = result
    if len(refused) == len(files) and refused:
        raise refused[0]
    return parts


class _LongReadError(Exception):
    """A header needs a long read; it is put off until the others are done."""


class _Headers:
    """Reads headers and counts the tensors of all of them together."""

    def __init__(self, read: Reader, reads_per_file: int) -> None:
        self._read = read
        self._reads_per_file = reads_per_file
        self._lock = threading.Lock()
        self._tensors = 0
        self._names_bytes = 0

    def quick(self, file: layout.WeightFile) -> Inventory | UnsupportedFormatError | None:
        """Read one header if short reads are enough, else return None."""

        def short(start: int, stop: int) -> bytes:
            if stop - start > LONG_READ_BYTES:
                raise _LongReadError
            return self._read(file.path, start, stop)

        try:
            return self._counted(file, short)
        except _LongReadError:
            return None

    def whole(self, file: layout.WeightFile) -> Inventory | UnsupportedFormatError:
        """Read one header of any permitted length."""
        return self._counted(file, lambda start, stop: self._read(file.path, start, stop))

    def _counted(
        self, file: layout.WeightFile, read: Callable[[int, int], bytes]
    ) -> Inventory | UnsupportedFormatError:
        try:
            if file.path.endswith(layout.SAFETENSORS_SUFFIX):
                part = read_header(read, file.size, file.path)
            else:
                part = read_archive(read, file.size, file.path, concurrency=self._reads_per_file)
        except UnsupportedFormatError as error:
            return error
        with self._lock:
            self._tensors += len(part.tensors) + len(part.skipped)
            self._names_bytes += sum(getsizeof(each.name) for each in part.tensors + part.skipped)
            if self._tensors > limits.TENSORS:
                raise LimitExceededError(f"more than {limits.TENSORS:,} tensors", file=file.path)
            if self._names_bytes > limits.NAMES_BYTES:
                raise LimitExceededError(
                    f"names of tensors that take more than {limits.NAMES_BYTES:,} bytes",
                    file=file.path,
                )
        return part


def _check_map(
    index: layout.ShardIndex, weight_map: Mapping[str, str], parts: Mapping[str, Inventory]
) -> None:
    """Refuse an index whose shards share a tensor, or lack one that it puts there."""
    places: dict[str, str] = {}
    for path, part in parts.items():
        names = [tensor.name for tensor in part.tensors] + [entry.name for entry in part.skipped]
        for name in names:
            if places.setdefault(name, path) != path:
                raise MalformedIndexError(
                    f"stored in two shards, {places[name]!r} and {path!r}",
                    file=index.path,
                    tensor=name,
                )
    folder = posixpath.dirname(index.path)
    for name, shard in weight_map.items():
        if places.get(name) != posixpath.join(folder, shard):
            raise MalformedIndexError(f"not in its shard {shard!r}", file=index.path, tensor=name)


def _joined(parts: Sequence[Inventory]) -> Inventory:
    """Put the files together; a name that two files use is told apart by its file."""
    uses = Counter(tensor.name for part in parts for tensor in part.tensors)

    def told_apart(tensor: StoredTensor) -> StoredTensor:
        if uses[tensor.name] == 1:
            return tensor
        return replace(tensor, name=f"{tensor.file}:{tensor.name}")

    return Inventory(
        tuple(told_apart(tensor) for part in parts for tensor in part.tensors),
        tuple(entry for part in parts for entry in part.skipped),
    )
