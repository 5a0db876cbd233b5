"""What the commands that write a model share: where to, what from, and what they tell of it."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kinprint.checkpoints.open import open_checkpoint
from kinprint.checkpoints.source import FingerprintSource, parse_source
from kinprint.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kinprint.checkpoints.tensors import Checkpoint
    from kinprint.checkpoints.write_safetensors import Layout

NAMES_SHOWN = 10
"""Names listed on the terminal; ``--json`` gives all."""

output_folder_option = click.option(
    "-o",
    "--output",
    metavar="DIR",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to make; it must not exist, or be empty.",
)
dry_run_option = click.option(
    "--dry-run", is_flag=True, help="Say what would be written, and write nothing."
)


@contextmanager
def opened(source: str) -> Iterator[Checkpoint]:
    """Open a model's weights.

    Raises:
        UsageError: It is a fingerprint file, which holds none.
        KinprintError: It is not there or cannot be read.
    """
    parsed = parse_source(source)
    if isinstance(parsed, FingerprintSource):
        raise UsageError(
            f"{source!r} is a fingerprint, and the weights themselves are needed",
            hint="Name the model's folder or its repo.",
        )
    checkpoint = open_checkpoint(parsed)
    try:
        yield checkpoint
    finally:
        checkpoint.close()


def files_of(layout: Layout) -> list[dict[str, Any]]:
    """Describe the files of a layout for ``--json``."""
    return [{"file": shard.file, "bytes": shard.nbytes} for shard in layout.shards]


def in_files(layout: Layout) -> str:
    """Say how much a layout is: ``90,876,543 bytes in 1 file``."""
    count = len(layout.shards)
    return f"{layout.nbytes:,} bytes in {count:,} file{'s' if count > 1 else ''}"
