"""Who names whom as a base, by their cards alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kinprint.lineage.verdict import Direction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kinprint.fingerprint.record import Fingerprint


def declares(child: Fingerprint, parent: Fingerprint) -> bool:
    """Whether the child's card names the parent's repo (or a former name of it) as a base."""
    names = {name.lower() for name in (parent.origin.repo, *parent.origin.aliases) if name}
    return not names.isdisjoint(base.lower() for base in child.origin.declared_bases)


def descends(child: Fingerprint, ancestor: Fingerprint, members: Sequence[Fingerprint]) -> bool:
    """Whether cards lead from the child to the ancestor, directly or from member to member."""
    reached: list[Fingerprint] = []
    level = [child]
    while level:
        if any(declares(each, ancestor) for each in level):
            return True
        reached += level
        level = [
            each
            for each in members
            if not any(each is known for known in reached)
            and any(declares(below, each) for below in level)
        ]
    return False


def declared_direction(
    a: Fingerprint, b: Fingerprint, members: Sequence[Fingerprint] = ()
) -> Direction:
    """Which side descends from the other by its cards; unknown if neither or both do.

    Args:
        a: The repo asked about.
        b: The match.
        members: Further models, through whose cards the way may lead.
    """
    upwards, downwards = descends(a, b, members), descends(b, a, members)
    if upwards == downwards:
        return Direction.UNKNOWN
    return Direction.REPO_FROM_MATCH if upwards else Direction.MATCH_FROM_REPO
