"""Compare two revisions directly, without an index."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kinprint.lineage.evidence.record import Comparison
from kinprint.lineage.matching import Matching
from kinprint.lineage.parentage import declared_direction, declares, descends
from kinprint.lineage.relation import Circumstances, judge
from kinprint.lineage.residuals import explains
from kinprint.lineage.timeline import direction_by_time
from kinprint.lineage.verdict import Coverage, Direction, Interval, Side
from kinprint.lineage.wording import name_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kinprint.fingerprint.record import Fingerprint


def compare(
    a: Fingerprint,
    b: Fingerprint,
    others: Sequence[Fingerprint] = (),
    *,
    intervals: tuple[Interval, Interval] | None = None,
    other_intervals: Sequence[Interval] = (),
    unread: Mapping[str, str] | None = None,
) -> Comparison:
    """Compare ``a`` with ``b``.

    Args:
        a: The revision asked about.
        b: The revision that it may have come from, or the other way round.
        others: Further models, such as a declared base, that may explain what the two share.
        intervals: When the weights of both existed, where an index knows.
        other_intervals: The same of each further model, where an index knows.
        unread: Declared bases that could not be read, with the reason.

    Example:
        >>> from kinprint import compare, fingerprint_of
        >>> comparison = compare(fingerprint_of("./suspect"), fingerprint_of("./known"))
        >>> comparison.verdict.sentence
        'suspect holds the same weights as known, up to rounding; only their packaging differs.'
    """
    matching = Matching(a, b)
    first = intervals or tuple(
        Interval(not_before=each.origin.created_at, repo_not_before=each.origin.created_at)
        for each in (a, b)
    )
    times = dict(zip(map(id, others), other_intervals, strict=False))
    older = [
        each
        for each in others
        if all(
            descends(side, each, others)
            or direction_by_time(interval, times.get(id(each), Interval()))
            is Direction.REPO_FROM_MATCH
            for side, interval in zip((a, b), first, strict=True)
        )
    ]
    # A base of both explains more than a relative of one: the older ones are asked first.
    asked = sorted(others, key=lambda each: not any(each is base for base in older))
    explainer = next((each for each in asked if _explains(matching, each, older)), None)
    circumstances = Circumstances(
        coverage=Coverage(
            models=1 + len(others),
            ancestors_read=tuple(
                name_of(each)
                for each in others
                if descends(a, each, others) or descends(b, each, others)
            ),
            ancestors_unread=_unread([a, b, *others], unread or {}),
        ),
        by_time=direction_by_time(*first),
        by_card=declared_direction(a, b, others),
        declared=descends(a, b, others) or descends(b, a, others),
        declared_directly=declares(a, b) or declares(b, a),
        explained_by=None if explainer is None else name_of(explainer),
        explainer_is_older=any(explainer is base for base in older),
    )
    verdict = judge(matching, n_revisions=1 + len(others), circumstances=circumstances)
    return Comparison(a=_side(a, first[0]), b=_side(b, first[1]), verdict=verdict)


def _explains(matching: Matching, base: Fingerprint, older: Sequence[Fingerprint]) -> bool:
    with_base = Matching(matching.query, base)
    return with_base.claim(n_revisions=1).holds and explains(
        matching, with_base, is_older=any(base is each for each in older)
    )


def _side(fingerprint: Fingerprint, first: Interval) -> Side:
    origin = fingerprint.origin
    return Side(
        source=origin.source,
        repo=origin.repo,
        revision=origin.revision,
        visibility=origin.visibility,
        declared_bases=origin.declared_bases,
        first=first,
    )


def _unread(members: Sequence[Fingerprint], why: Mapping[str, str]) -> dict[str, str]:
    known = {
        name.lower()
        for each in members
        for name in (each.origin.repo, *each.origin.aliases)
        if name
    }
    return {
        base: why.get(base, "not among the compared models")
        for each in members
        for base in each.origin.declared_bases
        if base.lower() not in known
    }
