"""A checkpoint held in memory, for tests of everything that takes a ``Checkpoint``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np

from kinprint.checkpoints.tensors import (
    CheckpointFile,
    Origin,
    Skipped,
    Span,
    StoredTensor,
    Visibility,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

NUMPY_DTYPES = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "BF16": ml_dtypes.bfloat16,
    "F8_E4M3": ml_dtypes.float8_e4m3fn,
    "F8_E5M2": ml_dtypes.float8_e5m2,
    "I64": np.int64,
    "I32": np.int32,
    "U8": np.uint8,
    "BOOL": np.bool_,
}


class MemoryCheckpoint:
    """Stores arrays cast to their dtypes, in the order given.

    Args:
        arrays: Name → (array, safetensors dtype) or an array, which is stored as F32.
        files: Number of files ("shards") that the tensors are dealt out to, in turn.
        repo: Hub id to pretend; local without one.
        tied: Name → name of the stored tensor whose bytes it shares.
        origin: Replaces the origin made from ``repo``.
    """

    def __init__(
        self,
        arrays: Mapping[str, tuple[NDArray[Any], str] | NDArray[Any]],
        *,
        files: int = 1,
        repo: str | None = None,
        tied: Mapping[str, str] | None = None,
        origin: Origin | None = None,
    ) -> None:
        contents = [bytearray(b"header..") for _ in range(files)]
        tensors: list[StoredTensor] = []
        for number, (name, entry) in enumerate(arrays.items()):
            array, dtype = entry if isinstance(entry, tuple) else (entry, "F32")
            raw = np.ascontiguousarray(array).astype(NUMPY_DTYPES[dtype]).tobytes()
            content = contents[number % files]
            tensors.append(
                StoredTensor(
                    name=name,
                    dtype=dtype,
                    shape=tuple(np.shape(array)),
                    file=f"model-{number % files}.safetensors",
                    offset=len(content),
                    nbytes=len(raw),
                )
            )
            content += raw
        by_name = {tensor.name: tensor for tensor in tensors}
        for name, other in (tied or {}).items():
            twin = by_name[other]
            tensors.append(
                StoredTensor(name, twin.dtype, twin.shape, twin.file, twin.offset, twin.nbytes)
            )
        self._contents = {
            f"model-{number}.safetensors": bytes(content) for number, content in enumerate(contents)
        }
        self.tensors = tuple(tensors)
        self.files = tuple(CheckpointFile(path, len(raw)) for path, raw in self._contents.items())
        self.skipped: tuple[Skipped, ...] = ()
        self.others: tuple[CheckpointFile, ...] = ()
        self.bytes_read = 0
        self.spans_read: list[Span] = []
        self.origin = origin or Origin(
            source=repo or "memory",
            repo=repo,
            revision="0" * 40 if repo else None,
            visibility=Visibility.PUBLIC if repo else Visibility.LOCAL,
        )

    def read(self, spans: Sequence[Span]) -> Iterator[bytes]:
        """Yield the bytes of each span, in order."""
        for span in spans:
            content = self._contents[span.file]
            assert 0 <= span.start <= span.stop <= len(content)
            self.spans_read.append(span)
            self.bytes_read += span.stop - span.start
            yield content[span.start : span.stop]

    def close(self) -> None:
        """Nothing is held open."""
