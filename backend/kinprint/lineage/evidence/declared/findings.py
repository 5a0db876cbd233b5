"""Declarations that do not fit what was measured, for a person to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kinprint.lineage.evidence.declared.model_names import is_same, may_be
from kinprint.lineage.evidence.declared.parties import source_named
from kinprint.lineage.evidence.declared.patterns import PART_NAMES
from kinprint.lineage.thresholds import VOCABULARY_DIFFERS
from kinprint.lineage.verdict import CLAIMS, Finding, Relation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kinprint.lineage.evidence.declared.outcomes import Case
    from kinprint.lineage.evidence.declared.parties import KnownSource
    from kinprint.lineage.evidence.declared.patterns import Part
    from kinprint.lineage.verdict import Interval

_HIDDEN = ("adapter", "quantized")
"""Relations whose weights need not look like their base's."""


def unexplained_bases(case: Case) -> Iterator[Finding]:
    """Yield declared bases that share no weights with the model, while the other side does.

    Nothing is said of a base that was not read, nor where the card declares an adapter or a
    quantisation, whose weights need not look like their base's.
    """
    party, other, verdict = case.party, case.other, case.verdict
    front = party.front_matter.relation
    if (front.text if front else party.declared_relation) in _HIDDEN:
        return
    for base in party.bases:
        source = source_named(base, case.sources)
        if source is None or is_same(base, other.names) or _is_in_others_line(case, source):
            continue
        unrelated = source.relation_to.get(party.side) is Relation.UNRELATED
        if unrelated and verdict.relation in (Relation.SAME_WEIGHTS, Relation.DERIVED):
            yield Finding(
                code="declared_base_not_measured",
                summary=f"{party.name} declares {base} as its base, but no shared weights were "
                f"found with the revision that was read; it shares weights with {other.name}.",
            )


def predating_source(case: Case, name: str, part: Part | None) -> Finding | None:
    """Say whether a named source is provably older than what was found in its place.

    The other side must be what the party's weights came from, undeclared, and the source must
    have been published before the other began. What came with the other cannot be from the
    source then, unless the source holds it, too: so a source of weights must have been measured
    to share none, and a source of the tokenizer must have a vocabulary of clearly another size,
    while the other's fits. The other's own ancestors are never meant.

    Args:
        case: Who names the source, and what was measured.
        name: The source.
        part: What is said to come from it; None for the whole model.
    """
    party, other = case.party, case.other
    source = source_named(name, case.sources)
    if source is None or not case.comes_from_other or case.is_declared:
        return None
    if may_be(name, other.names) or _is_in_others_line(case, source):
        return None
    if not _is_before(source.first, other.first):
        return None
    if part == "tokenizer":
        found = _vocabulary_of_the_other(case, source)
    elif source.relation_to.get(party.side) is Relation.UNRELATED:
        found = f"its weights are those of {other.name}, and none of {name} were found in them"
    else:
        return None
    if found is None:
        return None
    what = "its source" if part is None else f"the source of its {PART_NAMES[part]}"
    return Finding(
        code="claimed_source_predates",
        summary=f"{party.name} names {name} as {what}; {found}. {other.name} was published after "
        f"{name}.",
    )


def _vocabulary_of_the_other(case: Case, source: KnownSource) -> str | None:
    mine, others, claimed = case.party.vocab_size, case.other.vocab_size, source.vocab_size
    if mine is None or mine != others or claimed is None:
        return None
    if abs(mine - claimed) <= VOCABULARY_DIFFERS * max(mine, claimed):
        return None
    return (
        f"its vocabulary has {mine:,} entries as that of {case.other.name}, which its weights look "
        f"derived from, and not {claimed:,}"
    )


def _is_in_others_line(case: Case, source: KnownSource) -> bool:
    """Whether the other side has the source among its bases, by its card or by its weights."""
    other = case.other
    return source.relation_to.get(other.side) in CLAIMS or any(
        may_be(base, source.names) for base in other.bases
    )


def _is_before(source: Interval, other: Interval) -> bool:
    """Whether one was provably published before the other began.

    Weights that were seen before their repo was made were elsewhere first, so nothing is proven.
    """
    if source.not_after is None or other.not_before is None:
        return False
    moved = other.not_after is not None and other.not_after < other.not_before
    return not moved and source.not_after < other.not_before
