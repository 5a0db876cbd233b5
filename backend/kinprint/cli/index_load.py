"""`kinprint index bootstrap --dump`: an index starts from another one's dump."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import track

from kinprint import clock
from kinprint.cli.confirmation import confirm_start
from kinprint.cli.output import print_json
from kinprint.index.dump import read_dump, read_manifest
from kinprint.service.instance import Instance
from kinprint.settings import settings

if TYPE_CHECKING:
    from pathlib import Path

SECONDS_A_MODEL = 0.1
"""Adding 300 views takes 92 ms at the median (benchmarks/index_look_up.py)."""


def load_dump(file: Path, *, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Add a dump's models to the index; those that are there already stay as they are.

    Args:
        file: The dump.
        dry_run: Show what it would take, and stop.
        yes: Start without asking.
        as_json: Print one JSON document.
    """
    manifest = read_manifest(file)
    size, seconds = file.stat().st_size, manifest.models * SECONDS_A_MODEL
    if not as_json:
        click.echo(
            f"{manifest.models:,} models, made {manifest.made_at:%Y-%m-%d}: {size / 1e6:,.1f} MB "
            f"to read from disk, about {max(1, round(seconds / 60)):,} minutes."
        )
    added = 0
    if not dry_run:
        if not yes:
            confirm_start()
        added = _add_all(file, manifest.models, quiet=as_json)
    if as_json:
        facts = manifest.model_dump(mode="json")
        print_json({**facts, "bytes": size, "added": added, "dry_run": dry_run})
    elif not dry_run:
        click.echo(f"{added:,} added, {manifest.models - added:,} were there already.")


def _add_all(file: Path, models: int, *, quiet: bool) -> int:
    console = Console(stderr=True)
    added = 0
    with Instance.open(settings()) as instance:
        index = instance.index
        for fingerprint in track(
            read_dump(file),
            description="Loading",
            total=models,
            console=console,
            transient=True,
            disable=quiet or not console.is_terminal,
        ):
            repo, revision = fingerprint.origin.repo, fingerprint.origin.revision
            if repo is not None and index.find(repo, revision) is None:
                index.add(fingerprint, seen_at=clock.now())
                added += 1
    return added
