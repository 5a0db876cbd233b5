"""`kinprint compare`: how one model relates to another, with the evidence."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from kinprint import clock
from kinprint.cli.beside import (
    known_times,
    read_ancestors,
    read_cells_again,
    read_events,
    read_texts,
)
from kinprint.cli.output import (
    check_output,
    exit_code_option,
    json_option,
    leave,
    print_json,
    write_text,
)
from kinprint.cli.progress import fingerprint_with_bar
from kinprint.cli.report import console, show_comparison
from kinprint.errors import UsageError
from kinprint.lineage.explain import Beside, explain

if TYPE_CHECKING:
    from kinprint.lineage.evidence.record import Comparison, SideName

_report_file = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("a")
@click.argument("b")
@click.argument("others", metavar="[C]...", nargs=-1)
@click.option("--deep", is_flag=True, help="Read 64 rows of both again, for a finer σ.")
@click.option("--html", type=_report_file, help="Write the report as one HTML file.")
@click.option("--markdown", type=_report_file, help="Write it as Markdown.")
@click.option(
    "--language", type=click.Choice(["en", "zh"]), default="en", help="Language of the reports."
)
@click.option(
    "--published-at",
    metavar="A|B=DATE",
    multiple=True,
    help="When a side was published, as you know it: shown in the timeline, never counted.",
)
@json_option
@exit_code_option
def compare(
    a: str,
    b: str,
    others: tuple[str, ...],
    deep: bool,
    html: Path | None,
    markdown: Path | None,
    language: Literal["en", "zh"],
    published_at: tuple[str, ...],
    as_json: bool,
    exit_code: bool,
) -> None:
    """Say how A relates to B: same weights, derived, related, or no common origin found.

    Each C is a further model, such as a base or a parent, that may explain what A and B share;
    bases that the cards declare are read by themselves. All are directories, files, fingerprint
    files, or owner/name[@revision]. Nothing is stored; what this machine's index has witnessed of
    them counts for who was first.
    """
    dates = _dates(published_at)
    for path in (html, markdown):
        if path is not None:
            check_output(path)
    if html is not None and html == markdown:
        raise UsageError("--html and --markdown name one file", hint="Give each its own.")
    first, second, *further = (
        fingerprint_with_bar(each, quiet=as_json) for each in (a, b, *others)
    )
    ancestors, unread = read_ancestors([first, second, *further], quiet=as_json)
    relatives = [*further, *ancestors]
    times = known_times({"repo": first, "match": second}, relatives)
    events = read_events({"repo": (a, first), "match": (b, second)}, dates)
    comparison = explain(
        first,
        second,
        relatives,
        Beside(
            documents=(read_texts(a), read_texts(b)),
            intervals=times[0] if times else None,
            other_intervals=times[1] if times else (),
            events=(*events, *(times[2] if times else ())),
            deep=read_cells_again(a, first, b, second, quiet=as_json) if deep else None,
            unread=unread,
        ),
    )
    if as_json:
        print_json(comparison)
    else:
        show_comparison(console(), comparison)
    _write_reports(comparison, html, markdown, language)
    if not as_json:
        for path in (html, markdown):
            if path is not None:
                click.echo(f"Report: {path}")
    leave([comparison.verdict.relation], by_claim=exit_code)


def _dates(texts: tuple[str, ...]) -> dict[SideName, datetime]:
    sides: dict[str, SideName] = {"a": "repo", "b": "match"}
    found: dict[SideName, datetime] = {}
    for text in texts:
        side, _, date = text.partition("=")
        try:
            at = datetime.fromisoformat(date)
        except ValueError:
            at = None
        if side.lower() not in sides or at is None:
            raise UsageError(
                f"--published-at {text!r} is not understood",
                hint="Say for example --published-at A=2024-05-20.",
            )
        found[sides[side.lower()]] = at if at.tzinfo else at.replace(tzinfo=UTC)
    return found


def _write_reports(
    comparison: Comparison, html: Path | None, markdown: Path | None, language: Literal["en", "zh"]
) -> None:
    # Templates and plots are slow to import, and only needed for a report.
    if html is not None:
        from kinprint.report.html import render_html

        write_text(html, render_html(comparison, language=language, made_at=clock.now()))
    if markdown is not None:
        from kinprint.report.markdown import render_markdown

        write_text(markdown, render_markdown(comparison, language))
