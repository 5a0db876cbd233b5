"""How the command line says that something went wrong."""

from __future__ import annotations

import json
from typing import IO, TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kinprint.errors import KinprintError


def wants_json(arguments: Sequence[str]) -> bool:
    """Tell whether ``--json`` was given, even where the rest of the line could not be parsed."""
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--json" in options


class Failure(click.ClickException):
    """An error on its way out: words on stderr, or JSON on stdout in the service's shape.

    Args:
        error: What happened, with its code, hint and exit code.
        as_json: Print ``{"error": {code, message, hint}}`` instead of words.
    """

    def __init__(self, error: KinprintError, *, as_json: bool) -> None:
        super().__init__(error.message)
        self.error = error
        self.as_json = as_json
        self.exit_code = error.exit_code  # type: ignore[misc]  # click reads it per instance

    def show(self, file: IO[Any] | None = None) -> None:
        """Print it; called by click."""
        error = self.error
        if self.as_json:
            body = {"code": error.code, "message": error.message, "hint": error.hint}
            click.echo(json.dumps({"error": body}, ensure_ascii=False))
            return
        click.echo(f"error: {one_line(error.message)} [{error.code}]", file=file, err=True)
        click.echo(f"hint: {one_line(error.hint)}", file=file, err=True)


def one_line(text: str) -> str:
    """Return text with control characters escaped: names come from strangers' files."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
