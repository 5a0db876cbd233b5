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
from kinprint.report.texts.language import name, set_apart
from kinprint.report.texts.shapes import ANY_TEXT, NAME, NUMBER, PARTS, PLACES, RELATIONS, SHAPES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kinprint.report.blocks import Rich, Run
    from kinprint.report.texts.language import Language

MAX_TRANSLATED_CHARACTERS = 2_000
"""Longer text is not searched for known shapes: nothing of lineage's own is."""


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
        values = {place: _value(place, text, language) for place, text in match.groupdict().items()}
        runs.extend(language.say(message, **values))
        rest = rest[match.end() :].strip()
    return tuple(runs)


def is_translated(text: Rich) -> bool:
    """Return whether nothing in a text was left in another language."""
    return not any(isinstance(run, Original) for run in text)


def _value(place: str, text: str, language: Language) -> Run:
    if place == "part":
        return language.word(PARTS[text])
    if place == "relation":
        return language.word(RELATIONS[text])
    return name(text) if PLACES.get(place) in (NAME, ANY_TEXT) else text


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
    known: set[str] = set()
    for literal, place, _, _ in Formatter().parse(message):
        expression += re.escape(literal)
        if place is None:
            continue
        # A place named twice holds the same text twice.
        again = place in known
        expression += f"(?P={place})" if again else f"(?P<{place}>{PLACES.get(place, NUMBER)})"
        known.add(place)
    return re.compile(expression + r"(?=\s|$)")
