"""Files with a key in them: written in one step, for the owner alone, and checked when read."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from kinprint.errors import MissingError, UsageError


def write_key_file(path: Path, content: bytes, *, what: str, replace: bool) -> None:
    """Write a key file in one step, so that no other process reads half of it.

    Args:
        path: Where it is to lie.
        content: All of it.
        what: What to call it in an error, "secret key".
        replace: Put it in the place of one that is there; else the one that is there stays, since
            another process made it in the meantime and its key is as good.

    Raises:
        MissingError: It cannot be made.
    """
    try:
        # mkstemp creates it for the owner alone: the key must not be readable for an instant.
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        fresh = path.with_name(Path(name).name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            if replace:
                fresh.replace(path)
            else:
                path.hardlink_to(fresh)
        finally:
            fresh.unlink(missing_ok=True)
    except FileExistsError:
        return
    except OSError as error:
        raise MissingError(
            f"The {what} {str(path)!r} cannot be made: {error.strerror}",
            hint="Set KINPRINT_DATA_DIR to a folder that can be written.",
        ) from None


def read_key_file(path: Path, *, what: str) -> bytes:
    """Return the content of a key file.

    Args:
        path: Where it lies.
        what: What to call it in an error, "secret key".

    Raises:
        UsageError: Others than the owner can read it.
        MissingError: It cannot be read.
    """
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        content = path.read_bytes()
    except OSError as error:
        raise MissingError(f"The {what} {str(path)!r} cannot be read: {error.strerror}") from None
    if mode & 0o077:
        raise UsageError(
            f"Others can read the {what} {str(path)!r} (mode {mode:o})",
            hint=f"Run `chmod 600 {path}`, and rotate the key if others may have read it.",
        )
    return content
