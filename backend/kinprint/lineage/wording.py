"""Sentences of a verdict, for readers outside the field: evidence, never an accusation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kinprint.lineage.verdict import Relation

if TYPE_CHECKING:
    from kinprint.fingerprint.record import Fingerprint

_SENTENCES = {
    Relation.SAME_WEIGHTS: "{a} holds the same weights as {b}, up to rounding; only their "
    "packaging differs.",
    Relation.DERIVED: "{a} and {b} hold one set of weights, changed afterwards in one of them "
    "or in both.",
    Relation.MERGED: "{a} is a mixture that contains {b}.",
    Relation.SHARES_PARTS: "{a} and {b} share whole parts ({share:.0%} of {a}), not the rest.",
    Relation.SHARED_BASE: "What {a} and {b} share, both have from {base}.",
    Relation.RELATED: "{a} and {b} have a common origin; which came from which, or whether both "
    "came from a third model, the weights do not tell.",
    Relation.UNRELATED: "No common origin of {a} and {b} was found.",
    Relation.INSUFFICIENT: "There is too little to compare between {a} and {b}: nothing is "
    "claimed, in either direction.",
}

_DERIVED_FROM = "{child} looks derived from {parent}."
_DECLARED = "{child} declares {parent} as its base, and its weights confirm it."
_THROUGH = "{child} declares {parent} through its bases, and its weights confirm it."


def sentence(
    relation: Relation,
    a: str,
    b: str,
    *,
    share: float = 0.0,
    base: str | None = None,
    child: str | None = None,
    declared: bool = False,
    directly: bool = False,
) -> str:
    """Return the verdict in a sentence.

    Args:
        relation: The claim.
        a: Name of the repo asked about.
        b: Name of the match.
        share: Share of the repo that matched, for `shares_parts`.
        base: The older third model, for `shared_base`.
        child: Whichever of ``a`` and ``b`` came from the other, where that is known.
        declared: The child declares the parent.
        directly: Its own card does, not only those of its bases.
    """
    if relation is Relation.DERIVED and child is not None:
        confirmed = _DECLARED if directly else _THROUGH
        template = confirmed if declared else _DERIVED_FROM
        return template.format(child=child, parent=b if child == a else a)
    return _SENTENCES[relation].format(a=a, b=b, share=share, base=base)


def name_of(fingerprint: Fingerprint) -> str:
    """What to call a revision in a sentence: its repo, or the source that was named."""
    return fingerprint.origin.repo or fingerprint.origin.source
