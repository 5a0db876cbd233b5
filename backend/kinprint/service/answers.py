"""What the service answers, apart from HTTP: from the index, or by queueing a reading."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kinprint import clock
from kinprint.checkpoints.source import validate_repo_id, validate_revision
from kinprint.checkpoints.tensors import Visibility
from kinprint.errors import (
    CheckpointError,
    HubTimeoutError,
    KinprintError,
    NotIndexedError,
    NotPublicError,
    NotReadyError,
    RepoNotFoundError,
)
from kinprint.index.readings import Reading, ReadingState
from kinprint.lineage.ancestors import declared_ancestors
from kinprint.lineage.coverage import coverage_of
from kinprint.lineage.evidence.time.timeline import seen
from kinprint.lineage.explain import Beside, explain
from kinprint.lineage.similar import similar
from kinprint.lineage.timeline import interval_of
from kinprint.lineage.verdict import Relation, Similar, Verdict
from kinprint.service.allowance import check_budget, real_now
from kinprint.service.discretion import discreet_comparison, discreet_similar
from kinprint.service.glance import Glance
from kinprint.service.outcome import failure_of
from kinprint.service.reading import refreshed
from kinprint.service.schemas import Pending, Ready

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from kinprint.checkpoints.tensors import Origin
    from kinprint.fingerprint.record import Fingerprint
    from kinprint.index.store import StoredRevision
    from kinprint.lineage.ancestors import Ancestors
    from kinprint.lineage.evidence.record import Comparison
    from kinprint.lineage.verdict import Coverage
    from kinprint.service.instance import Instance

log = logging.getLogger(__name__)

POLL_S = 0.2
COMPARISONS_AT_ONCE = 2
COMPARE_WAIT_S = 20.0
"""A comparison keeps a core busy for a second; more of them would only wait for one another."""
FURTHER_MODELS = 8
"""Third models compared with both sides; their number is squared in strangers' cards."""
NO_TEXTS = "The texts of one of the two were not read here: they are once it is under comparison."


@dataclass(frozen=True, slots=True)
class Asker:
    """What the one who asks may do.

    Attributes:
        may_enqueue: May start a reading (no crawler, no HEAD).
        spend_new_read: Counts an unknown repo against the asker; raises when there are too many.
        waiting: Gives a context that says whether the request may be kept waiting.
        base_url: Address of this service as the asker knows it, without a trailing slash.
    """

    may_enqueue: bool
    spend_new_read: Callable[[], None]
    waiting: Callable[[], AbstractContextManager[bool]]
    base_url: str


@dataclass(frozen=True, slots=True)
class _Unreadable:
    """A commit whose weights cannot be read, and why."""

    repo: str
    revision: str
    error: CheckpointError


