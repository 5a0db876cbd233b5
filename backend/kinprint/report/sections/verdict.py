"""The head of a report: the verdict in a sentence, what it means, and who was compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from kinprint.lineage.verdict import CLAIMS, Relation
from kinprint.report.blocks import Code, Facts, Table
from kinprint.report.sections.rows import sigma, table
from kinprint.report.texts.language import name
from kinprint.report.texts.sentences import said
from kinprint.report.texts.verdict_words import (
    MEANINGS,
    RELATION_WORDS,
    direction_words,
    title_of,
    verdict_sentence,
)

if TYPE_CHECKING:
    from kinprint.lineage.evidence.record import Comparison
    from kinprint.lineage.verdict import Interval, Side, Verdict
    from kinprint.report.blocks import Rich
    from kinprint.report.texts.language import Language

_SHORT_COMMIT = 12


@dataclass(frozen=True)
class Head:
    """What a reader sees first.

    Attributes:
        sentence: The verdict.
        relation: The claim in two words.
        tone: ``declared``, ``claim`` or ``quiet``: never alarming.
        paragraphs: What it means, why no more is claimed, what it does not say.
        facts: The figures that it rests on.
        sides: The two models.
    """

    sentence: Rich
    relation: str
    tone: Literal["declared", "claim", "quiet"]
    paragraphs: tuple[Rich, ...]
    facts: Facts
    sides: Table


def head_of(comparison: Comparison, language: Language) -> Head:
    """Return the head of a report."""
    verdict, a, b = comparison.verdict, comparison.a, comparison.b
    return Head(
        sentence=verdict_sentence(verdict, a, b, language),
        relation=relation_words(verdict, language),
        tone=tone_of(verdict),
        paragraphs=_paragraphs(comparison, language),
        facts=_facts(comparison, language),
        sides=_sides(a, b, language),
    )


def relation_words(verdict: Verdict, language: Language) -> str:
    """Return the claim in two words, with whether it is declared."""
    words = language.word(RELATION_WORDS[verdict.relation])
    return f"{words} · {language.word('declared')}" if verdict.declared else words


def tone_of(verdict: Verdict) -> Literal["declared", "claim", "quiet"]:
    """Return how the claim is set off: what is declared is good news."""
    if verdict.declared:
        return "declared"
    claimed = verdict.relation in CLAIMS - {Relation.RELATED}
    return "claim" if claimed else "quiet"


def _paragraphs(comparison: Comparison, language: Language) -> tuple[Rich, ...]:
    verdict = comparison.verdict
    found: list[Rich] = [(language.word(MEANINGS[verdict.relation]),)]
    if verdict.reason:
        names = (title_of(comparison.a), title_of(comparison.b), verdict.explained_by or "")
        reason = said(verdict.reason, language, names)
        found.append(language.say("Why no more is claimed: {reason}", reason=reason))
    found.append(
        (
            language.word(
                "This is a measurement: evidence, never an accusation. It does not say who was "
                "allowed to do what, and it says who was first only where the section on time "
                "proves it."
            ),
        )
    )
    return tuple(found)


def _facts(comparison: Comparison, language: Language) -> Facts:
    verdict = comparison.verdict
    a, b = title_of(comparison.a), title_of(comparison.b)
    rows: list[tuple[str, Rich]] = [
        (
            language.word("Shared"),
            language.say(
                "{share} of the measured parameters of {a}",
                share=language.percent(verdict.shared_fraction),
                a=name(a),
            ),
        ),
        (
            language.word("Certainty"),
            language.say(
                "ln E = {ln_e}; a claim needs {threshold}",
                ln_e=language.short(verdict.ln_e),
                threshold=language.short(verdict.threshold),
            ),
        ),
        (
            language.word("Agreement"),
            language.say(
                "{groups_for} of {groups} independent groups of tensors speak for it",
                groups_for=language.integer(verdict.groups_for),
                groups=language.integer(verdict.groups),
            ),
        ),
    ]
    change = comparison.evidence.change
    if change is not None and change.sigma is not None:
        rows.append(
            (
                language.word("Size of the change"),
                language.say("σ = {sigma}", sigma=sigma(change.sigma.value, language)),
            )
        )
    if verdict.relation in CLAIMS:
        rows.append(
            (language.word("Direction"), direction_words(verdict.direction, a, b, language))
        )
    if verdict.explained_by:
        rows.append((language.word("Explained by"), (name(verdict.explained_by),)))
    return Facts(tuple(rows))


def _sides(a: Side, b: Side, language: Language) -> Table:
    columns = [
        language.word("Model"),
        language.word("Revision"),
        language.word("Declares as base"),
        language.word("First published"),
    ]
    return table(
        (language.word("The compared models"),),
        columns,
        [_side(side, language) for side in (a, b)],
    )


def _side(side: Side, language: Language) -> tuple[Rich, ...]:
    bases: Rich = ("–",)
    if side.declared_bases:
        bases = language.series(name(base) for base in side.declared_bases)
    revision = side.revision
    return (
        (name(title_of(side)),),
        (Code(revision[:_SHORT_COMMIT]) if revision else "–",),
        bases,
        interval_words(side.first, language),
    )


def interval_words(first: Interval, language: Language) -> Rich:
    """Return an interval in words."""
    after, before = first.not_before, first.not_after
    if after and before and before < after:
        # The weights were seen before their repo was made, so its age says nothing about theirs.
        after = None
    if after and before:
        return language.say(
            "between {after} and {before}", after=language.day(after), before=language.day(before)
        )
    if after:
        return language.say("not before {after}", after=language.day(after))
    if before:
        return language.say("not after {before}", before=language.day(before))
    return (language.word("unknown"),)
