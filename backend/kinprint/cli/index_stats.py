"""`kinprint index stats`: how much is in the index."""

from __future__ import annotations

import click
from rich.table import Table

from kinprint.cli.output import json_option, print_json
from kinprint.cli.report import console
from kinprint.lineage.coverage import small_index_advice
from kinprint.service.instance import Instance
from kinprint.settings import settings


@click.command()
@json_option
def stats(as_json: bool) -> None:
    """Show how many models, revisions and families are indexed, and what waits to be read."""
    with Instance.open(settings()) as instance:
        found = instance.index.statistics()
        waiting = instance.index.readings.queue_length()
    size = found.size
    advice = small_index_advice(size.models)
    if as_json:
        print_json(
            {
                "models": size.models,
                "revisions": size.revisions,
                "families": size.families,
                "bundles": found.bundles,
                "as_of": size.as_of.isoformat() if size.as_of else None,
                "bytes_on_disk": found.bytes_on_disk,
                "by_visibility": {kind.value: n for kind, n in found.by_visibility.items()},
                "waiting": waiting,
                "advice": advice,
            }
        )
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(justify="right")
    for name, number in (
        ("models", size.models),
        ("revisions of them", size.revisions),
        ("families of tensors", size.families),
        ("bundles of families", found.bundles),
        ("bytes on disk", found.bytes_on_disk),
        ("repos waiting", waiting),
    ):
        table.add_row(name, f"{number:,}")
    out = console()
    out.print(table)
    if size.as_of:
        out.print(f"Newest reading: {size.as_of:%Y-%m-%d %H:%M} UTC")
    if advice:
        out.print(advice, markup=False)
