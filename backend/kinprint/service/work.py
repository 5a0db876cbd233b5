"""What a worker does with one reading: the repo, then its declared ancestors, under a lease."""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from kinprint.checkpoints.source import validate_repo_id
from kinprint.errors import KinprintError
from kinprint.service.allowance import check_budget, real_now, within_budget
from kinprint.service.reading import read_into_index

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from kinprint.checkpoints.tensors import Progress
    from kinprint.index.readings import Reading
    from kinprint.service.instance import Instance

    Bar = Callable[[str], AbstractContextManager[Progress | None]]

log = logging.getLogger(__name__)

LEASE_S = 60.0
RENEW_EVERY_S = 15.0
"""A worker that dies loses its reading to another one after LEASE_S."""

ANCESTOR_DEPTH = 3
ANCESTOR_REPOS = 5
"""Bounds on what one request may make this instance read because a card says so."""


def work(instance: Instance, reading_id: int) -> None:
    """Read a queued repo and its declared ancestors; the outcome stands in ``Index.readings``.

    Does nothing if another worker has the reading.

    Args:
        instance: Whose index, key and budget.
        reading_id: Number of the reading.
    """
    taken = instance.index.readings.take(at=real_now(), lease_s=LEASE_S, reading_id=reading_id)
    if taken is None:
        return
    with _leased(instance, taken):
        bases = _read(instance, taken)
        if bases is None:
            return
        read_ancestors(instance, bases)
        instance.index.readings.finish(taken, at=real_now())


def read_ancestors(
    instance: Instance, bases: Sequence[str], *, bar: Bar = lambda _repo: nullcontext()
) -> None:
    """Read the declared ancestors that are not indexed yet, parents before grandparents.

    What could not be read keeps its reason in ``Index.readings``, where answers find it.

    Args:
        instance: Whose index, key and budget.
        bases: Repo ids that a card declares.
        bar: Gives what one base's bytes are reported to, while it is read.
    """
    seen: set[str] = set()
    left = ANCESTOR_REPOS
    level = list(bases)
    for _ in range(ANCESTOR_DEPTH):
        following: list[str] = []
        for base in level:
            if base.lower() in seen:
                continue
            seen.add(base.lower())
            known = instance.index.find(base)
            if known is not None:
                following += known.declared_bases
            elif left > 0:
                left -= 1
                with bar(base) as progress:
                    following += _read_ancestor(instance, base, progress)
        level = following


def _read_ancestor(instance: Instance, base: str, progress: Progress | None) -> Sequence[str]:
    readings = instance.index.readings
    try:
        asked, _ = readings.request(
            validate_repo_id(base),
            None,
            at=real_now(),
            queue_limit=instance.settings.queue_limit,
        )
    except KinprintError as error:
        log.info("Not reading an ancestor: %s", error.code)
        return ()
    taken = readings.take(at=real_now(), lease_s=LEASE_S, reading_id=asked.id)
    if taken is None:
        return ()
    with _leased(instance, taken):
        bases = _read(instance, taken, progress)
        if bases is None:
            return ()
        readings.finish(taken, at=real_now())
        return bases


def _read(
    instance: Instance, taken: Reading, progress: Progress | None = None
) -> Sequence[str] | None:
    """Read one repo; return what its card declares, or None after noting why it failed."""
    try:
        check_budget(instance)
        within = within_budget(instance)

        def on_bytes(bytes_read: int, bytes_expected: int) -> None:
            within(bytes_read, bytes_expected)
            if progress is not None:
                progress(bytes_read, bytes_expected)

        read = read_into_index(instance, taken.repo, taken.revision, progress=on_bytes)
    except KinprintError as error:
        log.info("Reading %d failed: %s", taken.id, error.code)
        instance.index.readings.fail(
            taken, at=real_now(), code=error.code, message=error.message, hint=error.hint
        )
        return None
    log.info("Reading %d done: %d bytes", taken.id, read.bytes_read)
    return read.revision.declared_bases


@contextmanager
def _leased(instance: Instance, taken: Reading) -> Iterator[None]:
    """Keep the lease of a reading while it is worked on."""
    done = threading.Event()

    def renew() -> None:
        while not done.wait(RENEW_EVERY_S):
            instance.index.readings.renew(taken, at=real_now(), lease_s=LEASE_S)

    keeper = threading.Thread(target=renew, name=f"lease-{taken.id}", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        done.set()
        keeper.join()


def put_back(instance: Instance) -> None:
    """Queue what waits in the index but in no queue: its worker died, or the queue was lost."""
    if instance.queue.pending() == 0:
        for reading_id in instance.index.readings.waiting(at=real_now()):
            instance.queue.put(reading_id)
