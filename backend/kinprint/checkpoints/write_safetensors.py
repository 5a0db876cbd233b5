"""Writes safetensors files as a stream, sharded like huggingface_hub does; nothing is held whole.

The format (huggingface/safetensors, "Format"): 8 bytes length of the header, the header as JSON,
then the tensors' bytes without gaps. The library's own writer wants all tensors in memory.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kinprint.checkpoints.dtypes import ITEM_BITS
from kinprint.checkpoints.limits import HEADER_BYTES, TENSORS
from kinprint.errors import CheckpointError, KinprintError, LimitExceededError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from kinprint.checkpoints.tensors import Progress

SHARD_BYTES = 5_000_000_000
"""Tensors of one file, as huggingface_hub's 5 GB; a larger tensor gets a file of its own."""

FILE_PATTERN = "model{suffix}.safetensors"
INDEX_FILE = "model.safetensors.index.json"

_ALIGNMENT = 8
_RESERVED = "__metadata__"
# transformers refuses files that do not say which framework's layout they have.
_METADATA = {"format": "pt"}


@dataclass(frozen=True, slots=True)
class NewTensor:
    """A tensor to be written: state-dict key, safetensors dtype, shape (row-major)."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """Bytes of its elements."""
        return math.prod(self.shape) * ITEM_BITS[self.dtype] // 8


@dataclass(frozen=True, slots=True)
class Shard:
    """One file to be written: its name, its header (with the length before it), its tensors."""

    file: str
    header: bytes
    tensors: tuple[NewTensor, ...]

    @property
    def nbytes(self) -> int:
        """Size of the file."""
        return len(self.header) + sum(tensor.nbytes for tensor in self.tensors)


@dataclass(frozen=True, slots=True)
class Layout:
    """The files to be written, in order; ``index`` is the JSON text of the shard index or None."""

    shards: tuple[Shard, ...]
    index: bytes | None

    @property
    def tensors(self) -> tuple[NewTensor, ...]:
        """All tensors in the order in which their bytes are to come."""
        return tuple(tensor for shard in self.shards for tensor in shard.tensors)

    @property
    def nbytes(self) -> int:
        """Bytes of all files."""
        return sum(shard.nbytes for shard in self.shards) + len(self.index or b"")


def lay_out(tensors: Sequence[NewTensor], *, shard_bytes: int = SHARD_BYTES) -> Layout:
    """Deal tensors out to files and make the headers; nothing is written.

    Within a file wide dtypes go first, so that every tensor starts at a multiple of its item.

    Args:
        tensors: In the order wanted; none of a packed dtype.
        shard_bytes: Most bytes of tensors in one file.

    Raises:
        CheckpointError: There are none, a name is used twice, or is the format's own.
        LimitExceededError: Too many tensors, or a header that readers refuse.
    """
    by_name = {tensor.name: tensor for tensor in tensors}
    if not tensors:
        raise CheckpointError("there are no tensors to write")
    if len(tensors) > TENSORS:
        raise LimitExceededError(f"more than {TENSORS:,} tensors to write")
    if len(by_name) != len(tensors):
        raise CheckpointError("two tensors of one name cannot be written")
    for name in by_name:
        if name == _RESERVED or not _is_text(name):
            raise CheckpointError("no safetensors file can hold this name", tensor=ascii(name))
    # The Hub's client is slow to import, and not needed for a dry look at other commands.
    from huggingface_hub.serialization import split_state_dict_into_shards_factory

    split = split_state_dict_into_shards_factory(
        by_name,
        get_storage_size=lambda tensor: tensor.nbytes,
        filename_pattern=FILE_PATTERN,
        max_shard_size=shard_bytes,
    )
    shards = tuple(
        _shard(file, [by_name[name] for name in names])
        for file, names in split.filename_to_tensors.items()
    )
    index = {"metadata": split.metadata, "weight_map": split.tensor_to_filename}
    text = json.dumps(index, indent=2, ensure_ascii=False).encode() + b"\n"
    return Layout(shards, text if split.is_sharded else None)


def write(
    folder: Path, layout: Layout, pieces: Iterator[bytes], *, progress: Progress | None = None
) -> None:
    """Write the files of a layout into an existing folder.

    Args:
        folder: Where; files of the same names are replaced.
        layout: What, from `lay_out`.
        pieces: The tensors' bytes in the order of ``layout.tensors``; a piece is part of one
            tensor, and may be of any length.
        progress: Told the bytes written and those expected.

    Raises:
        KinprintError: The disk is full or cannot be written to.
        CheckpointError: The pieces are not as long as the tensors.
    """
    bytes_expected = layout.nbytes
    bytes_written = 0
    for shard in layout.shards:
        try:
            with (folder / shard.file).open("wb") as file:
                file.write(shard.header)
                bytes_written += len(shard.header)
                for tensor in shard.tensors:
                    for piece in _of_tensor(tensor, pieces, shard.file):
                        file.write(piece)
                        bytes_written += len(piece)
                        if progress is not None:
                            progress(bytes_written, bytes_expected)
        except OSError as error:
            raise cannot_write(folder / shard.file, error) from error
    if next(pieces, b""):
        raise CheckpointError("more bytes came than its tensors have", file=layout.shards[-1].file)
    if layout.index is not None:
        try:
            (folder / INDEX_FILE).write_bytes(layout.index)
        except OSError as error:
            raise cannot_write(folder / INDEX_FILE, error) from error


def cannot_write(path: Path, error: OSError) -> KinprintError:
    """Say that a file could not be written, and why."""
    return KinprintError(
        f"Cannot write {str(path)!r}: {error.strerror}",
        hint="Free disk space, or name a folder on another disk.",
    )


def _is_text(name: str) -> bool:
    """Say whether a name can be encoded; JSON escapes can spell half a character."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shard(file: str, tensors: Sequence[NewTensor]) -> Shard:
    in_order = sorted(tensors, key=lambda tensor: -ITEM_BITS[tensor.dtype])
    entries: dict[str, object] = {_RESERVED: _METADATA}
    at = 0
    for tensor in in_order:
        stop = at + tensor.nbytes
        shape = list(tensor.shape)
        entries[tensor.name] = {"dtype": tensor.dtype, "shape": shape, "data_offsets": [at, stop]}
        at = stop
    text = json.dumps(entries, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    if len(text) > HEADER_BYTES:
        raise LimitExceededError(f"a header of {len(text):,} bytes", file=file)
    return Shard(file, len(text).to_bytes(8, "little") + text, tuple(in_order))


def _of_tensor(tensor: NewTensor, pieces: Iterator[bytes], file: str) -> Iterator[bytes]:
    left = tensor.nbytes
    while left:
        piece = next(pieces, b"")
        if not 0 < len(piece) <= left:
            raise CheckpointError(
                f"{len(piece):,} bytes came where {left:,} were left", file=file, tensor=tensor.name
            )
        left -= len(piece)
        yield piece
