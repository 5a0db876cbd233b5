"""Opening the database, and the two ways to use it: reading, and one writer at a time."""

from __future__ import annotations

import sqlite3
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import create_engine, event, func, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, NoSuchModuleError, OperationalError

from kinprint.errors import IndexBusyError, IndexUnreadableError, MissingError, UsageError
from kinprint.index.migrate import migrate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from sqlalchemy import URL, Connection, Engine, Insert, Table

BUSY_TIMEOUT_S = 30.0
"""How long a writer waits for another before it gives up."""

PARAMETERS_PER_STATEMENT = 5_000
"""SQLite takes 32,766 bound parameters, PostgreSQL 65,535."""

_T = TypeVar("_T")
_SWITCH_RETRY_S = 0.02
_WRITER_LOCK = 0x4B494E50
_BUSY = ("database is locked", "database table is locked", "lock timeout")


def open_engine(url: str) -> Engine:
    """Open the database, make it if SQLite's file is missing, and bring its tables up to date.

    Safe when several processes do it at once.

    Args:
        url: SQLAlchemy URL, ``sqlite:///path`` or ``postgresql+driver://…``.

    Raises:
        UsageError: The URL is malformed, or the database was written by a newer Kinprint.
        MissingError: No driver for the URL is installed, or the file cannot be made.
        IndexBusyError: Another process held the database for longer than the time-out.
        IndexUnreadableError: The file is not a database, or it is damaged.
    """
    try:
        parsed = database_url(url)
        if parsed.get_backend_name() == "sqlite":
            engine = _sqlite_engine(parsed)
        else:
            engine = create_engine(parsed, pool_pre_ping=True, hide_parameters=True)
    except NoSuchModuleError as error:
        raise UsageError(f"The database URL is not valid: {error}") from None
    except ModuleNotFoundError as error:
        raise MissingError(
            f"The database URL needs the Python module {error.name!r}",
            hint=f"pip install {error.name}",
        ) from None
    try:
        with translated_errors():
            migrate(engine, writing)
    except BaseException:
        engine.dispose()
        raise
    return engine


def database_url(url: str) -> URL:
    """Parse the URL of a database.

    Raises:
        UsageError: It is malformed; it is not shown, since a password may be in it.
    """
    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        raise UsageError(
            "The database URL is not valid",
            hint="KINPRINT_DATABASE_URL is sqlite:///path or postgresql+driver://…",
        ) from None


def _sqlite_engine(url: URL) -> Engine:
    if url.database and url.database != ":memory:" and not url.database.startswith("file:"):
        path = Path(url.database)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # The secret signs live in it; the log and shared-memory files inherit the mode.
            path.touch(mode=0o600)
        except OSError as error:
            raise MissingError(f"The database {path} cannot be made: {error.strerror}") from error
    # A failed statement must not show the secret signs that it was given.
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_S}, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def _on_connect(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # the driver would begin too late, and never IMMEDIATE
        _write_ahead(connection)
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        immediate = connection.get_execution_options().get("writing")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Let readers and the writer work side by side; kept in the file, so changed only once."""
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            # SQLite does not wait here when another process makes the same change.
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(_SWITCH_RETRY_S)


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Give a connection for reading, which never waits for the writer.

    Raises:
        IndexBusyError: The database is locked by something other than a writer.
        IndexUnreadableError: The database is damaged.
    """
    with translated_errors(), engine.connect() as connection:
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Give the only writing transaction; commits at the end, undoes everything on an error.

    Raises:
        IndexBusyError: Another writer kept the lock for longer than ``BUSY_TIMEOUT_S``.
        IndexUnreadableError: The database is damaged, or the disk is full.
    """
    with (
        translated_errors(),
        engine.execution_options(writing=True).begin() as connection,
    ):
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"SET LOCAL lock_timeout = '{BUSY_TIMEOUT_S:.0f}s'"))
            connection.execute(select(func.pg_advisory_xact_lock(_WRITER_LOCK)))
        yield connection


@contextmanager
def translated_errors() -> Iterator[None]:
    """Raise the driver's errors as errors of this package.

    Raises:
        IndexBusyError: The database is locked.
        IndexUnreadableError: Anything else that the database itself reports.
    """
    try:
        yield
    except OperationalError as error:
        reason = str(error.orig)
        if any(sign in reason for sign in _BUSY):
            raise IndexBusyError(f"The index is busy: {reason}") from error
        raise IndexUnreadableError(f"The index cannot be used: {reason}") from error
    except DatabaseError as error:
        if type(error) is not DatabaseError:
            raise
        raise IndexUnreadableError(f"The index cannot be used: {error.orig}") from error


def insert_missing(table: Table, connection: Connection) -> Insert:
    """Return an INSERT that leaves rows alone whose key is already there."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing()


def insert_rows(
    connection: Connection, statement: Insert, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Run an INSERT for many rows; nothing happens for none."""
    if rows:
        connection.execute(statement, rows)


def slices_of(values: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """Cut values to what one statement may bind."""
    for first in range(0, len(values), PARAMETERS_PER_STATEMENT):
        yield values[first : first + PARAMETERS_PER_STATEMENT]


def bytes_on_disk(connection: Connection) -> int:
    """Return the size of the database in bytes, without SQLite's log."""
    if connection.dialect.name == "postgresql":
        size = connection.scalar(select(func.pg_database_size(func.current_database())))
        return int(size or 0)
    pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    page_bytes = connection.exec_driver_sql("PRAGMA page_size").scalar_one()
    return int(pages) * int(page_bytes)
