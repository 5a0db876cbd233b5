"""The sentences of a model card with their lines; what is not the author's own prose is left out.

Left out: code blocks, tables (benchmarks of other models), quotations, headings, HTML blocks,
comments, pictures, what is struck out. The text of links and code spans stays: it often holds the
names of models.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from markdown_it.token import Token

PROSE_LINES = 10_000
LINE_CHARACTERS = 8_192
"""A longer line is a payload, not prose; it is blanked, since tables of it are slow to parse."""

PIECE_CHARACTERS = 2_048
"""Inline markup is parsed in pieces of this size: its worst cases are quadratic."""

PIECE_BRACKETS = 100
"""A piece with more opening brackets is a payload or a wall of badges, and is left out."""

SENTENCE_CHARACTERS = 1_000

# A full stop ends a sentence only before a blank, so that 2.4B and Qwen2.5 stay whole.
_END = re.compile(r"(?:[.!?](?=[\s\"')\]]|$)|[。！？；]|;(?=\s))")
_ABBREVIATED = re.compile(r"(?:\b(?:e\.g|i\.e|vs|cf|etc|approx|resp|al))\.$", re.I)
_STRIKES = {"s_open": 1, "s_close": -1}
_STRIKING_TAGS = {"<s>": 1, "</s>": -1, "<del>": 1, "</del>": -1}
_BLANKS = re.compile(r"\s+")


@dataclass(frozen=True)
class Sentence:
    """One sentence of a card.

    Attributes:
        text: Without markup, blanks joined.
        line: Line in the card on which it begins, from 1.
    """

    text: str
    line: int


def sentences_of(card: str, *, skip_characters: int = 0) -> tuple[Sentence, ...]:
    """Return the sentences of a card's prose, in order.

    Args:
        card: The whole text, at most `limits.CARD_BYTES` of which are read by `documents_of`.
        skip_characters: Length of the front matter.

    Returns:
        Those of the first `PROSE_LINES` lines.
    """
    first_line = card.count("\n", 0, skip_characters) + 1
    lines = card[skip_characters:].replace("\r\n", "\n").split("\n")[:PROSE_LINES]
    text = "\n".join("" if len(line) > LINE_CHARACTERS else line for line in lines)
    found: list[Sentence] = []
    for block, line in _paragraphs(_blocks().parse(text)):
        for piece, offset in _pieces(block):
            if piece.count("[") <= PIECE_BRACKETS:
                found += _sentences(_plain(piece), first_line + line + offset)
    return tuple(found)


@lru_cache(maxsize=1)
def _blocks() -> MarkdownIt:
    """A parser of blocks alone; `_plain` parses what stands in them."""
    parser = MarkdownIt("commonmark").enable("table")
    parser.core.ruler.disable("inline")
    return parser


@lru_cache(maxsize=1)
def _inline() -> MarkdownIt:
    return MarkdownIt("commonmark").enable("strikethrough")


def _paragraphs(tokens: list[Token]) -> Iterator[tuple[str, int]]:
    """Yield the raw text of each paragraph of the author's own, and its first line from 0."""
    left_out = 0
    in_heading = False
    for token in tokens:
        if token.type in ("blockquote_open", "table_open"):
            left_out += 1
        elif token.type in ("blockquote_close", "table_close"):
            left_out -= 1
        elif token.type in ("heading_open", "heading_close"):
            in_heading = token.type == "heading_open"
        elif token.type == "inline" and not left_out and not in_heading and token.map:
            yield token.content, token.map[0]


def _pieces(block: str) -> Iterator[tuple[str, int]]:
    """Cut a long paragraph at line ends, each piece with the number of lines before it."""
    piece: list[str] = []
    first = size = 0
    for number, line in enumerate(block.split("\n")):
        for start in range(0, max(len(line), 1), PIECE_CHARACTERS):
            part = line[start : start + PIECE_CHARACTERS]
            if piece and size + len(part) > PIECE_CHARACTERS:
                yield "\n".join(piece), first
                piece, size, first = [], 0, number
            piece.append(part)
            size += len(part) + 1
    yield "\n".join(piece), first


def _plain(markdown: str) -> str:
    """Return the text of inline markup; each line end of the source stays one."""
    text: list[str] = []
    struck = 0
    for token in _inline().parseInline(markdown)[0].children or ():
        struck += _STRIKES.get(token.type, 0)
        if token.type in ("text", "code_inline"):
            text.append("" if struck > 0 else token.content)
        elif token.type in ("softbreak", "hardbreak"):
            text.append("\n")
        elif token.type == "html_inline":
            struck += _STRIKING_TAGS.get(token.content.lower(), 0)
            text.append("\n" * token.content.count("\n"))
    return "".join(text)


def _sentences(text: str, line: int) -> Iterator[Sentence]:
    start = 0
    for stop in (*_ends(text), len(text)):
        raw = text[start:stop]
        begins = start + len(raw) - len(raw.lstrip())
        joined = _BLANKS.sub(" ", raw).strip()
        if joined:
            yield Sentence(joined[:SENTENCE_CHARACTERS], line + text.count("\n", 0, begins))
        start = stop


def _ends(text: str) -> Iterator[int]:
    for end in _END.finditer(text):
        if not _ABBREVIATED.search(text, max(0, end.end() - 12), end.end()):
            yield end.end()
