"""Who was first, from witnesses that the owner cannot write; otherwise nobody knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kinprint.lineage.verdict import Direction

if TYPE_CHECKING:
    from kinprint.lineage.verdict import Interval


def direction_by_time(repo: Interval, match: Interval) -> Direction:
    """Return who came first if the intervals prove it: one ends before the other begins."""
    if _is_before(match, repo):
        return Direction.REPO_FROM_MATCH
    if _is_before(repo, match):
        return Direction.MATCH_FROM_REPO
    return Direction.UNKNOWN


def _is_before(first: Interval, second: Interval) -> bool:
    return (
        first.not_after is not None
        and second.not_before is not None
        and first.not_after < second.not_before
    )
