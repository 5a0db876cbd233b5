"""From a match to a relation: the rules that keep an honest author from being accused.

Common origin is claimed first (``claim.py``); what kind is the second question. Whatever looks
like training, or cannot be told from it, is at most `related` unless the child declares the
parent; `derived` without a declaration needs a difference that is mechanical.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kinprint.fingerprint.record import Depth
from kinprint.lineage import transforms
from kinprint.lineage.change import Change, change_of
from kinprint.lineage.differences import differences
from kinprint.lineage.rename_map import rename_map
from kinprint.lineage.thresholds import (
    MIN_GROUPS_FOR,
    SHARED_PART_BITS,
    WHOLE_MODEL_SHARE,
)
from kinprint.lineage.unmeasured import too_little
from kinprint.lineage.verdict import (
    Coverage,
    Direction,
    Finding,
    Relation,
    TensorPair,
    Transform,
    Verdict,
)
from kinprint.lineage.wording import name_of, sentence

if TYPE_CHECKING:
    from kinprint.lineage.claim import Claim
    from kinprint.lineage.matching import Matching


@dataclass(frozen=True)
class Circumstances:
    """What is known of a pair besides its weights.

    Attributes:
        coverage: What the answer rests on.
        by_time: Which side came from the other if one came from it, by proven time.
        by_card: The same by declaration; unknown if neither or both declare the other.
        declared: One side declares the other, directly or through its declared bases.
        declared_directly: Its own card does.
        explained_by: A third model that explains all that the two share.
        explainer_is_older: It is older than both, so a base of both.
    """

    coverage: Coverage
    by_time: Direction = Direction.UNKNOWN
    by_card: Direction = Direction.UNKNOWN
    declared: bool = False
    declared_directly: bool = False
    explained_by: str | None = None
    explainer_is_older: bool = False

    @property
    def direction(self) -> Direction:
        """Which side came from the other; unknown where time and card contradict each other."""
        if self.is_contradiction:
            return Direction.UNKNOWN
        return self.by_card if self.by_time is Direction.UNKNOWN else self.by_time

    @property
    def is_contradiction(self) -> bool:
        """The declared child came provably first."""
        return Direction.UNKNOWN not in (self.by_time, self.by_card) and (
            self.by_time is not self.by_card
        )


_SCREENED = (
    "Only a few tensors were read (a screen): what kind of relation it is, they do not tell."
)
_DIRECTED = frozenset({Relation.SAME_WEIGHTS, Relation.DERIVED, Relation.MERGED})


def judge(matching: Matching, *, n_revisions: int, circumstances: Circumstances) -> Verdict:
    """Say what is claimed of two revisions.

    Args:
        matching: The repo asked about, compared with one other revision.
        n_revisions: Revisions that were candidates in principle (1 for a plain comparison).
        circumstances: Declarations, time order and third models.
    """
    query, candidate = matching.query, matching.candidate
    claim = matching.claim(n_revisions=n_revisions)
    if not claim.holds:
        return _no_claim(matching, claim, circumstances)
    pairs = matching.accepted
    lines = rename_map(query, candidate, pairs)
    change = change_of(
        query,
        candidate,
        differences(query, candidate, pairs),
        direction=circumstances.direction,
    )
    relation, reason = _relation(matching, change, circumstances)
    shape = (
        transforms.renamed(lines),
        transforms.cast(query, candidate, pairs),
        transforms.vocab_extended(query, candidate, pairs),
    )
    # Two children of one base differ by both their changes: no figure of either can be read off.
    screened = Depth.SCREEN in (query.depth, candidate.depth)
    values = () if relation is Relation.SHARED_BASE or screened else change.transforms
    return _verdict(
        matching,
        claim,
        circumstances,
        relation=relation,
        reason=reason,
        transforms=tuple(each for each in (*shape, *values) if each is not None),
        rename_map=lines,
    )


def _no_claim(matching: Matching, claim: Claim, circumstances: Circumstances) -> Verdict:
    relation, reason = Relation.INSUFFICIENT, ""
    if claim.groups < MIN_GROUPS_FOR:
        reason = too_little(matching.query, claim.groups)
    elif claim.above_threshold:
        reason = (
            f"Too few views: only {claim.groups_for} independent tensors agree, "
            f"{MIN_GROUPS_FOR} must."
        )
    elif not len(matching.candidate_views):
        reason = too_little(matching.candidate, 0)
    else:
        relation = Relation.UNRELATED
    return _verdict(
        matching, claim, circumstances, relation=relation, reason=reason or None, related=False
    )


def _relation(
    matching: Matching, change: Change, circumstances: Circumstances
) -> tuple[Relation, str | None]:
    if Depth.SCREEN in (matching.query.depth, matching.candidate.depth):
        return Relation.RELATED, _SCREENED
    low, high = sorted((matching.query_share, matching.candidate_share))
    whole = change.untouched and low == 1.0
    if circumstances.declared_directly:
        return (Relation.SAME_WEIGHTS if whole else Relation.DERIVED), None
    if circumstances.explained_by is not None and circumstances.explainer_is_older:
        return Relation.SHARED_BASE, None
    if whole:
        return Relation.SAME_WEIGHTS, None
    if circumstances.declared:
        return Relation.DERIVED, None
    if circumstances.explained_by is not None:
        return Relation.RELATED, (
            f"All that is shared is shared with {circumstances.explained_by} as well."
        )
    if change.reason is not None:
        return Relation.RELATED, _with_unread_bases(change.reason, circumstances.coverage)
    is_part = low < WHOLE_MODEL_SHARE
    if change.is_noise and not is_part:
        return Relation.DERIVED, None
    if np.median([pair.hamming_bits for pair in matching.accepted]) > SHARED_PART_BITS:
        return Relation.RELATED, "Few tensors match, and those only from afar."
    if is_part and (change.is_noise or high == 1.0):
        return Relation.SHARES_PARTS, None
    # Children that froze most of one base, under other heads, look so.
    return Relation.RELATED, _with_unread_bases(
        "The values that match are untouched, and neither model is a small part of the other.",
        circumstances.coverage,
    )


def _with_unread_bases(reason: str, coverage: Coverage) -> str:
    if coverage.ancestors_unread:
        listed = ", ".join(sorted(coverage.ancestors_unread))
        return f"{reason} Declared bases that could not be read: {listed}."
    return f"{reason} A common base that nobody declared would look the same."


def _verdict(
    matching: Matching,
    claim: Claim,
    circumstances: Circumstances,
    *,
    relation: Relation,
    reason: str | None,
    related: bool = True,
    transforms: tuple[Transform, ...] = (),
    rename_map: tuple[TensorPair, ...] = (),
) -> Verdict:
    a, b = name_of(matching.query), name_of(matching.candidate)
    declared = circumstances.declared and related
    # The other relations are symmetric: neither side came from the other.
    direction = circumstances.direction if relation in _DIRECTED else Direction.UNKNOWN
    told_by = circumstances.by_card if declared else direction
    child = {Direction.REPO_FROM_MATCH: a, Direction.MATCH_FROM_REPO: b}.get(told_by)
    return Verdict(
        relation=relation,
        sentence=sentence(
            relation,
            a,
            b,
            share=matching.query_share if related else 0.0,
            base=circumstances.explained_by,
            child=child,
            declared=declared,
            directly=circumstances.declared_directly,
        ),
        reason=reason,
        declared=declared,
        direction=direction,
        explained_by=circumstances.explained_by if related else None,
        score=claim.score,
        ln_e=claim.ln_e,
        threshold=claim.threshold,
        mean_ln_e=max(claim.mean_ln_e, -1e9),
        groups=claim.groups,
        groups_for=claim.groups_for,
        shared_fraction=matching.query_share if related else 0.0,
        transforms=transforms,
        rename_map=rename_map,
        findings=(*_contradiction(circumstances, related=related), *_findings(matching)),
        coverage=circumstances.coverage,
    )


def _contradiction(circumstances: Circumstances, *, related: bool) -> tuple[Finding, ...]:
    if not (related and circumstances.is_contradiction):
        return ()
    return (
        Finding(
            code="contradiction",
            summary="The side that declares the other as its base was seen before the other was "
            "published; a base that was deleted and made again looks so, too.",
        ),
    )


def _findings(matching: Matching) -> tuple[Finding, ...]:
    query, candidate = matching.query, matching.candidate
    found: list[Finding] = []
    generated = [view for view in query.views if view.generated is not None]
    if generated:
        kinds = ", ".join(sorted({str(view.generated) for view in generated}))
        found.append(
            Finding(
                code="generated_tensors",
                summary=f"{len(generated)} tensors follow a formula ({kinds}) and are no evidence.",
                tensors=tuple(view.name for view in generated),
            )
        )
    known = {file.sha256 for file in candidate.files if file.sha256 is not None}
    identical = [file.path for file in query.files if file.sha256 in known]
    if identical:
        found.append(
            Finding(
                code="identical_files",
                summary=f"{len(identical)} weight files are equal byte for byte: "
                f"{', '.join(identical[:5])}{' …' if len(identical) > 5 else ''}.",
            )
        )
    return tuple(found)
