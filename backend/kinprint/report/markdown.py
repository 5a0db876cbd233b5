"""The report as GitHub-flavoured Markdown: the same content, without the drawings.

Names become code spans, in which nothing is markup, a mention or a reference. In
everything else markup is escaped, so that no sentence can start a heading, a link or a tag.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kinprint.report.blocks import (
    Code,
    Commands,
    Facts,
    Link,
    Listing,
    Paragraph,
    Plot,
    Table,
)
from kinprint.report.report import report_of
from kinprint.report.texts.language import language_of
from kinprint.report.texts.visible import visible

if TYPE_CHECKING:
    from kinprint.lineage.evidence.record import Comparison
    from kinprint.report.blocks import Block, Rich, Run
    from kinprint.report.texts.language import Language, LanguageCode

MAX_TEXT = 4_000
"""Longest text that is shown of one run."""

_MARKUP = re.compile(r"([\\`*_\[\]<>|~&@#$])")
_LINKS = re.compile(r"(?=://)|(?<=www)(?=\.)", re.IGNORECASE)
_LINE_STARTS = re.compile(r"^(\d*)([-+.)])(?=[-\s]|$)")
_REFERENCES = re.compile(r"(?<=[@#])(?=\w)|(?<=\bGH)(?=-\d)")
_WORD_JOINER = "\u2060"
_BAR = "⟨U+007C⟩"
_BACKTICKS = re.compile(r"`+")


def render_markdown(comparison: Comparison, language: LanguageCode) -> str:
    """Return the report as Markdown.

    Args:
        comparison: Whatever sections it has; the others say why they are missing.
        language: ``en`` or ``zh``.
    """
    spoken = language_of(language)
    report = report_of(comparison, spoken)
    head = report.head
    parts = [
        f"# {markdown(head.sentence)}",
        f"**{escaped(head.relation)}**",
        *(markdown(paragraph) for paragraph in head.paragraphs),
        _facts(head.facts),
        _table(head.sides, spoken),
    ]
    for section in report.sections:
        parts.append(f"## {escaped(section.title)}")
        parts += [_block(block, spoken) for block in section.blocks]
    return "\n\n".join(part for part in parts if part) + "\n"


def markdown(text: Rich, *, in_table: bool = False) -> str:
    """Return text as Markdown on one line, names as code spans."""
    return "".join(_run(run, in_table=in_table) for run in text)


def escaped(text: str) -> str:
    """Return words of which nothing is markup, and nothing a link, a mention or a reference."""
    shown = _REFERENCES.sub(_WORD_JOINER, visible(text, MAX_TEXT))
    marked = _LINE_STARTS.sub(r"\1\\\2", _MARKUP.sub(r"\\\1", shown))
    return _LINKS.sub(r"\\", marked)


def code_span(text: str, *, in_table: bool = False) -> str:
    """Return a code span that ends where it should.

    Args:
        text: What it shows.
        in_table: Renderers do not agree how a bar in a cell's code is escaped, so there is none.
    """
    shown = visible(text, MAX_TEXT) or " "
    if in_table:
        shown = shown.replace("|", _BAR)
    fence = _fence(shown)
    # A space that the renderer takes off again keeps backticks and spaces at the ends.
    padding = " " if shown[0] in "` " or shown[-1] in "` " else ""
    return f"{fence}{padding}{shown}{padding}{fence}"


def _fence(text: str, least: int = 1) -> str:
    longest = max(map(len, _BACKTICKS.findall(text)), default=0)
    return "`" * max(least, longest + 1)


def _run(run: Run, *, in_table: bool) -> str:
    if isinstance(run, Code):
        return code_span(run.text, in_table=in_table)
    if isinstance(run, Link):
        return f"[{escaped(run.text)}](<{run.target}>)"
    return escaped(run if isinstance(run, str) else run.text)


def _block(block: Block, language: Language) -> str:
    if isinstance(block, Paragraph):
        return markdown(block.text)
    if isinstance(block, Facts):
        return _facts(block)
    if isinstance(block, Listing):
        return "\n".join(f"- {markdown(item)}" for item in block.items)
    if isinstance(block, Commands):
        lines = [visible(line, MAX_TEXT) for line in block.lines]
        fence = _fence("".join(lines), least=3)
        return "\n".join((f"{fence}sh", *lines, fence))
    if isinstance(block, Plot):
        return f"*{escaped(block.description)}*"
    return _table(block, language)


def _facts(facts: Facts) -> str:
    return "\n".join(f"- **{escaped(term)}**: {markdown(value)}" for term, value in facts.rows)


def _table(table: Table, language: Language) -> str:
    lines = [
        f"**{escaped(table.caption)}**",
        "",
        f"| {' | '.join(escaped(column.title) for column in table.columns)} |",
        "|" + "".join(" ---: |" if column.numeric else " --- |" for column in table.columns),
        *(f"| {' | '.join(markdown(cell, in_table=True) for cell in row)} |" for row in table.rows),
    ]
    if table.omitted:
        message = language.count(
            "{n} further row is left out here; the JSON has them all.",
            "{n} further rows are left out here; the JSON has them all.",
            table.omitted,
        )
        lines += ["", markdown(message)]
    return "\n".join(lines)
