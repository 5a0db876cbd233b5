"""A new folder that appears whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from kinprint.checkpoints.write_safetensors import cannot_write
from kinprint.errors import KinprintError, MissingError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

SPARE_BYTES = 64_000_000
"""Left free on the disk beyond what is written."""


def check_output_folder(target: Path, *, nbytes: int) -> None:
    """See to it that a folder can be made; nothing is written.

    Args:
        target: The folder to be made; it may exist if it is empty.
        nbytes: What is to be written into it.

    Raises:
        UsageError: It exists and is not empty, or is a file.
        MissingError: The folder above it does not exist.
        KinprintError: The disk has not enough room.
    """
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise UsageError(f"{str(target)!r} exists and is no folder", hint="Name a new folder.")
    if target.is_dir() and any(target.iterdir()):
        raise UsageError(f"{str(target)!r} is not empty", hint="Name a new folder.")
    above = target.resolve().parent
    if not above.is_dir():
        raise MissingError(f"There is no folder {str(above)!r} to write into.")
    free_bytes = shutil.disk_usage(above).free
    if free_bytes < nbytes + SPARE_BYTES:
        raise KinprintError(
            f"{nbytes:,} bytes are to be written, and {free_bytes:,} are free on the disk of "
            f"{str(above)!r}",
            hint="Free disk space, or name a folder on another disk.",
        )


@contextmanager
def output_folder(target: Path, *, nbytes: int) -> Iterator[Path]:
    """Give a temporary folder beside ``target`` and rename it at the end.

    Whatever ends the block early, Ctrl-C included, leaves neither of the two.

    Args:
        target: As for `check_output_folder`, whose errors it raises.
        nbytes: As there.

    Yields:
        The folder to write into.

    Raises:
        KinprintError: The folder cannot be made.
    """
    check_output_folder(target, nbytes=nbytes)
    place = target.resolve()
    try:
        made = tempfile.mkdtemp(dir=place.parent, prefix=f".{place.name}.", suffix=".partial")
    except OSError as error:
        raise cannot_write(place, error) from error
    partial = Path(made)
    try:
        yield partial
        # Made for one's own eyes only; the finished folder is like any other.
        partial.chmod(0o777 & ~_umask())
        try:
            partial.replace(place)
        except OSError as error:
            raise cannot_write(place, error) from error
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
