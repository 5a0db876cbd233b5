"""`kinprint doctor`: is this instance well? And its backup."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click
from rich.table import Table
from rich.text import Text

from kinprint.cli.failure import one_line
from kinprint.cli.output import json_option, print_json
from kinprint.cli.progress import reading_bar
from kinprint.cli.report import console
from kinprint.errors import KinprintError
from kinprint.service.backup import write_backup
from kinprint.service.doctor import examine
from kinprint.service.instance import secret_key_file, witness_key_file
from kinprint.settings import settings

_STYLES = {"ok": "green", "warning": "yellow", "failed": "red"}


@click.command()
@click.option(
    "--backup",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write database and keys into this archive instead (tar.gz, mode 600).",
)
@json_option
def doctor(backup: Path | None, as_json: bool) -> None:
    """Check settings, folders, database, key, queue, versions and the way to the Hub."""
    chosen = settings()
    if backup is not None:
        with reading_bar("Copying the database", quiet=as_json) as on_bytes:
            bytes_stored = write_backup(
                chosen,
                backup,
                secret_key_file(chosen),
                witness_key_file(chosen),
                progress=on_bytes,
            )
        if as_json:
            print_json({"file": str(backup), "bytes_stored": bytes_stored})
        else:
            click.echo(f"{backup}: {bytes_stored:,} bytes; keep it secret, the key is in it.")
        return
    checks = examine(chosen)
    healthy = all(check.status != "failed" for check in checks)
    if as_json:
        print_json({"healthy": healthy, "checks": [dataclasses.asdict(each) for each in checks]})
    else:
        table = Table(box=None, show_header=False, pad_edge=False)
        table.add_column()
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for check in checks:
            words = one_line(check.detail) + (f"\n→ {one_line(check.hint)}" if check.hint else "")
            table.add_row(Text(check.status, style=_STYLES[check.status]), check.name, Text(words))
        console().print(table)
    if not healthy:
        click.get_current_context().exit(KinprintError.exit_code)
