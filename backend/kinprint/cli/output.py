"""Options and results that several commands share."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from kinprint.errors import MissingError, UsageError
from kinprint.lineage.verdict import CLAIMS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pydantic import BaseModel

    from kinprint.lineage.verdict import Relation

CLAIMED_EXIT_CODE = 10

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
screen_option = click.option(
    "--screen",
    is_flag=True,
    help="Read only a few matrices, at most 2 MB: enough to see a relative, not of what kind.",
)
exit_code_option = click.option(
    "--exit-code", is_flag=True, help="Leave with 10 when a relation is claimed."
)


def print_json(document: BaseModel | dict[str, Any]) -> None:
    """Print a result as one JSON document."""
    if isinstance(document, dict):
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        click.echo(document.model_dump_json(indent=2))


def check_output(path: Path) -> None:
    """Refuse a file that cannot be written, before anything is read for it.

    Raises:
        UsageError: Another kind of file has that name: weights, perhaps.
        MissingError: Its folder does not exist.
    """
    if not path.absolute().parent.is_dir():
        raise MissingError(f"There is no folder {str(path.parent)!r}")
    if path.exists() and path.suffix.lower() not in (".html", ".htm", ".md", ".json"):
        raise UsageError(
            f"{str(path)!r} exists and is no report; it was left as it is.",
            hint="Choose another name, or remove the file yourself.",
        )


def write_text(path: Path, text: str) -> None:
    """Write a report or a statement, in place of an older one but of nothing else.

    Raises:
        UsageError: Another file has that name.
        MissingError: The folder does not exist or cannot be written to.
    """
    check_output(path)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise MissingError(f"Cannot write {str(path)!r}: {error.strerror}") from None


def leave(relations: Iterable[Relation], *, by_claim: bool) -> None:
    """End with 10 if any relation is a claim and the user asked for that.

    Args:
        relations: What was found.
        by_claim: ``--exit-code`` was given.
    """
    if by_claim and not CLAIMS.isdisjoint(relations):
        click.get_current_context().exit(CLAIMED_EXIT_CODE)
