"""Bringing a database's tables up to date when it is opened."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Column, MetaData, String, Table, inspect, select

from kinprint.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from sqlalchemy import Connection, Engine

HEAD = "0003"
"""The newest migration; a test compares it with the folder."""

MIGRATIONS = Path(__file__).parent / "migrations"

_version = Table("alembic_version", MetaData(), Column("version_num", String(32)))


def migrate(
    engine: Engine, writing: Callable[[Engine], AbstractContextManager[Connection]]
) -> None:
    """Run the migrations that this database has not seen; one query when there are none.

    Args:
        engine: The database.
        writing: Opens its only writing transaction, so that two processes do not migrate at once.

    Raises:
        UsageError: The database was written by a newer Kinprint.
    """
    with engine.connect() as connection:
        found = _version_of(connection)
    if found == HEAD:
        return

    # Alembic takes a third of a second to load, and is needed once in a database's life.
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    with writing(engine) as connection:
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise UsageError(
                f"The database has tables of version {found!r}, which this Kinprint does not know",
                hint="Install the newest Kinprint; it was last used by one.",
            ) from error


def _version_of(connection: Connection) -> str | None:
    if not inspect(connection).has_table(_version.name):
        return None
    return connection.scalar(select(_version.c.version_num))
