"""`kinprint fingerprint`: all sketches of a model in one small file."""

from __future__ import annotations

from pathlib import Path

import click

from kinprint.cli.output import json_option, print_json, screen_option
from kinprint.cli.progress import fingerprint_with_bar
from kinprint.cli.report import console
from kinprint.fingerprint.file import digest_of, save
from kinprint.fingerprint.record import Depth


@click.command()
@click.argument("src")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Safetensors file to write.",
)
@screen_option
@json_option
def fingerprint(src: str, output: Path, screen: bool, as_json: bool) -> None:
    """Sketch SRC into one small file that stands for its weights.

    SRC is a directory, a file, or owner/name[@revision]; of a Hub repo only small ranges are read.
    """
    depth = Depth.SCREEN if screen else Depth.FULL
    taken = fingerprint_with_bar(src, quiet=as_json, depth=depth)
    sketched = len(set(taken.blocks.view.tolist()) | set(taken.vectors.view.tolist()))
    save(taken, output)
    bytes_stored = output.stat().st_size
    if as_json:
        print_json(
            {
                "repo": taken.origin.repo,
                "revision": taken.origin.revision,
                "views": len(taken.views),
                "sketched": sketched,
                "depth": taken.depth.value,
                "bytes_read": taken.bytes_read,
                "bytes_stored": bytes_stored,
                "digest": digest_of(taken),
                "file": str(output),
            }
        )
        return
    # A wide name must not be wrapped in the middle, so that it can be copied.
    console().print(
        f"{output}: {sketched:,} of {len(taken.views):,} tensors sketched; "
        f"{taken.bytes_read:,} bytes read, {bytes_stored:,} bytes stored.\n"
        f"Digest of {'this screen' if screen else 'the weights'}: {digest_of(taken)}",
        soft_wrap=True,
        markup=False,
    )
