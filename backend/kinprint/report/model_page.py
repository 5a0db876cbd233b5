"""What an instance knows of one model: its relatives, each with a way to the full comparison."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from kinprint.lineage.verdict import Relation, Side
from kinprint.report.blocks import Facts, Link, Section
from kinprint.report.pages import render
from kinprint.report.sections.limits import coverage_blocks
from kinprint.report.sections.verdict import interval_words, relation_words, tone_of
from kinprint.report.texts.language import language_of, name, plain
from kinprint.report.texts.sentences import said
from kinprint.report.texts.verdict_words import (
    TRANSFORM_WORDS,
    direction_words,
    verdict_sentence,
)

if TYPE_CHECKING:
    from datetime import datetime

    from kinprint.lineage.verdict import Match, Similar
    from kinprint.report.blocks import Rich
    from kinprint.report.texts.language import Language, LanguageCode


@dataclass(frozen=True)
class Relative:
    """One match as it is shown.

    Attributes:
        repo: Its name.
        sentence: The verdict on the two.
        relation: The claim in two words.
        tone: How it is set off.
        facts: Transforms, shares, dates.
        more: Way to the full comparison.
    """

    repo: Rich
    sentence: Rich
    relation: str
    tone: str
    facts: Facts
    more: Rich


def render_model_page(similar: Similar, *, language: LanguageCode, made_at: datetime) -> str:
    """Return the page of one model.

    Args:
        similar: The answer to "whose weights are these?".
        language: ``en`` or ``zh``.
        made_at: When the page is made (UTC).
    """
    spoken = language_of(language)
    return render(
        "model.html",
        spoken,
        made_at,
        page_title=plain(spoken.say("Kinprint: {a}", a=name(similar.repo))),
        repo=(name(similar.repo),),
        sentence=_sentence(similar, spoken),
        reason=_reason(similar, spoken),
        relatives=[_relative(similar, match, spoken) for match in similar.matches],
        coverage=Section(
            "coverage",
            spoken.word("What the answer rests on"),
            coverage_blocks(similar.coverage, spoken),
        ),
    )


def _sentence(similar: Similar, language: Language) -> Rich:
    if similar.matches:
        return language.count(
            "{n} indexed model shares weights with it.",
            "{n} indexed models share weights with it.",
            len(similar.matches),
        )
    if similar.verdict.relation is Relation.INSUFFICIENT:
        return language.say(
            "{a} holds too little to compare: nothing is claimed, in either direction.",
            a=name(similar.repo),
        )
    return language.count(
        "No relative of {a} was found among {n} model.",
        "No relative of {a} was found among {n} models.",
        similar.coverage.models,
        a=name(similar.repo),
    )


def _reason(similar: Similar, language: Language) -> Rich:
    reason = None if similar.matches else similar.verdict.reason
    return said(reason, language) if reason else ()


def _relative(similar: Similar, match: Match, language: Language) -> Relative:
    mine = Side(source=similar.repo, repo=similar.repo, revision=similar.revision)
    other = Side(source=match.repo, repo=match.repo, revision=match.revision, first=match.first)
    rows: list[tuple[str, Rich]] = [
        (
            language.word("Shared"),
            language.say(
                "{share} of the measured parameters of {a}",
                share=language.percent(match.shared_fraction),
                a=name(similar.repo),
            ),
        ),
        (
            language.word("Direction"),
            direction_words(match.direction, similar.repo, match.repo, language),
        ),
        (language.word("First published"), interval_words(match.first, language)),
    ]
    if match.transforms:
        words = language.series(
            language.word(TRANSFORM_WORDS[each.name]) for each in match.transforms
        )
        rows.insert(1, (language.word("How they differ"), words))
    query = urlencode({"a": similar.repo, "b": match.repo, "language": language.code})
    return Relative(
        repo=(name(match.repo),),
        sentence=verdict_sentence(match.verdict, mine, other, language),
        relation=relation_words(match.verdict, language),
        tone=tone_of(match.verdict),
        facts=Facts(tuple(rows)),
        more=(Link(f"/compare?{query}", language.word("The full comparison")),),
    )
