"""What a report is made of, before it becomes HTML or Markdown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Code:
    """A name or value from one of the compared models; shown as it is, never read as markup."""

    text: str


@dataclass(frozen=True)
class Original:
    """A sentence left in the language it was written in, and marked so."""

    text: str


@dataclass(frozen=True)
class Link:
    """A way to another page of the same service."""

    target: str
    text: str


Run = str | Code | Original | Link
Rich = tuple[Run, ...]
"""Text with names in it."""

Tone = Literal["plain", "muted"]


@dataclass(frozen=True)
class Paragraph:
    """One paragraph."""

    text: Rich
    tone: Tone = "plain"


@dataclass(frozen=True)
class Facts:
    """Terms with their values."""

    rows: tuple[tuple[str, Rich], ...]


@dataclass(frozen=True)
class Listing:
    """A list of sentences."""

    items: tuple[Rich, ...]


@dataclass(frozen=True)
class Commands:
    """Shell lines to copy."""

    lines: tuple[str, ...]


@dataclass(frozen=True)
class Column:
    """Head of a table's column."""

    title: str
    numeric: bool = False


@dataclass(frozen=True)
class Table:
    """A table; a long one is folded away until somebody asks for it.

    Attributes:
        caption: What it lists.
        columns: Heads; the first column names the row.
        rows: Cells, as many as columns.
        omitted: Further rows that are left out here.
    """

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Rich, ...], ...]
    omitted: int = 0


@dataclass(frozen=True)
class LegendEntry:
    """A swatch of the drawing with its meaning; ``swatch`` names a colour of the palette."""

    swatch: str
    text: str
    shape: Literal["fill", "line", "dashed", "ring", "dot"] = "fill"


@dataclass(frozen=True)
class Plot:
    """A drawing.

    Attributes:
        name: Identifies it on the page.
        title: What it shows.
        description: The same for somebody who cannot see it, with the main figures.
        spec: A Vega-Lite or Vega specification, data included.
        legend: Meaning of its colours and shapes.
    """

    name: str
    title: str
    description: str
    spec: Mapping[str, Any]
    legend: tuple[LegendEntry, ...] = ()


Block = Paragraph | Facts | Listing | Commands | Table | Plot


@dataclass(frozen=True)
class Section:
    """One heading with what stands under it."""

    name: str
    title: str
    blocks: tuple[Block, ...]
