"""One stored file: bytes in memory or a file on disk, read by ranges, with git and LFS digests."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CHUNK_BYTES = 1 << 16
LFS_ABOVE_BYTES = 10_000_000
HASHED_UP_TO_BYTES = 1 << 30
LFS_SUFFIXES = (
    *(".bin", ".ckpt", ".gguf", ".gz", ".h5", ".model", ".msgpack", ".npy", ".npz", ".onnx"),
    *(".pickle", ".pkl", ".pt", ".pth", ".safetensors", ".tar", ".zip"),
)

Content = bytes | str | Path


@dataclass(frozen=True, eq=False)
class Stored:
    """A file of a repo. Digests are computed when first asked for.

    Args:
        content: The bytes, a text (UTF-8), or a path that must not change while it is served.
        sha256: Digest to show instead of the true one: for files too big to hash, and for lies.
        lfs: Whether the file is kept in LFS (and so served by the CDN); by default as the Hub's
            own `.gitattributes` decides: by suffix, and everything above 10 MB.
    """

    content: Content
    sha256: str | None = None
    lfs: bool | None = None

    @classmethod
    def of(cls, content: Stored | Content) -> Stored:
        """Return ``content`` itself, or wrapped."""
        return content if isinstance(content, Stored) else cls(content)

    @cached_property
    def size(self) -> int:
        """Size in bytes."""
        if isinstance(self.content, Path):
            return self.content.stat().st_size
        return len(self._bytes)

    @cached_property
    def _bytes(self) -> bytes:
        assert not isinstance(self.content, Path)
        return self.content.encode() if isinstance(self.content, str) else bytes(self.content)

    def is_lfs(self, path: str) -> bool:
        """Say whether the file is kept in LFS under this path."""
        if self.lfs is not None:
            return self.lfs
        return PurePosixPath(path).suffix in LFS_SUFFIXES or self.size > LFS_ABOVE_BYTES

    def chunks(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield bytes ``start`` to ``stop`` in pieces, never holding more than one piece."""
        if not isinstance(self.content, Path):
            view = memoryview(self._bytes)
            for at in range(start, stop, CHUNK_BYTES):
                yield bytes(view[at : min(at + CHUNK_BYTES, stop)])
            return
        with self.content.open("rb", buffering=0) as file:
            for at in range(start, stop, CHUNK_BYTES):
                yield os.pread(file.fileno(), min(CHUNK_BYTES, stop - at), at)

    def read(self, start: int = 0, stop: int | None = None) -> bytes:
        """Return bytes ``start`` to ``stop`` (to the end by default)."""
        return b"".join(self.chunks(start, self.size if stop is None else min(stop, self.size)))

    @cached_property
    def digest(self) -> str:
        """The sha256 that the Hub shows for this file."""
        if self.sha256 is not None:
            return self.sha256
        digest = hashlib.sha256()
        for chunk in self.chunks(0, self.size):
            digest.update(chunk)
        return digest.hexdigest()

    @property
    def identity(self) -> str:
        """What tells contents apart in a commit's sha; only sizes of files too big to hash."""
        small = self.sha256 is not None or self.size <= HASHED_UP_TO_BYTES
        return self.digest if small else f"{self.content!s} {self.size}"

    @property
    def pointer(self) -> bytes:
        """The LFS pointer that git holds in place of the file."""
        version = "https://git-lfs.github.com/spec/v1"
        return f"version {version}\noid sha256:{self.digest}\nsize {self.size}\n".encode()

    def blob_id(self, path: str) -> str:
        """Return the git blob id: of the pointer for LFS files, else of the content."""
        content = self.pointer if self.is_lfs(path) else self.read()
        return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()

    @cached_property
    def cdn_etag(self) -> str:
        """The CDN's own ETag: 64 hex digits as well, but not the sha256."""
        return hashlib.sha256(b"cdn" + self.digest.encode()).hexdigest()

    def parameters(self) -> Mapping[str, int]:
        """Return the number of parameters by dtype, ``{}`` where the header cannot be read."""
        declared = int.from_bytes(self.read(0, 8), "little")
        if not 2 <= declared <= min(self.size - 8, 25_000_000):
            return {}
        counts: dict[str, int] = {}
        try:
            header = json.loads(self.read(8, 8 + declared))
            for name, tensor in header.items():
                if name != "__metadata__":
                    items = 1
                    for dimension in tensor["shape"]:
                        items *= int(dimension)
                    counts[tensor["dtype"]] = counts.get(tensor["dtype"], 0) + items
        except (ValueError, TypeError, KeyError, AttributeError):
            return {}
        return counts