class Answers:
    """Answers from one instance; safe to use from many threads.

    Args:
        instance: Index, queue and settings.
    """

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._index = instance.index
        self._glance = Glance(instance.settings)
        self._comparing = threading.BoundedSemaphore(COMPARISONS_AT_ONCE)

    def coverage(self) -> Coverage:
        """Say what an answer given now rests on."""
        return coverage_of(self._index.size())

    def ready(self) -> Ready:
        """Say that the database and a worker are there.

        Raises:
            NotReadyError: One of them is not; says which.
        """
        try:
            size = self._index.size()
        except KinprintError as error:
            log.warning("%s: %s", error.code, error.message)
            raise NotReadyError("The index does not answer") from error
        if not self._instance.queue.worker_is_alive():
            raise NotReadyError(
                "No worker has been heard of lately",
                hint="Start `kinprint worker`, or `kinprint serve` without --no-worker.",
            )
        waiting = self._index.readings.queue_length()
        return Ready(models=size.models, as_of=size.as_of, waiting=waiting)

    def similar(
        self, repo: str, revision: str | None, asker: Asker, *, wait_s: float
    ) -> Similar | Pending:
        """Say whose weights these are, or that they are being read.

        Args:
            repo: Repo id, not validated yet.
            revision: Branch, tag or commit; None is the newest.
            asker: Who asks.
            wait_s: Longest wait for a reading, in seconds.

        Raises:
            KinprintError: Its code says why there is no answer.
        """
        found = self._settled(self._look_up(repo, revision, asker), asker, wait_s)
        if isinstance(found, Pending):
            return found
        if isinstance(found, _Unreadable):
            return self._insufficient(found)
        answer = similar(
            self._index,
            self._index.fingerprint(found.id),
            checked_at=clock.now(),
            evidence_base_url=asker.base_url,
        )
        return discreet_similar(answer, self._is_gated)

    def compare(self, a: str, b: str, asker: Asker, *, wait_s: float) -> Comparison | Pending:
        """Compare two repos, or say that one of them is being read.

        Args:
            a: ``owner/name[@revision]``.
            b: The same.
            asker: Who asks.
            wait_s: Longest wait for both, in seconds.

        Raises:
            KinprintError: Its code says why there is no answer.
        """
        deadline_s = time.monotonic() + wait_s
        # Both are queued before either is waited for.
        begun = [self._look_up(*_split(text), asker) for text in (a, b)]
        sides = []
        for each in begun:
            found = self._settled(each, asker, deadline_s - time.monotonic())
            if isinstance(found, Pending):
                return found
            if isinstance(found, _Unreadable):
                raise found.error
            sides.append(found)
        if not asker.may_enqueue:
            raise NotIndexedError("Comparisons are made for people, not for crawlers")
        first, second = sides
        if not self._comparing.acquire(timeout=COMPARE_WAIT_S):
            raise NotReadyError("Too many comparisons are being made", hint="Ask again soon.")
        try:
            return self._explained(first, second)
        finally:
            self._comparing.release()

    def _explained(self, first: StoredRevision, second: StoredRevision) -> Comparison:
        mine, other = (self._index.fingerprint(each.id) for each in (first, second))
        bases = (*first.declared_bases, *second.declared_bases)
        ancestors = declared_ancestors(self._index, bases)
        further = self._further(mine, other, ancestors)
        texts = [self._index.documents.of(each.id) for each in (first, second)]
        a, b = texts
        comparison = explain(
            mine,
            other,
            further,
            Beside(
                documents=(a, b) if a and b else None,
                intervals=(interval_of(self._index, mine), interval_of(self._index, other)),
                other_intervals=tuple(interval_of(self._index, each) for each in further),
                events=(
                    *seen("repo", self._index.witnesses(mine)),
                    *seen("match", self._index.witnesses(other)),
                ),
                unread=ancestors.unread,
                missing={} if a and b else dict.fromkeys(("declarations", "config"), NO_TEXTS),
            ),
        )
        return discreet_comparison(comparison)

    def _further(
        self, mine: Fingerprint, other: Fingerprint, ancestors: Ancestors
    ) -> list[Fingerprint]:
        """Third models that may explain what two share: as in a look-up, so that both say alike."""
        sides = {mine.origin.repo, other.origin.repo}
        numbers = {each.id: each.repo for each in ancestors.read[:FURTHER_MODELS]}
        for each in self._index.candidates(
            mine, limit=FURTHER_MODELS, exclude_repo=mine.origin.repo
        ):
            numbers.setdefault(each.revision_id, self._index.revision(each.revision_id).repo)
        return [
            self._index.fingerprint(number)
            for number, repo in list(numbers.items())[:FURTHER_MODELS]
            if repo not in sides
        ]

    def _is_gated(self, repo: str) -> bool:
        found = self._index.find(repo)
        return found is not None and found.visibility is Visibility.GATED

    def _insufficient(self, unreadable: _Unreadable) -> Similar:
        coverage, error = self.coverage(), unreadable.error
        return Similar(
            repo=unreadable.repo,
            revision=unreadable.revision,
            verdict=Verdict(
                relation=Relation.INSUFFICIENT,
                sentence=f"The weights of {unreadable.repo} cannot be read: nothing is claimed, in "
                "either direction.",
                reason=f"{error.message} [{error.code}]",
                coverage=coverage,
            ),
            matches=(),
            coverage=coverage,
            checked_at=clock.now(),
        )

    def _look_up(
        self, repo: str, revision: str | None, asker: Asker
    ) -> StoredRevision | _Unreadable | Reading:
        name = validate_repo_id(repo)
        if revision is not None:
            validate_revision(revision)
        # What is indexed here may be private by now, whoever asks.
        worth_asking = asker.may_enqueue or self._index.find(name) is not None
        origin = self._ask_hub(name, revision) if worth_asking else None
        if origin is None or origin.repo is None or origin.revision is None:
            return self._from_index_alone(name, revision, asker)
        stored = self._index.find(origin.repo, origin.revision)
        if stored is not None:
            return refreshed(self._instance, stored, origin)
        if not asker.may_enqueue:
            return self._from_index_alone(name, revision, asker)
        return self._request(origin.repo, origin.revision, asker)

    def _from_index_alone(self, name: str, revision: str | None, asker: Asker) -> StoredRevision:
        stored = self._index.find(name, revision)
        if stored is not None and stored.visibility is not Visibility.WITHDRAWN:
            return stored
        if stored is not None:
            raise NotPublicError(f"{name} is not public")
        if asker.may_enqueue:
            raise HubTimeoutError("The Hub does not answer, and this repo is not indexed")
        raise NotIndexedError(f"{name} has not been read here")

    def _ask_hub(self, name: str, revision: str | None) -> Origin | None:
        try:
            return self._glance.origin(name, revision)
        except (NotPublicError, RepoNotFoundError):
            if self._index.find(name) is None:
                raise
            # It was public when it was read; what it is now is not ours to tell.
            self._index.withdraw(name)
            raise NotPublicError(f"{name} is not public") from None

    def _request(self, repo: str, commit: str, asker: Asker) -> _Unreadable | Reading:
        readings = self._index.readings
        latest = readings.latest(repo, commit)
        if latest is not None:
            failure = failure_of(latest)
            if isinstance(failure, CheckpointError):
                return _Unreadable(repo, commit, failure)
            if failure is not None:
                raise failure
            if latest.state in (ReadingState.QUEUED, ReadingState.READING):
                return latest
        check_budget(self._instance)
        asker.spend_new_read()
        asked, is_new = readings.request(
            repo, commit, at=real_now(), queue_limit=self._instance.settings.queue_limit
        )
        if is_new:
            self._instance.queue.put(asked.id)
        return asked

    def _settled(
        self, found: StoredRevision | _Unreadable | Reading, asker: Asker, wait_s: float
    ) -> StoredRevision | _Unreadable | Pending:
        """Wait for a reading, if the asker wants to and may."""
        if not isinstance(found, Reading):
            return found
        reading = found
        if wait_s > 0:
            with asker.waiting() as may_wait:
                deadline_s = time.monotonic() + (wait_s if may_wait else 0)
                while not reading.finished_at and time.monotonic() < deadline_s:
                    time.sleep(POLL_S)
                    reading = self._index.readings.get(reading.id)
        if reading.state is ReadingState.DONE:
            stored = self._index.find(reading.repo, reading.revision)
            if stored is not None:
                return stored
        failure = failure_of(reading)
        if isinstance(failure, CheckpointError):
            return _Unreadable(reading.repo, reading.revision or "", failure)
        if failure is not None:
            raise failure
        return Pending(
            repo=reading.repo,
            revision=reading.revision,
            status="queued" if reading.state is ReadingState.QUEUED else "reading",
            position=self._index.readings.position(reading.id),
            coverage=self.coverage(),
        )


def _split(text: str) -> tuple[str, str | None]:
    repo, _, revision = text.partition("@")
    return repo, revision or None
