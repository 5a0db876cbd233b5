"""Progress on stderr: bytes read, rate and time left, for anything over a second."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from kinprint.cli.failure import one_line
from kinprint.fingerprint.record import Depth
from kinprint.fingerprint.source import fingerprint_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kinprint.checkpoints.tensors import Progress as OnBytes
    from kinprint.fingerprint.record import Fingerprint


@contextmanager
def reading_bar(label: str, *, quiet: bool) -> Iterator[OnBytes | None]:
    """Draw a bar while a checkpoint is read; it is wiped at the end.

    Args:
        label: What is read, as the user named it.
        quiet: Draw nothing (``--json``).

    Yields:
        What to report bytes to, or None where no bar is drawn (not a terminal).
    """
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield None
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(one_line(label), total=None)

        def on_bytes(bytes_read: int, bytes_expected: int) -> None:
            bar.update(task, completed=bytes_read, total=bytes_expected or None)

        yield on_bytes


def fingerprint_with_bar(source: str, *, quiet: bool, depth: Depth = Depth.FULL) -> Fingerprint:
    """Load or take the fingerprint of SRC, drawing a bar.

    Raises:
        KinprintError: SRC is not there or cannot be read.
    """
    with reading_bar(source, quiet=quiet) as on_bytes:
        return fingerprint_of(source, depth=depth, progress=on_bytes)
