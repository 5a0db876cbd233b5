"""Progress on stderr: bytes read, rate and time left, for anything over a second."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from kinprint.cli.failure import one_line
from kinprint.fingerprint.record import Depth
from kinprint.fingerprint.source import fingerprint_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from kinprint.fingerprint.record import Fingerprint

    Report = Callable[[int, int], None]


def reading_bar(label: str, *, quiet: bool) -> AbstractContextManager[Report | None]:
    """Draw bytes, rate and time left while something is read or written.

    Args:
        label: What is read, as the user named it.
        quiet: Draw nothing (``--json``).

    Returns:
        A context that gives what to report bytes to, or None where no bar is drawn (not a
        terminal); the bar is wiped at its end.
    """
    return _bar(label, (DownloadColumn(), TransferSpeedColumn()), quiet=quiet)


def counting_bar(label: str, *, quiet: bool) -> AbstractContextManager[Report | None]:
    """Draw how many of how many things are done; arguments and result as `reading_bar`."""
    return _bar(label, (MofNCompleteColumn(),), quiet=quiet)


@contextmanager
def _bar(label: str, figures: Sequence[ProgressColumn], *, quiet: bool) -> Iterator[Report | None]:
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield None
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        *figures,
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(one_line(label), total=None)

        def report(done: int, expected: int) -> None:
            bar.update(task, completed=done, total=expected or None)

        yield report


def fingerprint_with_bar(source: str, *, quiet: bool, depth: Depth = Depth.FULL) -> Fingerprint:
    """Load or take the fingerprint of SRC, drawing a bar.

    Raises:
        KinprintError: SRC is not there or cannot be read.
    """
    with reading_bar(source, quiet=quiet) as on_bytes:
        return fingerprint_of(source, depth=depth, progress=on_bytes)
