"""Who was first, from witnesses that the owner cannot write; otherwise nobody knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kinprint.lineage.verdict import Direction

if TYPE_CHECKING:
    from kinprint.lineage.verdict import Interval


def direction_by_time(repo: Interval, match: Interval) -> Direction:
    """Return who came first if the intervals prove it: one ends before the other begins.

    Weights that were seen elsewhere before their repo was made have an interval that ends before
    it begins; with two of those both orders seem proven, and neither is.
    """
    match_first, repo_first = _is_before(match, repo), _is_before(repo, match)
    if match_first == repo_first:
        return Direction.UNKNOWN
    return Direction.REPO_FROM_MATCH if match_first else Direction.MATCH_FROM_REPO


def _is_before(first: Interval, second: Interval) -> bool:
    return (
        first.not_after is not None
        and second.not_before is not None
        and first.not_after < second.not_before
    )
