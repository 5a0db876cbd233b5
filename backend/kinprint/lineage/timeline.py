"""Who was first, from witnesses that the owner cannot write; otherwise nobody knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kinprint.lineage.verdict import Direction, Interval

if TYPE_CHECKING:
    from datetime import datetime

    from kinprint.fingerprint.record import Fingerprint
    from kinprint.index.store import Index, StoredRevision


def interval_of(index: Index, of: Fingerprint | StoredRevision) -> Interval:
    """Return what an index has witnessed of weights, as a verdict carries it."""
    return Interval(**index.interval(of)._asdict())


def direction_by_time(repo: Interval, match: Interval) -> Direction:
    """Return who came first if the intervals prove it: one ends before the other begins.

    Different weights are ordered by when either existed anywhere. The same weights in two repos
    have one interval, so there the question is whether they were first seen in one of the two,
    before the other was made; that they were seen in a third place proves nothing for either.
    """
    before = _held_before if have_same_weights(repo, match) else _existed_before
    if before(match, repo):
        return Direction.REPO_FROM_MATCH
    return Direction.MATCH_FROM_REPO if before(repo, match) else Direction.UNKNOWN


def have_same_weights(first: Interval, second: Interval) -> bool:
    """Whether both are intervals of one weight set."""
    return not set(first.weight_sets).isdisjoint(second.weight_sets)


def lower_bound(not_before: datetime | None, not_after: datetime | None) -> datetime | None:
    """Return a lower bound unless it is disproved.

    Weights that were seen before their repo was made came from elsewhere, so the making of the
    repo says nothing about them.
    """
    if not_before is None or not_after is None or not_before <= not_after:
        return not_before
    return None


def _existed_before(first: Interval, second: Interval) -> bool:
    return _ends_before(first.not_after, lower_bound(second.not_before, second.not_after))


def _held_before(first: Interval, second: Interval) -> bool:
    # Seen in a repo before that repo was made: another one bore its name then.
    if first.repo_not_before is None or lower_bound(first.repo_not_before, first.repo_not_after):
        begins = lower_bound(second.repo_not_before, second.repo_not_after)
        return _ends_before(first.repo_not_after, begins)
    return False


def _ends_before(end: datetime | None, begin: datetime | None) -> bool:
    return end is not None and begin is not None and end < begin
