"""Opening an index: new, old, newer, damaged, by several processes at once."""

import multiprocessing
import sqlite3
import stat
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from kinprint.errors import IndexUnreadableError, MissingError, UsageError
from kinprint.index.migrate import HEAD, MIGRATIONS
from kinprint.index.schema import metadata
from kinprint.index.store import Index


def _scripts() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    return ScriptDirectory.from_config(config)


def test_a_new_database_has_the_tables_of_the_schema(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'index.db'}"
    Index.open(url).close()
    engine = create_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"target_metadata": metadata})
        differences = compare_metadata(context, metadata)
    engine.dispose()
    assert differences == []


def test_band_tables_are_clustered_on_their_key(tmp_path: Path) -> None:
    path = tmp_path / "index.db"
    Index.open(f"sqlite:///{path}").close()
    connection = sqlite3.connect(path)
    made = dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'"))
    connection.close()
    assert made["band"].rstrip().endswith("WITHOUT ROWID")
    assert made["band_new"].rstrip().endswith("WITHOUT ROWID")


def test_the_newest_migration_is_the_one_that_databases_are_brought_to() -> None:
    assert _scripts().get_heads() == [HEAD]


@pytest.mark.parametrize("table", metadata.sorted_tables, ids=lambda table: table.name)
def test_every_table_can_be_made_on_postgresql(table) -> None:
    dialect = postgresql.dialect()
    assert "CREATE TABLE" in str(CreateTable(table).compile(dialect=dialect))
    for index in table.indexes:
        assert "CREATE" in str(CreateIndex(index).compile(dialect=dialect))


def test_only_the_owner_may_read_the_database(tmp_path: Path) -> None:
    path = tmp_path / "below" / "index.db"
    Index.open(f"sqlite:///{path}").close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_database_of_a_newer_kinprint_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "index.db"
    Index.open(f"sqlite:///{path}").close()
    connection = sqlite3.connect(path)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    with pytest.raises(UsageError, match="9999"):
        Index.open(f"sqlite:///{path}")


def test_a_file_that_is_no_database_is_named_as_such(tmp_path: Path) -> None:
    path = tmp_path / "index.db"
    path.write_bytes(b"these are not the bytes of a database" * 100)
    with pytest.raises(IndexUnreadableError, match="not a database"):
        Index.open(f"sqlite:///{path}")


@pytest.mark.parametrize("url", ["", "not a url", "nosuchdialect://host/db"])
def test_a_malformed_url_is_a_usage_error(url: str) -> None:
    with pytest.raises(UsageError):
        Index.open(url)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MissingError, match=r"index\.db"):
        Index.open(f"sqlite:///{tmp_path / 'file' / 'index.db'}")


def _open(url: str, ready, ids) -> None:
    ready.wait()
    with Index.open(url) as index:
        ids.put(index.instance_id())


@pytest.mark.slow
def test_processes_that_open_a_new_index_at_once_share_one(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'index.db'}"
    spawn = multiprocessing.get_context("spawn")
    ready, ids = spawn.Barrier(3), spawn.Queue()
    processes = [spawn.Process(target=_open, args=(url, ready, ids)) for _ in range(3)]
    for process in processes:
        process.start()
    found = {ids.get(timeout=60) for _ in processes}
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert len(found) == 1
