"""Statements about a model's making in the prose of its card: listed patterns, no guessing.

A sentence that negates, compares, offers or speaks of others is passed over; one whose subject is
not plainly this model as a whole is kept as such, and decides nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kinprint.lineage.evidence.declared.model_names import (
    is_model_name,
    is_same,
    model_names_in,
    trimmed,
)
from kinprint.lineage.evidence.declared.patterns import (
    AGENT_CHARACTERS,
    ANY_SIZE,
    LABEL,
    NEXT_NAME,
    OTHER_AGENT,
    OTHER_SIZE,
    OTHER_SUBJECT,
    PARTS,
    PASSED_OVER,
    PATTERNS,
    SELF,
    TRIGGER,
    UNITS,
    WHOLE_MODEL,
    Code,
    Part,
    Pattern,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kinprint.lineage.evidence.declared.prose import Sentence

STATEMENTS = 200
"""Statements of one card that are looked at."""

LISTED_NAMES = 5
"""Further sources that one list may name."""

_PART_OF = {part: re.compile(expression, re.IGNORECASE) for part, expression in PARTS.items()}
# What is trained may be named after the phrase: "trained from scratch a tokenizer".
_REST_OF_CLAUSE = re.compile(r"(?:(?! (?:on|with|using|over|by|in) )[^,;，。；]){0,60}")


@dataclass(frozen=True)
class Statement:
    """One statement of a card.

    Attributes:
        code: Which claim it makes.
        sentence: Where it stands.
        is_own: It plainly speaks of this model as a whole.
        name: Of the source that it names.
        part: What came from that source; None for the whole model.
        parameters: The size that it claims.
    """

    code: Code
    sentence: Sentence
    is_own: bool
    name: str | None = None
    part: Part | None = None
    parameters: float | None = None


def statements_in(sentences: Sequence[Sentence], own_names: Sequence[str]) -> tuple[Statement, ...]:
    """Find the statements of a card, at most `STATEMENTS`.

    Args:
        sentences: Its prose.
        own_names: Ids of the model whose card it is.
    """
    found: dict[Statement, None] = {}
    for sentence in sentences:
        if not TRIGGER.search(sentence.text) or PASSED_OVER.search(sentence.text):
            continue
        found |= dict.fromkeys(_in(sentence, own_names))
        if len(found) >= STATEMENTS:
            break
    return tuple(found)[:STATEMENTS]


def sizes_in(text: str) -> frozenset[float]:
    """Return every number of parameters that a text mentions, of whatever model."""
    return frozenset(
        float(found["size"]) * UNITS[found["unit"].lower()] for found in ANY_SIZE.finditer(text)
    )


def _in(sentence: Sentence, own_names: Sequence[str]) -> Iterator[Statement]:
    matches = [
        (pattern, match)
        for pattern in PATTERNS
        for match in pattern.expression.finditer(sentence.text)
    ]
    names_base = any(_base_name(pattern, match) for pattern, match in matches)
    for pattern, match in matches:
        is_own = _is_own(sentence.text, match, own_names)
        match pattern.code:
            case "based_on" | "part_source":
                part = _part(match["part"]) if pattern.code == "part_source" else None
                for name in _names(pattern, match):
                    if is_model_name(name) and not is_same(name, own_names):
                        yield Statement(pattern.code, sentence, is_own, name=name, part=part)
            case "parameter_size":
                if is_own and not OTHER_SIZE.search(sentence.text, 0, match.end() + 20):
                    yield Statement(pattern.code, sentence, is_own, parameters=_size(match))
            case _:
                is_whole = not names_base and _is_whole(sentence.text, match, own_names)
                yield Statement(pattern.code, sentence, is_own and is_whole)


def _names(pattern: Pattern, match: re.Match[str]) -> Iterator[str]:
    """Yield the sources that a match names; of a base, those listed after it as well."""
    yield trimmed(match["name"])
    following = NEXT_NAME.match(match.string, match.end("name"))
    for _ in range(LISTED_NAMES):
        if pattern.code != "based_on" or following is None:
            return
        yield trimmed(following["name"])
        following = NEXT_NAME.match(match.string, following.end())


def _base_name(pattern: Pattern, match: re.Match[str]) -> bool:
    return pattern.code == "based_on" and is_model_name(trimmed(match["name"]))


def _is_own(text: str, match: re.Match[str], own_names: Sequence[str]) -> bool:
    """Whether what stands before a match names this model, and no other, as its subject."""
    before = text[: match.start()]
    named = model_names_in(before)
    if any(not is_same(name, own_names) for name in named):
        return False
    return bool(named) or bool(SELF.search(text[: match.end()])) or bool(LABEL.fullmatch(before))


def _is_whole(text: str, match: re.Match[str], own_names: Sequence[str]) -> bool:
    """Whether a claim is about the whole model: a part, or a sister, may be new where it is not."""
    rest = _REST_OF_CLAUSE.match(text, match.end())
    clause = text[: match.end() if rest is None else rest.end()]
    if OTHER_SUBJECT.search(WHOLE_MODEL.sub("", clause)):
        return False
    if OTHER_AGENT.search(text, 0, match.end() + AGENT_CHARACTERS):
        return False
    return all(is_same(name, own_names) for name in model_names_in(clause))


def _part(text: str) -> Part:
    return next(part for part, expression in _PART_OF.items() if expression.fullmatch(text))


def _size(match: re.Match[str]) -> float:
    groups = match.groupdict()
    size = groups["size"] or groups["size2"]
    unit = groups["unit"] or groups["unit2"]
    return float(size) * UNITS[unit.lower()]
