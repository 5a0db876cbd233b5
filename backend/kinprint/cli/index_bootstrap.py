"""`kinprint index bootstrap`: a new index starts from the shipped list of base models."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import track

from kinprint.cli.confirmation import confirm_start
from kinprint.cli.failure import one_line
from kinprint.cli.index_load import load_dump
from kinprint.cli.output import json_option, print_json
from kinprint.cli.progress import reading_bar
from kinprint.errors import KinprintError, UsageError
from kinprint.service.bases import load_bases
from kinprint.service.bootstrap import cost, survey
from kinprint.service.instance import Instance
from kinprint.service.reading import read_model
from kinprint.settings import settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kinprint.service.bases import BaseList
    from kinprint.service.bootstrap import Missing, Survey


@click.command()
@click.option(
    "--list",
    "list_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Read another list, of the same form as the shipped one.",
)
@click.option(
    "--dump",
    "dump_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Load a file of `kinprint dump` from somebody you trust instead; nothing is downloaded.",
)
@click.option("--dry-run", is_flag=True, help="Show what it would take, and stop.")
@click.option("--yes", is_flag=True, help="Start without asking.")
@json_option
def bootstrap(
    list_file: Path | None, dump_file: Path | None, dry_run: bool, yes: bool, as_json: bool
) -> None:
    """Read the shipped list of base models into the index.

    Shows bytes and time first. May be stopped and run again: what is indexed at its present
    commit is skipped. A repo that fails does not stop the others; they are listed at the end.
    Gated repos need a token (KINPRINT_HUB_TOKEN) whose owner has accepted their terms.
    """
    if dump_file is not None:
        if list_file is not None:
            raise UsageError("--list and --dump exclude each other", hint="Give one of them.")
        load_dump(dump_file, dry_run=dry_run, yes=yes, as_json=as_json)
        return
    bases = load_bases(list_file)
    with Instance.open(settings()) as instance:
        surveys = _survey_all(instance, bases, quiet=as_json)
        missing = [each.missing for each in surveys if each.missing]
        failed = {each.base.repo: each.error for each in surveys if each.error}
        _show_plan(bases, surveys, missing, on_stderr=as_json)
        if not dry_run and missing:
            if not yes:
                confirm_start()
            failed |= _read_all(instance, missing, quiet=as_json)
    _show_end(bases, surveys, missing, failed, dry_run=dry_run, as_json=as_json)
    if failed:
        click.get_current_context().exit(KinprintError.exit_code)


def _survey_all(instance: Instance, bases: BaseList, *, quiet: bool) -> list[Survey]:
    console = Console(stderr=True)
    lines = track(
        bases.base,
        description="Asking the Hub",
        console=console,
        transient=True,
        disable=quiet or not console.is_terminal,
    )
    return [survey(instance, base) for base in lines]


def _show_plan(
    bases: BaseList, surveys: Sequence[Survey], missing: Sequence[Missing], *, on_stderr: bool
) -> None:
    indexed = sum(each.indexed for each in surveys)
    gated = [each.base.repo for each in surveys if each.gated]
    families = Counter(each.base.family for each in surveys)
    click.echo(
        f"{len(surveys)} base models of {len(families)} families, listed on {bases.dated}: "
        f"{indexed} indexed already, {len(missing)} to read, "
        f"{len(surveys) - indexed - len(missing)} cannot be read.",
        err=on_stderr,
    )
    if gated:
        click.echo(
            f"{len(gated)} of these are gated; they can be read once KINPRINT_HUB_TOKEN is that of "
            f"somebody who has accepted their terms: {', '.join(gated)}.",
            err=on_stderr,
        )
    if missing:
        bytes_expected, seconds = cost(missing)
        click.echo(
            f"Reading them takes about {bytes_expected / 1e6:,.0f} MB of download and "
            f"{max(1, round(seconds / 60)):,} minutes.",
            err=on_stderr,
        )


def _read_all(
    instance: Instance, missing: Sequence[Missing], *, quiet: bool
) -> dict[str, KinprintError]:
    failed: dict[str, KinprintError] = {}
    for number, each in enumerate(missing, 1):
        label = f"{number}/{len(missing)} {each.model.repo}"
        try:
            with reading_bar(label, quiet=quiet) as on_bytes:
                read = read_model(instance, each.model, is_newest=True, progress=on_bytes)
        except KinprintError as error:
            failed[each.model.repo] = error
            continue
        if not quiet:
            click.echo(f"{label}@{each.model.commit[:8]}: {read.bytes_read:,} bytes")
    return failed


def _show_end(
    bases: BaseList,
    surveys: Sequence[Survey],
    missing: Sequence[Missing],
    failed: dict[str, KinprintError],
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    bytes_expected, seconds = cost(missing)
    if as_json:
        print_json(
            {
                "dated": bases.dated.isoformat(),
                "listed": len(surveys),
                "indexed_before": sum(each.indexed for each in surveys),
                "to_read": len(missing),
                "gated": [each.base.repo for each in surveys if each.gated],
                "bytes_expected": bytes_expected,
                "seconds_expected": round(seconds),
                "dry_run": dry_run,
                "failed": [
                    {"repo": repo, "code": error.code, "message": error.message}
                    for repo, error in failed.items()
                ],
            }
        )
        return
    for repo, error in failed.items():
        click.echo(f"failed: {repo}: {one_line(error.message)} [{error.code}]", err=True)
