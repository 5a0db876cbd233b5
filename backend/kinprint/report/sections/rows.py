"""What the sections share in form: bounded tables, cells, and the word for what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kinprint.report.blocks import Column, Paragraph, Table
from kinprint.report.texts.sentences import said

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kinprint.lineage.evidence.record import Estimate, Evidence
    from kinprint.report.blocks import Rich, Run
    from kinprint.report.texts.language import Language

MAX_ROWS = 2_500
"""Of one table; a hostile header can list a hundred thousand tensors, JSON has them all."""


def table(
    caption: Rich,
    columns: Sequence[str],
    rows: Sequence[Sequence[Run | Rich]],
    *,
    numeric: Iterable[int] = (),
) -> Table:
    """Return a table of at most ``MAX_ROWS`` rows.

    Args:
        caption: What it lists, without names.
        columns: Heads.
        rows: Cells.
        numeric: Columns that hold numbers.
    """
    right = frozenset(numeric)
    return Table(
        caption="".join(run if isinstance(run, str) else run.text for run in caption),
        columns=tuple(Column(title, number in right) for number, title in enumerate(columns)),
        rows=tuple(
            tuple(cell if isinstance(cell, tuple) else (cell,) for cell in row)
            for row in rows[:MAX_ROWS]
        ),
        omitted=max(len(rows) - MAX_ROWS, 0),
    )


def absent(evidence: Evidence, section: str, otherwise: str, language: Language) -> Paragraph:
    """Return why a section could not be made.

    Args:
        evidence: Whose ``missing`` may tell.
        section: Name of its field.
        otherwise: What to say where it does not tell.
        language: Of the report.
    """
    reason = evidence.missing.get(section)
    text = (otherwise,) if reason is None else said(reason, language)
    return Paragraph(text, "muted")


def estimate(value: Estimate | None, language: Language, digits: int = 4) -> str:
    """Return a measured number with its interval, a dash where there is none."""
    if value is None:
        return "–"
    number, low, high = (
        language.number(each, digits) for each in (value.value, value.low, value.high)
    )
    return f"{number} ({low} … {high})"


def sigma(value: float, language: Language) -> str:
    """Return σ with its reciprocal, the form in which recipes give it."""
    written = language.number(value, 4)
    return f"{written} ≈ 1/{language.integer(round(1 / value))}" if 0 < value < 1 else written
