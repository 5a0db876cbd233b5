"""`kinprint perturb`: the noisy twin of a model."""

from __future__ import annotations

import re
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
from kinprint.experiment.noise_stream import SCHEME
from kinprint.experiment.output_folder import check_output_folder
from kinprint.experiment.perturb import plan_twin, write_twin

if TYPE_CHECKING:
    from pathlib import Path

LARGEST_SEED = 2**64 - 1

_NUMBER = r"\d{1,20}(?:\.\d{0,20})?(?:[eE][+-]?\d{1,2})?"
_SIGMA = re.compile(rf"({_NUMBER})(?:/({_NUMBER}))?")


def _sigma(_ctx: click.Context, _param: click.Parameter, text: str) -> float:
    """Read a positive number: a decimal (``0.001``, ``1e-3``) or a fraction (``1/708``)."""
    parts = _SIGMA.fullmatch(text)
    below = float(parts[2] or 1) if parts else 0.0
    sigma = float(parts[1]) / below if parts and below else 0.0
    if sigma <= 0:
        raise click.BadParameter(f"{text!r} is no positive number or fraction such as 1/708")
    return sigma


@click.command()
@click.argument("original")
@click.option(
    "--sigma",
    metavar="SIGMA",
    required=True,
    callback=_sigma,
    help="Standard deviation of the noise, in units of the weights: 0.001 or 1/708.",
)
@output_folder_option
@click.option(
    "--seed",
    type=click.IntRange(0, LARGEST_SEED),
    default=0,
    show_default=True,
    help="Another seed gives other noise, the same one the same to the bit.",
)
@click.option(
    "--dtype",
    type=click.Choice(["bf16", "f16", "f32"]),
    help="Dtype to round to  [default: each tensor's own]",
)
@dry_run_option
@json_option
def perturb(
    original: str,
    sigma: float,
    output: Path,
    seed: int,
    dtype: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Write ORIGINAL with normal noise added to every float tensor.

    The twin is what a suspect is compared with, to see whether it behaves like the same weights
    under noise. ORIGINAL is a directory, a file, or owner/name[@revision].
    """
    check_output_folder(output, nbytes=0)
    with opened(original) as checkpoint:
        twin = plan_twin(checkpoint, dtype=dtype.upper() if dtype else None)
        if dry_run:
            check_output_folder(output, nbytes=twin.nbytes)
        else:
            with reading_bar(f"writing {output}", quiet=as_json) as on_bytes:
                write_twin(checkpoint, twin, output, sigma=sigma, seed=seed, progress=on_bytes)
    if as_json:
        print_json(
            {
                "folder": str(output),
                "dry_run": dry_run,
                "sigma": sigma,
                "seed": seed,
                "noise": SCHEME,
                "bytes": twin.nbytes,
                "files": files_of(twin.layout),
                "companions": list(twin.companions),
                "noised": list(twin.noise_names),
                "copied": list(twin.copied),
                "left_out": [{"name": e.name, "reason": e.reason} for e in twin.left_out],
            }
        )
        return
    verb = "would be written" if dry_run else "written"
    click.echo(
        f"{one_line(str(output))}: {len(twin.layout.tensors):,} tensors {verb}, "
        f"{in_files(twin.layout)}; noise of {sigma:.6g} on {len(twin.noise_names):,}, seed {seed}."
    )
    if twin.copied:
        click.echo(f"Copied as they are, since they hold no floats: {len(twin.copied):,}.")
    for each in twin.left_out[:NAMES_SHOWN]:
        click.echo(f"Left out: {one_line(each.name)} ({one_line(each.reason)}).")
    copied = ", ".join(twin.companions) or "none found; copy config.json yourself"
    click.echo(f"Beside the weights: {one_line(copied)}.")
