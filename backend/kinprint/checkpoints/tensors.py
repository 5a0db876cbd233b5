"""What a checkpoint is to the rest of the code: files, stored tensors, and reads by range."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime


class Visibility(StrEnum):
    """Who may read a repo."""

    PUBLIC = "public"
    GATED = "gated"
    PRIVATE = "private"
    LOCAL = "local"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class CheckpointFile:
    """One weight file: path inside the checkpoint, size in bytes, LFS sha256 where known."""

    path: str
    size: int
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """One tensor as stored, before any bytes are read.

    Attributes:
        name: State-dict key.
        dtype: safetensors dtype name (``F32``, ``BF16``, ``F8_E4M3``, ``I64`` …).
        shape: As stored, row-major (C-contiguous).
        file: Path of its file inside the checkpoint.
        offset: Byte offset in that file of its first element.
        nbytes: Bytes from the first to the last element.
        scale: For packed dtypes (F4, F6), the tensor that holds its block scales.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    file: str
    offset: int
    nbytes: int
    scale: StoredTensor | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """A tensor that cannot or need not be hashed, with the reason in words.

    Attributes:
        name: State-dict key, or the path of a file.
        reason: Why, in words.
        stored: The tensor itself where it lies whole in its file, so that it can be copied.
    """

    name: str
    reason: str
    stored: StoredTensor | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Span:
    """A byte range ``[start, stop)`` of one file of the checkpoint."""

    file: str
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a checkpoint came from and what its publisher says of it.

    Attributes:
        source: What the user named: a path, or ``owner/name``.
        repo: Canonical Hub id, None for a local source.
        revision: Full commit sha, None for a local source.
        visibility: Who may read it.
        created_at: The repo's createdAt (UTC), a lower bound on when the weights arrived.
        owner_id: The Hub's opaque id of the owner, which survives renames.
        declared_bases: ``base_model`` of the card, canonical spelling as written there.
        declared_relation: ``finetune``, ``adapter``, ``merge``, ``quantized`` or None.
        aliases: Former or alternative ids that redirect here.
    """

    source: str
    repo: str | None = None
    revision: str | None = None
    visibility: Visibility = Visibility.LOCAL
    created_at: datetime | None = None
    owner_id: str | None = None
    declared_bases: tuple[str, ...] = ()
    declared_relation: str | None = None
    aliases: tuple[str, ...] = ()


class Progress(Protocol):
    """Receives bytes as they are read; the CLI draws a bar from it."""

    def __call__(self, bytes_read: int, bytes_expected: int, /) -> None:
        """Report the running totals."""


class Checkpoint(Protocol):
    """One fixed revision of a model: its tensors, and reads of byte ranges.

    Implementations: ``local.LocalCheckpoint`` and ``hub.HubCheckpoint``. ``files`` hold the
    tensors; ``others`` are what lies beside them (configuration, tokenizer, code).
    """

    origin: Origin
    files: tuple[CheckpointFile, ...]
    others: tuple[CheckpointFile, ...]
    tensors: tuple[StoredTensor, ...]
    skipped: tuple[Skipped, ...]

    @property
    def bytes_read(self) -> int:
        """Bytes fetched so far, headers included."""

    def read(self, spans: Sequence[Span]) -> Iterator[bytes]:
        """Yield the exact bytes of each span, in the order given; reads run concurrently.

        Raises:
            CheckpointError: A span lies outside its file, or the file is shorter than declared.
            HubError: The Hub or its CDN failed for good.
        """

    def close(self) -> None:
        """Release files and connections."""


@dataclass(frozen=True, slots=True)
class Inventory:
    """What the headers of a checkpoint's files declare."""

    tensors: tuple[StoredTensor, ...]
    skipped: tuple[Skipped, ...] = field(default=())
