"""The `kinprint` command; each subcommand lives in a module of its own name."""

from kinprint.cli.group import main

__all__ = ["main"]
