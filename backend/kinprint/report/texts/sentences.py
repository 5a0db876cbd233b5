"""Sentences that lineage writes in English, said in the language of the report.

Where a record holds the figures behind a sentence, the section says it again from those. What is
left are reasons and doubts: they are recognised by the shapes below. A sentence of no known shape
stays in English, marked as such.
"""

from __future__ import annotations

import re
from functools import cache
from string import Formatter
from typing import TYPE_CHECKING

from kinprint.report.blocks import Original
from kinprint.report.texts.language import N_, name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kinprint.report.blocks import Rich, Run
    from kinprint.report.texts.language import Language

SHAPES = (
    N_("No tensor of the repo is large enough to be evidence."),
    N_("No tensor of the match is large enough to be evidence."),
    N_("Too few views: the repo has {count} independent evidence tensors, {needed} must agree."),
    N_("Too few views: only {count} independent tensors agree, {needed} must."),
    N_("Too few views: {count} independent evidence tensors, {needed} are needed."),
    N_("All that is shared is shared with {name} as well."),
    N_("Few tensors match, and those only from afar."),
    N_("Declared bases that could not be read: {names}."),
    N_("A common base that nobody declared would look the same."),
    N_(
        "The values differ by less than their number format resolves, but not as rounding alone "
        "would leave them: noise cannot be told from training."
    ),
    N_("The difference looks like training (z = {z})."),
    N_("Quantisation can hide a light training."),
    N_("Pruning can hide a light training."),
    N_("Only {count} changed blocks; noise is told from training from {needed} on."),
    N_("The change is no larger than what rounding can leave."),
    N_(
        "The size of the change may follow the tensors, as that of a quantiser does, and "
        "quantisation can hide a light training."
    ),
    N_(
        "The later side is not the earlier one plus little noise (c = {gain} and {reverse}, "
        "cosine {cosine}): two trainings from one start and merges look so."
    ),
    N_(
        "The index holds only {count} model, so nothing found says little: run "
        "`kinprint index bootstrap`."
    ),
    N_(
        "The index holds only {count} models, so nothing found says little: run "
        "`kinprint index bootstrap`."
    ),
    N_("not among the compared models"),
    N_("it was never asked for"),
    N_("it is not public, or there is no such repo"),
    N_("it could not be read"),
    N_("it was read, but could not be stored"),
    N_("it waits to be read"),
)
"""What lineage may write; a place takes a number, or a name where it is called so."""

MAX_TRANSLATED_CHARACTERS = 2_000
"""Longer text is not searched for known shapes: nothing of lineage's own is."""

_NAME_PLACES = frozenset({"name", "names"})


def said(text: str, language: Language, names: Iterable[str] = ()) -> Rich:
    """Return a text of lineage in the language of the report.

    Args:
        text: One or more sentences in English.
        language: Of the report.
        names: Names that may stand in it, to be set apart where it stays in English.
    """
    if language.code == "en":
        return set_apart(text, names)
    if len(text) > MAX_TRANSLATED_CHARACTERS:
        return (Original(text),)
    runs: list[Run] = []
    rest = text.strip()
    while rest:
        found = _first_shape(rest)
        if found is None:
            runs.append(Original(rest))
            break
        message, match = found
        values: dict[str, Run | Rich] = {
            place: name(value) if place in _NAME_PLACES else value
            for place, value in match.groupdict().items()
        }
        runs.extend(language.say(message, **values))
        rest = rest[match.end() :].strip()
    return tuple(runs)


def set_apart(text: str, names: Iterable[str]) -> Rich:
    """Return a sentence with the names in it set apart from its words."""
    known = sorted({each for each in names if each}, key=len, reverse=True)
    if not known:
        return (text,)
    parts = re.split("(" + "|".join(re.escape(each) for each in known) + ")", text)
    return tuple(name(part) if number % 2 else part for number, part in enumerate(parts) if part)


def _first_shape(text: str) -> tuple[str, re.Match[str]] | None:
    for message, pattern in _patterns():
        match = pattern.match(text)
        if match is not None:
            return message, match
    return None


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((message, _pattern(message)) for message in SHAPES)


def _pattern(message: str) -> re.Pattern[str]:
    expression = ""
    for literal, place, _, _ in Formatter().parse(message):
        expression += re.escape(literal)
        if place is not None:
            # At most one place for a name a shape, so that no text makes the search slow.
            kind = ".+?" if place in _NAME_PLACES else r"[-+0-9.,eE/]+"
            expression += f"(?P<{place}>{kind})"
    return re.compile(expression + r"(?=\s|$)")
