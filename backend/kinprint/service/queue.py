"""The queue of repos to read: Huey on a SQLite file, so that one machine needs no broker."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from huey import SqliteHuey

from kinprint.errors import KinprintError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HEARTBEAT_EVERY_S = 2.0
HEARTBEAT_STALE_S = 15.0
_HEARTBEAT_KEY = "worker:heartbeat"


class ReadingQueue:
    """Carries the number of each asked-for reading to whichever worker is free.

    What became of a reading stands in the index (``Index.readings``), not here, so an emptied
    queue loses nothing: a worker puts what still waits back in when it starts.

    Args:
        path: SQLite file of the queue; its folder must exist.
        read: Called by the worker with a reading's number; None where nothing is consumed.
    """

    def __init__(self, path: Path, read: Callable[[int], None] | None = None) -> None:
        # Its entries are unpickled: only the owner may write, or see who was asked for.
        path.touch(mode=0o600)
        self.huey: Any = SqliteHuey("kinprint", filename=str(path), results=False)
        self._read = read
        self._task: Any = self.huey.task(name="read")(self._run)

    def put(self, reading_id: int) -> None:
        """Hand one reading to the workers."""
        self._task(reading_id)

    def pending(self) -> int:
        """Return how many readings no worker has taken yet."""
        return int(self.huey.pending_count())

    def beat(self) -> None:
        """Say that a worker is alive."""
        # The real clock, not the instance's: a demo that lives on another day still has workers.
        self.huey.put(_HEARTBEAT_KEY, time.time())

    def worker_silent_s(self) -> float | None:
        """Return the seconds since a worker was last heard of, None if never."""
        beat = self.huey.get(_HEARTBEAT_KEY, peek=True)
        return None if beat is None else max(0.0, time.time() - float(beat))

    def worker_is_alive(self) -> bool:
        """Tell whether a worker has been heard of lately."""
        silent_s = self.worker_silent_s()
        return silent_s is not None and silent_s <= HEARTBEAT_STALE_S

    def close(self) -> None:
        """Close this thread's connection."""
        self.huey.storage.close()

    def _run(self, reading_id: int) -> None:
        if self._read is None:
            raise KinprintError("a process without a worker was asked to read a repo")
        self._read(reading_id)
