"""Doctor and backup: what an operator sees."""

from __future__ import annotations

import os
import sqlite3
import stat
import tarfile
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from kinprint.cli import main
from kinprint.errors import IndexUnreadableError, MissingError, UsageError
from kinprint.index.signing import WitnessKey
from kinprint.service.backup import write_backup
from kinprint.service.doctor import examine
from kinprint.service.instance import Instance, secret_key_file, witness_key_file
from kinprint.service.queue import ReadingQueue
from kinprint.settings import Settings, settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOWHERE = "https://127.0.0.1:1"


@pytest.fixture
def chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    monkeypatch.setenv("KINPRINT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("KINPRINT_HUB_ENDPOINT", NOWHERE)
    monkeypatch.setenv("KINPRINT_RETRY_DEADLINE_S", "0.2")
    settings.cache_clear()
    yield settings()
    settings.cache_clear()


@pytest.fixture
def with_key(chosen: Settings) -> Settings:
    with Instance.open(chosen) as instance:
        assert instance.keys
    return chosen


def status_of(chosen: Settings) -> dict[str, str]:
    return {check.name: check.status for check in examine(chosen)}


def test_a_new_instance_is_told_to_bootstrap(chosen: Settings) -> None:
    report = {check.name: check for check in examine(chosen)}
    assert report["database"].status == "warning"
    assert "kinprint index bootstrap" in report["database"].hint
    assert report["data dir"].status == "ok"
    assert report["secret key"].status == "ok"


def test_an_unreachable_hub_is_named(chosen: Settings) -> None:
    report = {check.name: check for check in examine(chosen)}
    assert report["hub"].status == "failed"
    assert NOWHERE in report["hub"].detail


def test_a_folder_made_by_doctor_is_closed_to_others(chosen: Settings) -> None:
    old_mask = os.umask(0o022)
    try:
        examine(chosen)
    finally:
        os.umask(old_mask)
    found = {each.name: stat.S_IMODE(each.stat().st_mode) for each in chosen.data_dir.iterdir()}
    assert stat.S_IMODE(chosen.data_dir.stat().st_mode) == 0o700
    assert set(found.values()) == {0o600}


def test_a_malformed_database_url_is_an_error_that_shows_no_password(tmp_path: Path) -> None:
    for url in ("postgresql://kinprint:hunter2@host:port/db", "hunter2"):
        chosen = Settings(data_dir=tmp_path, database_url=url)
        with pytest.raises(UsageError) as caught:
            write_backup(chosen, tmp_path / "b.tar.gz", tmp_path / "secret.key", tmp_path / "w.key")
        assert "hunter2" not in caught.value.message
        with pytest.raises(UsageError) as caught:
            Instance.open(chosen)
        assert "hunter2" not in caught.value.message


def test_a_key_that_others_can_read_fails(with_key: Settings) -> None:
    secret_key_file(with_key).chmod(0o644)
    report = {check.name: check for check in examine(with_key)}
    assert report["secret key"].status == "failed"
    assert "chmod 600" in report["secret key"].hint


def test_work_that_nobody_does_is_a_warning(chosen: Settings) -> None:
    with Instance.open(chosen) as instance:
        instance.queue.put(1)
    assert status_of(chosen)["queue"] == "warning"
    with Instance.open(chosen) as instance:
        instance.queue.beat()
    assert status_of(chosen)["queue"] == "ok"


def test_a_damaged_database_fails_and_the_other_checks_go_on(chosen: Settings) -> None:
    chosen.data_dir.mkdir(parents=True)
    (chosen.data_dir / "kinprint.db").write_bytes(b"this is no database, " * 500)
    report = status_of(chosen)
    assert report["database"] == "failed"
    assert report["versions"] == "ok"


def test_doctor_exits_1_when_something_failed(chosen: Settings) -> None:
    done = CliRunner().invoke(main, ["doctor", "--json"])
    assert done.exit_code == 1
    assert '"healthy": false' in done.stdout


def test_a_backup_holds_database_and_keys_for_the_owner_only(
    with_key: Settings, tmp_path: Path
) -> None:
    WitnessKey.load_or_create(witness_key_file(with_key), "instance-1")
    target = tmp_path / "backup.tar.gz"
    old_mask = os.umask(0)
    try:
        write_backup(with_key, target, secret_key_file(with_key), witness_key_file(with_key))
    finally:
        os.umask(old_mask)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    with tarfile.open(target) as archive:
        assert sorted(archive.getnames()) == ["kinprint.db", "secret.key", "witness.key"]
        assert {member.mode for member in archive} == {0o600}
        archive.extractall(tmp_path / "restored", filter="data")
    restored = tmp_path / "restored"
    for key_file in (secret_key_file(with_key), witness_key_file(with_key)):
        assert (restored / key_file.name).read_bytes() == key_file.read_bytes()
    with closing(sqlite3.connect(restored / "kinprint.db")) as database:
        assert database.execute("SELECT count(*) FROM revision").fetchone() == (0,)


def test_a_backup_never_overwrites(with_key: Settings, tmp_path: Path) -> None:
    target = tmp_path / "backup.tar.gz"
    target.write_text("precious")
    with pytest.raises(UsageError):
        write_backup(with_key, target, secret_key_file(with_key), witness_key_file(with_key))
    assert target.read_text() == "precious"


def test_half_a_backup_is_removed(with_key: Settings, tmp_path: Path) -> None:
    (with_key.data_dir / "kinprint.db").write_bytes(b"this is no database, " * 500)
    target = tmp_path / "backup.tar.gz"
    with pytest.raises(IndexUnreadableError):
        write_backup(with_key, target, secret_key_file(with_key), witness_key_file(with_key))
    assert not target.exists()


def test_nothing_to_back_up_is_missing(chosen: Settings, tmp_path: Path) -> None:
    with pytest.raises(MissingError):
        write_backup(
            chosen, tmp_path / "b.tar.gz", secret_key_file(chosen), witness_key_file(chosen)
        )


def test_postgresql_is_left_to_pg_dump(tmp_path: Path) -> None:
    chosen = Settings(data_dir=tmp_path, database_url="postgresql+psycopg://kinprint@db/kinprint")
    with pytest.raises(UsageError) as refused:
        write_backup(
            chosen, tmp_path / "b.tar.gz", secret_key_file(chosen), witness_key_file(chosen)
        )
    assert "pg_dump" in refused.value.hint


def test_the_queue_outlives_its_process(tmp_path: Path) -> None:
    first = ReadingQueue(tmp_path / "queue.db")
    first.put(7)
    first.close()
    taken = []
    second = ReadingQueue(tmp_path / "queue.db", taken.append)
    assert second.pending() == 1
    second.huey.execute(second.huey.dequeue())
    assert taken == [7]
    second.close()


def test_a_worker_is_known_by_its_heartbeat(tmp_path: Path) -> None:
    queue = ReadingQueue(tmp_path / "queue.db")
    assert queue.worker_silent_s() is None
    assert not queue.worker_is_alive()
    queue.beat()
    assert queue.worker_is_alive()
    queue.close()
