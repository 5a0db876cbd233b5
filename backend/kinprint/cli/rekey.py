"""`kinprint rekey`: a suspect's tensors under the original's keys."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from kinprint.cli.failure import one_line
from kinprint.cli.new_folder import (
    NAMES_SHOWN,
    dry_run_option,
    files_of,
    in_files,
    opened,
    output_folder_option,
)
from kinprint.cli.output import json_option, print_json
from kinprint.cli.progress import reading_bar
from kinprint.experiment.output_folder import check_output_folder
from kinprint.experiment.pairing import Model
from kinprint.experiment.rekey import plan_rekeying, write_rekeyed
from kinprint.fingerprint.take import take

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from kinprint.checkpoints.tensors import Checkpoint
    from kinprint.experiment.contest import FoundBy
    from kinprint.experiment.rekey import NotWritten, Rekeying

_FOUND_BY: dict[FoundBy, str] = {
    "sketch": "by their sketches",
    "values": "by their values",
    "place": "by their place among the others",
    "tied": "as the second name of another",
}


@click.command()
@click.argument("suspect")
@click.option(
    "--like", "original", metavar="ORIGINAL", required=True, help="Model whose keys are used."
)
@output_folder_option
@dry_run_option
@json_option
def rekey(suspect: str, original: str, output: Path, dry_run: bool, as_json: bool) -> None:
    """Write SUSPECT's tensors under ORIGINAL's keys, so that ORIGINAL's own code loads them.

    Values and dtypes stay SUSPECT's; configuration and tokenizer are ORIGINAL's. What has no
    partner is listed and left out, never filled in. Both are directories, files, or
    owner/name[@revision].
    """
    check_output_folder(output, nbytes=0)
    with opened(suspect) as theirs, opened(original) as known:
        rekeying = plan_rekeying(
            _read(theirs, suspect, quiet=as_json), _read(known, original, quiet=as_json)
        )
        if dry_run:
            check_output_folder(output, nbytes=rekeying.nbytes)
        else:
            with reading_bar(f"writing {output}", quiet=as_json) as on_bytes:
                write_rekeyed(theirs, known, rekeying, output, progress=on_bytes)
    if as_json:
        print_json(
            {
                "folder": str(output),
                "dry_run": dry_run,
                "bytes": rekeying.nbytes,
                "files": files_of(rekeying.layout),
                "companions": list(rekeying.companions),
                "tensors": [asdict(each) for each in rekeying.tensors],
                "missing": [asdict(each) for each in rekeying.missing],
                "left_out": [asdict(each) for each in rekeying.left_out],
            }
        )
    else:
        _show(rekeying, output, dry_run=dry_run)


def _read(checkpoint: Checkpoint, label: str, *, quiet: bool) -> Model:
    with reading_bar(label, quiet=quiet) as on_bytes:
        return Model(checkpoint, take(checkpoint, progress=on_bytes))


def _show(rekeying: Rekeying, output: Path, *, dry_run: bool) -> None:
    verb = "would be written" if dry_run else "written"
    click.echo(
        f"{one_line(str(output))}: {len(rekeying.tensors):,} tensors {verb}, "
        f"{in_files(rekeying.layout)}."
    )
    counts = Counter(each.found_by for each in rekeying.tensors)
    told = [f"{counts[key]:,} {words}" for key, words in _FOUND_BY.items() if counts[key]]
    click.echo(f"Paired: {', '.join(told)}.")
    negated = sum(each.negated for each in rekeying.tensors)
    if negated:
        click.echo(f"Multiplied by -1: {negated:,} tensors.")
    for each in rekeying.tensors:
        if each.rows_cut:
            click.echo(f"Cut: {each.rows_cut:,} rows past the end of {one_line(each.name)}.")
    _list("The original's keys that are missing", rekeying.missing)
    _list("The suspect's tensors that are left out", rekeying.left_out)
    copied = ", ".join(rekeying.companions) or "none found; copy config.json yourself"
    click.echo(f"Beside the weights, from the original: {one_line(copied)}.")


def _list(title: str, names: Sequence[NotWritten]) -> None:
    if not names:
        return
    click.echo(f"{title}: {len(names):,}")
    for each in names[:NAMES_SHOWN]:
        click.echo(f"  {one_line(each.name)}: {one_line(each.reason)}")
    if len(names) > NAMES_SHOWN:
        click.echo(f"  … and {len(names) - NAMES_SHOWN:,} more (--json lists all)")
