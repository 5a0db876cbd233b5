"""A checkpoint on local disk: a folder in any of the usual layouts, or one weight file."""

from __future__ import annotations

import os
import stat
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from kinprint.checkpoints import layout, limits
from kinprint.checkpoints.card import declared_in
from kinprint.checkpoints.inventory import read_files, read_inventory
from kinprint.checkpoints.tensors import CheckpointFile, Origin, Skipped, Span
from kinprint.errors import (
    CheckpointError,
    LimitExceededError,
    MissingError,
    UnsupportedFormatError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class LocalCheckpoint:
    """Tensors of a folder or file, read by ranges; implements `tensors.Checkpoint`.

    Each read opens its file anew, so nothing stays open, and checks that it is still the file
    whose header was read.

    Args:
        path: A folder or a weight file.

    Raises:
        MissingError: Nothing is there.
        CheckpointError: A header or an index is malformed (see `inventory.read_inventory`), or
            a symlink leaves the folder.
    """

    def __init__(self, path: Path | str) -> None:
        named = Path(path).expanduser()
        if not named.exists():
            raise MissingError(f"{str(path)!r} does not exist.")
        self.bytes_read = 0
        self._counting = threading.Lock()
        self._seen: dict[str, tuple[int, ...]] = {}
        self._targets: dict[str, Path] = {}
        self._root = (named if named.is_dir() else named.parent).resolve()
        self._is_folder = named.is_dir()
        bases: tuple[str, ...] = ()
        linked: tuple[Skipped, ...] = ()
        relation: str | None = None
        if self._is_folder:
            sizes, linked = self._list()
            contents = read_inventory(sizes, self._read_range)
            paths, inventory = contents.paths, contents.inventory
            bases, relation = declared_in(self._root / "README.md")
        elif named.is_file():
            sizes = {named.name: named.stat().st_size}
            file = layout.WeightFile(named.name, sizes[named.name])
            paths, inventory = (named.name,), read_files([file], self._read_range)[named.name]
        else:
            raise UnsupportedFormatError("not a regular file", file=named.name)
        self.origin = Origin(str(path), declared_bases=bases, declared_relation=relation)
        self.files = tuple(CheckpointFile(name, sizes[name]) for name in paths)
        chosen = set(paths)
        self.others = tuple(
            CheckpointFile(name, size) for name, size in sizes.items() if name not in chosen
        )
        self.tensors = inventory.tensors
        self.skipped = inventory.skipped + linked

    def read(self, spans: Sequence[Span]) -> Iterator[bytes]:
        """Yield the exact bytes of each span, in the order given.

        Raises:
            CheckpointError: A span lies outside its file, or the file changed since its header
                was read.
            LimitExceededError: A span is longer than ``limits.READ_SPAN_BYTES``.
        """
        for span in spans:
            if span.stop - span.start > limits.READ_SPAN_BYTES:
                raise LimitExceededError(
                    f"a read of {span.stop - span.start:,} bytes", file=span.file
                )
            yield self._read_range(span.file, span.start, span.stop)

    def close(self) -> None:
        """Do nothing: no file stays open between reads."""

    def _list(self) -> tuple[dict[str, int], tuple[Skipped, ...]]:
        """List the folder's files with their sizes; folders behind symlinks are left out."""
        sizes: dict[str, int] = {}
        linked: list[Skipped] = []
        for folder, subfolders, names in os.walk(self._root):
            here = Path(folder)
            for name in subfolders:
                if (here / name).is_symlink():
                    relative = (here / name).relative_to(self._root).as_posix()
                    linked.append(Skipped(relative, "a symlink to a folder is not followed"))
            for name in names:
                status = (here / name).stat() if (here / name).exists() else None
                if status is not None and stat.S_ISREG(status.st_mode):
                    sizes[(here / name).relative_to(self._root).as_posix()] = status.st_size
            if len(sizes) > limits.REPO_FILES:
                raise LimitExceededError(f"more than {limits.REPO_FILES:,} files in {self._root}")
        return sizes, tuple(linked)

    def _read_range(self, file: str, start: int, stop: int) -> bytes:
        target = self._targets.get(file)
        if target is None:
            target = located(self._root, file, is_folder=self._is_folder)
            self._targets[file] = target
        with opened(target, file) as descriptor:
            before = _identity(descriptor)
            if self._seen.setdefault(file, before) != before:
                raise CheckpointError("the file changed while it was being read", file=file)
            size = before[2]
            if not 0 <= start <= stop <= size:
                raise CheckpointError(
                    f"bytes {start:,} to {stop:,} lie outside a file of {size:,}", file=file
                )
            raw = os.pread(descriptor, stop - start, start)
            if len(raw) != stop - start or _identity(descriptor) != before:
                raise CheckpointError("the file changed while it was being read", file=file)
        with self._counting:
            self.bytes_read += len(raw)
        return raw


def located(root: Path, file: str, *, is_folder: bool = True) -> Path:
    """Return where a file of a checkpoint really lies.

    Args:
        root: The resolved folder.
        file: Path inside it.
        is_folder: The user named the folder; False where the user named this one file.

    Raises:
        CheckpointError: A symlink leaves the folder.
    """
    target = (root / file).resolve()
    # A link that the user named is meant; one inside a folder may be anybody's.
    if is_folder and not _may_read(root, target):
        raise CheckpointError("a symlink leaves the folder", file=file)
    return target


@contextmanager
def opened(target: Path, file: str) -> Iterator[int]:
    """Open a file that was `located` for reading and give its descriptor.

    Args:
        target: Where it lies.
        file: What an error calls it.

    Raises:
        CheckpointError: It cannot be opened.
    """
    try:
        # Non-blocking, so that a named pipe does not stall the open.
        descriptor = os.open(target, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise CheckpointError(f"cannot be opened: {error.strerror}", file=file) from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _identity(descriptor: int) -> tuple[int, ...]:
    """Return what changes when a file is replaced, truncated or written to."""
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _may_read(root: Path, target: Path) -> bool:
    """Say whether a resolved file is in the folder, or in the same repo of a Hub cache.

    ``models--owner--name/snapshots/<commit>/`` holds links into ``models--owner--name/blobs/``.
    """
    if target.is_relative_to(root):
        return True
    for parent in root.parents:
        if parent.name == "snapshots" and parent.parent.name.startswith("models--"):
            return target.parent == parent.parent / "blobs"
    return False
