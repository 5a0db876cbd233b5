"""Matches of a look-up that the model asked about is a mixture of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kinprint.fingerprint.record import Depth
from kinprint.lineage.merges.evidence import MAX_KIN, merge_evidence, merged_transform
from kinprint.lineage.merges.parents import merge_parents
from kinprint.lineage.timeline import direction_by_time
from kinprint.lineage.verdict import Direction, Relation
from kinprint.lineage.wording import name_of, sentence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kinprint.fingerprint.record import Fingerprint
    from kinprint.index.store import Index
    from kinprint.lineage.verdict import Interval, Match, Transform


def told_as_mixture(
    index: Index, fingerprint: Fingerprint, first: Interval, matches: Sequence[Match]
) -> list[Match]:
    """Say of the parents of a mixture that they are, with their shares.

    The statement is symmetric: a model is also the exact mixture of its own mixtures. So the
    relation becomes `merged` only where every parent was provably there before; elsewhere the
    shares are shown and the relation stays.

    Args:
        index: Where parents are looked for.
        fingerprint: The model asked about.
        first: When its weights existed.
        matches: What the look-up found, in its order.
    """
    open_matches = [each for each in matches if each.relation is Relation.RELATED or each.declared]
    if len(open_matches) < 2 or fingerprint.depth is Depth.SCREEN:
        return list(matches)
    candidates = index.candidates(fingerprint, limit=MAX_KIN, exclude_repo=fingerprint.origin.repo)
    possible = merge_parents(index, fingerprint, candidates)
    evidence = merge_evidence(fingerprint, possible.kin, possible.base)
    if evidence is None:
        return list(matches)
    parents = {name.lower() for name in evidence.parents}
    earlier = {
        each.repo.lower()
        for each in matches
        if direction_by_time(first, each.first) is Direction.REPO_FROM_MATCH
    }
    is_later = parents <= earlier
    transform = merged_transform(evidence)
    return [
        _of_parent(each, name_of(fingerprint), transform, is_later=is_later)
        if each.repo.lower() in parents
        else each
        for each in matches
    ]


def _of_parent(match: Match, name: str, transform: Transform, *, is_later: bool) -> Match:
    transforms = (*match.transforms, transform)
    changed: dict[str, object] = {"transforms": transforms}
    if is_later and match.relation is Relation.RELATED:
        changed |= {
            "relation": Relation.MERGED,
            "direction": Direction.REPO_FROM_MATCH,
        }
        words = {"sentence": sentence(Relation.MERGED, name, match.repo), "reason": None}
    else:
        words = {}
    verdict = match.verdict.model_copy(update={**changed, **words})
    return match.model_copy(update={**changed, "verdict": verdict})
