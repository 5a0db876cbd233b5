"""`kinprint dump`: the index as one file, for another instance to start from."""

from __future__ import annotations

from pathlib import Path

import click

from kinprint import clock
from kinprint.cli.output import json_option, print_json
from kinprint.cli.progress import counting_bar
from kinprint.index.dump import write_dump
from kinprint.service.instance import Instance
from kinprint.settings import settings


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@json_option
def dump(file: Path, as_json: bool) -> None:
    """Write the fingerprints of all public models to FILE, a tar.

    `kinprint index bootstrap --dump FILE` reads it into another index. No key, no gated and no
    private model is in it.
    """
    with (
        Instance.open(settings()) as instance,
        counting_bar("Writing models", quiet=as_json) as on_model,
    ):
        manifest = write_dump(instance.index, file, made_at=clock.now(), progress=on_model)
    size = file.stat().st_size
    if as_json:
        print_json({"file": str(file), "bytes": size, **manifest.model_dump(mode="json")})
    else:
        click.echo(f"{file}: {manifest.models:,} models, {size:,} bytes.")
