"""Pages from blocks: one file each, nothing loaded from anywhere, no script."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from kinprint.report.blocks import (
    Code,
    Commands,
    Facts,
    Link,
    Listing,
    Original,
    Paragraph,
    Plot,
    Table,
)
from kinprint.report.plots.drawing import svg_of
from kinprint.report.plots.palette import PALETTE
from kinprint.report.texts.visible import visible

if TYPE_CHECKING:
    from datetime import datetime

    from kinprint.report.blocks import Rich, Run
    from kinprint.report.texts.language import Language

FOLDED_ROWS = 12
"""Tables with more rows are folded away."""

MAX_TEXT = 4_000
"""Longest text that is shown of one run; names are cut much earlier."""

_BLOCKS = {
    "a_paragraph": Paragraph,
    "facts": Facts,
    "a_listing": Listing,
    "commands": Commands,
    "a_table": Table,
    "a_plot": Plot,
}


def render(template: str, language: Language, made_at: datetime, **values: object) -> str:
    """Return a page.

    Args:
        template: File in ``templates/``.
        language: Of the page.
        made_at: When it was made (UTC).
        **values: What the template shows.
    """
    page = _environment().get_template(template)
    return page.render(
        t=language.word,
        say=language.say,
        count=language.count,
        tag=language.tag,
        made_at=language.time(made_at),
        **values,
    )


def markup(text: Rich) -> Markup:
    """Return text as HTML, with names in ``code`` elements."""
    return Markup("").join(_run(run) for run in text)


def _run(run: Run) -> Markup:
    if isinstance(run, str):
        return escape(visible(run, MAX_TEXT))
    shown = escape(visible(run.text, MAX_TEXT))
    if isinstance(run, Code):
        return Markup(f"<code>{shown}</code>")  # noqa: S704 - escaped above
    if isinstance(run, Original):
        return Markup(f'<q lang="en">{shown}</q>')  # noqa: S704 - escaped above
    return _link(run, shown)


def _link(run: Link, shown: Markup) -> Markup:
    return Markup('<a href="{}">{}</a>').format(run.target, shown)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("kinprint.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name, kind in _BLOCKS.items():
        environment.tests[name] = lambda block, kind=kind: isinstance(block, kind)
    environment.filters["rich"] = markup
    environment.filters["svg"] = svg_of
    environment.filters["visible"] = visible
    environment.globals.update(palette=PALETTE, folded_rows=FOLDED_ROWS)
    return environment
