"""Whose weights are these? A look-up in the index, judged pair by pair."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from kinprint.lineage.ancestors import Ancestors, declared_ancestors
from kinprint.lineage.coverage import coverage_of
from kinprint.lineage.evasion import evasion_finding
from kinprint.lineage.matching import Matching, view_groups
from kinprint.lineage.merges.matches import told_as_mixture
from kinprint.lineage.relation import Circumstances, judge
from kinprint.lineage.residuals import explains
from kinprint.lineage.thresholds import LN_E_CLAIM, MIN_GROUPS_FOR
from kinprint.lineage.timeline import direction_by_time, interval_of
from kinprint.lineage.unmeasured import too_little
from kinprint.lineage.verdict import (
    Coverage,
    Direction,
    Finding,
    Interval,
    Match,
    Relation,
    Similar,
    Verdict,
)
from kinprint.lineage.wording import name_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from kinprint.fingerprint.record import Fingerprint
    from kinprint.index.store import Index, IndexSize, StoredRevision

HIDING_RELATIONS = ("adapter", "quantized")
"""Declared relations whose weights need not look like their base's."""

_EXPLAINERS = 8
"""Third models tried for each match: the declared ancestors and the best-scoring matches."""

_FIRST = (
    Relation.SAME_WEIGHTS,
    Relation.DERIVED,
    Relation.MERGED,
    Relation.SHARES_PARTS,
    Relation.SHARED_BASE,
    Relation.RELATED,
)
_UPSTREAM = (Direction.REPO_FROM_MATCH, Direction.UNKNOWN, Direction.MATCH_FROM_REPO)


@dataclass(frozen=True)
class _Kin:
    """An indexed revision with a claimed match, before its relation is judged."""

    revision: StoredRevision
    matching: Matching
    ancestors: Ancestors
    first: Interval


@dataclass(frozen=True)
class _LookUp:
    """All that the judgement of one match draws on."""

    index: Index
    fingerprint: Fingerprint
    first: Interval
    ancestors: Ancestors
    size: IndexSize
    kin: Sequence[_Kin]
    evidence_base_url: str


def similar(
    index: Index, fingerprint: Fingerprint, *, checked_at: datetime, evidence_base_url: str
) -> Similar:
    """Look a model up and judge every indexed model that shares weights with it.

    Args:
        index: The index to look in.
        fingerprint: The model asked about, whether or not it is indexed itself.
        checked_at: Time of the answer (UTC).
        evidence_base_url: Address of this service, without a trailing slash.

    Returns:
        The matches, nearest ancestor first, and the verdict of the first of them.

    Example:
        >>> from datetime import UTC, datetime
        >>> from kinprint import Index, fingerprint_of, similar
        >>> with Index.open("sqlite:///kinprint.db") as index:
        ...     answer = similar(
        ...         index,
        ...         fingerprint_of("./suspect"),
        ...         checked_at=datetime.now(UTC),
        ...         evidence_base_url="http://127.0.0.1:8765",
        ...     )
        >>> answer.verdict.sentence
        'No relative of suspect was found among 0 models.'
    """
    size = index.size()
    origin = fingerprint.origin
    ancestors = declared_ancestors(index, origin.declared_bases, own_names=_names(fingerprint))
    kin = _claimed(index, fingerprint, ancestors, size)
    mine = interval_of(index, fingerprint)
    look_up = _LookUp(index, fingerprint, mine, ancestors, size, kin, evidence_base_url)
    judged = [_match(each, look_up) for each in kin]
    matches = told_as_mixture(index, fingerprint, mine, judged)
    matches.sort(key=_nearest_ancestor_first)
    coverage = coverage_of(size, ancestors)
    verdict = matches[0].verdict if matches else _nothing_found(fingerprint, size, coverage)
    return Similar(
        repo=name_of(fingerprint),
        revision=origin.revision,
        verdict=_with_finding(verdict, _unmeasured_bases(fingerprint, verdict, ancestors, kin)),
        matches=tuple(matches),
        coverage=coverage,
        checked_at=checked_at,
    )


def _claimed(
    index: Index, fingerprint: Fingerprint, ancestors: Ancestors, size: IndexSize
) -> list[_Kin]:
    revisions = {each.id: each for each in ancestors.read}
    for candidate in index.candidates(fingerprint, exclude_repo=fingerprint.origin.repo):
        revisions.setdefault(candidate.revision_id, index.revision(candidate.revision_id))
    kin = []
    for revision in revisions.values():
        if revision.repo.lower() in _names(fingerprint):
            continue
        matching = Matching(fingerprint, index.fingerprint(revision.id))
        if matching.claim(n_revisions=size.revisions).holds:
            kin.append(
                _Kin(
                    revision=revision,
                    matching=matching,
                    ancestors=declared_ancestors(
                        index, revision.declared_bases, own_names=[revision.repo]
                    ),
                    first=interval_of(index, matching.candidate),
                )
            )
    return kin


