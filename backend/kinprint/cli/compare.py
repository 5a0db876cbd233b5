"""`kinprint compare`: how one model relates to another."""

from __future__ import annotations

import click

from kinprint.cli.output import exit_code_option, json_option, leave, print_json
from kinprint.cli.progress import fingerprint_with_bar
from kinprint.cli.report import console, show_comparison
from kinprint.lineage.compare import compare as compare_fingerprints


@click.command()
@click.argument("a")
@click.argument("b")
@click.argument("others", metavar="[C]...", nargs=-1)
@json_option
@exit_code_option
def compare(a: str, b: str, others: tuple[str, ...], as_json: bool, exit_code: bool) -> None:
    """Say how A relates to B: same weights, derived, related, or no common origin found.

    Each C is a further model, such as a declared base, that may explain what A and B share. All
    are directories, files, fingerprint files, or owner/name[@revision]. Nothing is stored.
    """
    first, second, *further = (
        fingerprint_with_bar(each, quiet=as_json) for each in (a, b, *others)
    )
    comparison = compare_fingerprints(first, second, further)
    if as_json:
        print_json(comparison)
    else:
        show_comparison(console(), comparison)
    leave([comparison.verdict.relation], by_claim=exit_code)
