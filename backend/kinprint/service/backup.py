"""A backup of what cannot be made again: the database and the keys, in one archive."""

from __future__ import annotations

import os
import sqlite3
import tarfile
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from kinprint.errors import IndexUnreadableError, MissingError, UsageError
from kinprint.index.database import database_url

if TYPE_CHECKING:
    from kinprint.checkpoints.tensors import Progress
    from kinprint.settings import Settings

PAGES_AT_ONCE = 16_384
"""64 MB between two reports; a writer in between makes SQLite start anew, so not fewer."""
DATABASE_NAME = "kinprint.db"


def write_backup(
    settings: Settings,
    target: Path,
    key_file: Path,
    witness_key: Path,
    *,
    progress: Progress | None = None,
) -> int:
    """Write database and keys into one gzipped tar that only its owner can read.

    The database may be in use meanwhile: SQLite's online backup gives a consistent copy.

    Args:
        settings: Where the database is.
        target: Archive to create; never overwritten.
        key_file: The instance's secret key.
        witness_key: Its witness key; left out where it signed nothing yet.
        progress: Told the bytes of the database copied so far, and all of them.

    Returns:
        Size of the archive in bytes.

    Raises:
        UsageError: The target exists, the URL is malformed, or the database is not SQLite.
        MissingError: There is no database or key to back up, or no folder for the target.
        IndexUnreadableError: The database is damaged.
    """
    url = database_url(settings.database)
    if url.get_backend_name() != "sqlite" or not url.database:
        raise UsageError(
            "Only a SQLite database is backed up here",
            hint=f"Use pg_dump for the database, and copy {str(key_file)!r} and "
            f"{str(witness_key)!r} beside it.",
        )
    database = Path(url.database)
    for path in (database, key_file):
        if not path.is_file():
            raise MissingError(
                f"Nothing to back up: {str(path)!r} is not there",
                hint="It is made when the instance first reads a model.",
            )
    try:
        # Created with its final mode: the key must not be readable for an instant.
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise UsageError(f"{str(target)!r} exists and is not overwritten") from None
    except FileNotFoundError:
        raise MissingError(f"No folder {str(target.parent)!r}") from None
    try:
        with (
            os.fdopen(handle, "wb") as raw,
            tempfile.TemporaryDirectory(dir=target.parent, prefix=".kinprint-backup-") as folder,
            tarfile.open(fileobj=raw, mode="w:gz") as archive,
        ):
            copy = Path(folder) / DATABASE_NAME
            # The archive keeps the mode, for the day it is unpacked: secret signs are in it.
            copy.touch(mode=0o600)
            _copy_database(database, copy, progress)
            archive.add(copy, DATABASE_NAME)
            archive.add(key_file, key_file.name)
            if witness_key.exists():
                archive.add(witness_key, witness_key.name)
    except BaseException:
        # Half a backup looks like one.
        target.unlink(missing_ok=True)
        raise
    return target.stat().st_size


def _copy_database(database: Path, copy: Path, progress: Progress | None) -> None:
    page_bytes = 4_096

    def on_pages(_status: int, left: int, total: int) -> None:
        if progress is not None:
            progress((total - left) * page_bytes, total * page_bytes)

    uri = f"{database.resolve().as_uri()}?mode=ro"
    try:
        with (
            closing(sqlite3.connect(uri, uri=True)) as live,
            closing(sqlite3.connect(copy)) as target,
        ):
            live.backup(target, pages=PAGES_AT_ONCE, progress=on_pages)
    except sqlite3.DatabaseError as error:
        raise IndexUnreadableError(f"{str(database)!r} cannot be copied: {error}") from error