def _match(each: _Kin, look_up: _LookUp) -> Match:
    fingerprint, ancestors = look_up.fingerprint, look_up.ancestors
    upwards = each.revision.repo in ancestors.repos
    downwards = not _names(fingerprint).isdisjoint(
        base.lower() for base in (*each.revision.declared_bases, *each.ancestors.repos)
    )
    directly = each.revision.repo in {base.repo for base in ancestors.read[: ancestors.direct]}
    directly |= not _names(fingerprint).isdisjoint(
        base.lower() for base in each.revision.declared_bases
    )
    by_card = Direction.UNKNOWN
    if upwards != downwards:
        by_card = Direction.REPO_FROM_MATCH if upwards else Direction.MATCH_FROM_REPO
    explainer = _explainer(each, look_up)
    both = Ancestors(
        read=(*ancestors.read, *each.ancestors.read),
        direct=ancestors.direct,
        unread={**ancestors.unread, **each.ancestors.unread},
    )
    verdict = judge(
        each.matching,
        n_revisions=look_up.size.revisions,
        circumstances=Circumstances(
            coverage=coverage_of(look_up.size, both),
            by_time=direction_by_time(look_up.first, each.first),
            by_card=by_card,
            declared=upwards or downwards,
            declared_directly=directly,
            explained_by=None if explainer is None else explainer.revision.repo,
            explainer_is_older=explainer is not None and _is_older(explainer, each, look_up),
        ),
    )
    verdict = _with_finding(verdict, _evasion(each, look_up))
    sides = {
        "a": _at(name_of(fingerprint), fingerprint.origin.revision),
        "b": _at(each.revision.repo, each.revision.revision),
    }
    return Match(
        repo=each.revision.repo,
        revision=each.revision.revision,
        relation=verdict.relation,
        transforms=verdict.transforms,
        direction=verdict.direction,
        score=verdict.score,
        shared_fraction=verdict.shared_fraction,
        first=each.first,
        declared=verdict.declared,
        explained_by=verdict.explained_by,
        evidence_url=f"{look_up.evidence_base_url}/compare?{urlencode(sides)}",
        verdict=verdict,
    )


def _at(repo: str, revision: str | None) -> str:
    return f"{repo}@{revision}" if revision else repo


def _evasion(each: _Kin, look_up: _LookUp) -> Finding | None:
    """What the secret hashes say, where both sides were read under one key."""
    origin = look_up.fingerprint.origin
    me = None if origin.repo is None else look_up.index.find(origin.repo, origin.revision)
    if me is None:
        return None
    own = {
        (probe.block, probe.key_id): probe for probe in look_up.index.probes.of(each.revision.id)
    }
    partners = [
        (partner.probe, own[partner.of_block, partner.probe.key_id])
        for partner in look_up.index.probes.partners(me.id, each.revision.id)
        if (partner.of_block, partner.probe.key_id) in own
    ]
    return evasion_finding(each.matching, partners)


def _with_finding(verdict: Verdict, finding: Finding | None) -> Verdict:
    if finding is None:
        return verdict
    return verdict.model_copy(update={"findings": (*verdict.findings, finding)})


def _names(fingerprint: Fingerprint) -> frozenset[str]:
    """All ids of the repo asked about, in lower case."""
    origin = fingerprint.origin
    return frozenset(name.lower() for name in (origin.repo, *origin.aliases) if name)


def _explainer(each: _Kin, look_up: _LookUp) -> _Kin | None:
    """The third model that explains what is shared: one older than both if there is any."""
    others = sorted(
        (
            (not _is_older(other, each, look_up), -other.matching.query_share, number, other)
            for number, other in enumerate(look_up.kin)
            if other.revision.repo != each.revision.repo
        ),
    )
    return next(
        (
            other
            for younger, _, _, other in others[:_EXPLAINERS]
            if explains(each.matching, other.matching, is_older=not younger)
        ),
        None,
    )


def _is_older(base: _Kin, each: _Kin, look_up: _LookUp) -> bool:
    """Whether a third model is older than both: each declares it, or came provably after it."""
    of_match = base.revision.repo in each.ancestors.repos or (
        direction_by_time(each.first, base.first) is Direction.REPO_FROM_MATCH
    )
    of_query = base.revision.repo in look_up.ancestors.repos or (
        direction_by_time(look_up.first, base.first) is Direction.REPO_FROM_MATCH
    )
    return of_match and of_query


def _nearest_ancestor_first(match: Match) -> tuple[int, int, float]:
    return (_UPSTREAM.index(match.direction), _FIRST.index(match.relation), -match.score)


def _nothing_found(fingerprint: Fingerprint, size: IndexSize, coverage: Coverage) -> Verdict:
    groups = len(set(view_groups(fingerprint).tolist()))
    name = name_of(fingerprint)
    threshold = LN_E_CLAIM
    if groups < MIN_GROUPS_FOR:
        return Verdict(
            relation=Relation.INSUFFICIENT,
            sentence=f"{name} holds too little to compare: nothing is claimed, in either "
            "direction.",
            reason=too_little(fingerprint, groups),
            threshold=threshold,
            groups=groups,
            coverage=coverage,
        )
    counted = "1 model" if size.models == 1 else f"{size.models:,} models"
    return Verdict(
        relation=Relation.UNRELATED,
        sentence=f"No relative of {name} was found among {counted}.",
        threshold=threshold,
        groups=groups,
        coverage=coverage,
    )


def _unmeasured_bases(
    fingerprint: Fingerprint, verdict: Verdict, ancestors: Ancestors, kin: Sequence[_Kin]
) -> Finding | None:
    if fingerprint.origin.declared_relation in HIDING_RELATIONS:
        return None
    if verdict.relation is Relation.INSUFFICIENT:
        return None
    found = {each.revision.repo for each in kin}
    direct = ancestors.read[: ancestors.direct]
    missing = [f"{each.repo}@{each.revision[:8]}" for each in direct if each.repo not in found]
    if not missing:
        return None
    return Finding(
        code="declared_base_not_measured",
        summary="Declared as a base, but no shared weights were found with the revision read here: "
        f"{', '.join(missing)}. Another revision may share them.",
    )
