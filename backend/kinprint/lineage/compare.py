"""Compare two revisions directly, without an index."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kinprint.lineage.evidence.record import Comparison
from kinprint.lineage.matching import Matching
from kinprint.lineage.parentage import declared_direction, declares
from kinprint.lineage.relation import Circumstances, judge
from kinprint.lineage.residuals import explains
from kinprint.lineage.verdict import Coverage, Interval, Side

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kinprint.fingerprint.record import Fingerprint


def compare(a: Fingerprint, b: Fingerprint, others: Sequence[Fingerprint] = ()) -> Comparison:
    """Compare ``a`` with ``b``.

    Args:
        a: The revision asked about.
        b: The revision that it may have come from, or the other way round.
        others: Further models, such as a declared base, that may explain what the two share.

    Example:
        >>> from kinprint import compare, fingerprint_of
        >>> comparison = compare(fingerprint_of("./suspect"), fingerprint_of("./known"))
        >>> comparison.verdict.sentence
        'suspect holds the same weights as known, up to rounding; only their packaging differs.'
    """
    matching = Matching(a, b)
    declared = declares(a, b) or declares(b, a)
    explainer = next((each for each in others if _explains(matching, each)), None)
    circumstances = Circumstances(
        coverage=Coverage(
            models=1 + len(others), ancestors_unread=_unread([a, b], [a, b, *others])
        ),
        by_card=declared_direction(a, b),
        declared=declared,
        declared_directly=declared,
        explained_by=None
        if explainer is None
        else explainer.origin.repo or explainer.origin.source,
        explainer_is_older=explainer is not None and _is_base_of_both(explainer, matching),
    )
    verdict = judge(matching, n_revisions=1 + len(others), circumstances=circumstances)
    return Comparison(a=side(a), b=side(b), verdict=verdict)


def _explains(matching: Matching, base: Fingerprint) -> bool:
    with_base = Matching(matching.query, base)
    return with_base.claim(n_revisions=1).holds and explains(
        matching, with_base, is_older=_is_base_of_both(base, matching)
    )


def _is_base_of_both(base: Fingerprint, matching: Matching) -> bool:
    return declares(matching.query, base) and declares(matching.candidate, base)


def side(fingerprint: Fingerprint, first: Interval | None = None) -> Side:
    """Describe one side; without an index its creation date is the only bound."""
    origin = fingerprint.origin
    return Side(
        source=origin.source,
        repo=origin.repo,
        revision=origin.revision,
        visibility=origin.visibility,
        declared_bases=origin.declared_bases,
        first=first or Interval(not_before=origin.created_at),
    )


def _unread(declaring: Sequence[Fingerprint], read: Sequence[Fingerprint]) -> dict[str, str]:
    known = {
        name.lower() for each in read for name in (each.origin.repo, *each.origin.aliases) if name
    }
    return {
        base: "not among the compared models"
        for each in declaring
        for base in each.origin.declared_bases
        if base.lower() not in known
    }
