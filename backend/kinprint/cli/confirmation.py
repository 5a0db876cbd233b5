"""Asking before something long starts."""

from __future__ import annotations

import sys

import click

from kinprint.errors import UsageError


def confirm_start() -> None:
    """Ask whether to start.

    Raises:
        UsageError: Nobody is at the terminal.
        click.Abort: The answer was no.
    """
    if not sys.stdin.isatty():
        raise UsageError(
            "Nobody is there to be asked whether to start", hint="Add --yes to start unasked."
        )
    click.confirm("Start?", abort=True, err=True)
