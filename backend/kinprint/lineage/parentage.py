"""Who names whom as a base, by their cards alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kinprint.lineage.verdict import Direction

if TYPE_CHECKING:
    from kinprint.fingerprint.record import Fingerprint


def declares(child: Fingerprint, parent: Fingerprint) -> bool:
    """Whether the child's card names the parent's repo (or a former name of it) as a base."""
    names = {name.lower() for name in (parent.origin.repo, *parent.origin.aliases) if name}
    return not names.isdisjoint(base.lower() for base in child.origin.declared_bases)


def declared_direction(a: Fingerprint, b: Fingerprint) -> Direction:
    """Which side declares the other as its base; unknown if neither or both do."""
    if declares(a, b) == declares(b, a):
        return Direction.UNKNOWN
    return Direction.REPO_FROM_MATCH if declares(a, b) else Direction.MATCH_FROM_REPO
