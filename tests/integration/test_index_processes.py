"""Several processes on one index, and one that is killed in the middle."""

import multiprocessing
import os
import signal
import sqlite3
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest

from kinprint.errors import IndexBusyError
from kinprint.index import database
from kinprint.index.store import Index
from synthetic_fingerprints import relative, synthetic

NOW = datetime(2026, 11, 1, tzinfo=UTC)
SPAWN = multiprocessing.get_context("spawn")
PATIENCE_S = 60


def _relatives(count: int) -> list:
    rng = np.random.default_rng(10)
    base = synthetic(rng, "acme/base", views=9)
    return [base] + [
        relative(rng, base, f"acme/child-{number}", hamming_bits=10) for number in range(count)
    ]


def _add_all(url: str, ready, found) -> None:
    with Index.open(url) as index:
        ready.wait(PATIENCE_S)
        found.put([index.add(each, seen_at=NOW) for each in _relatives(5)])


def test_two_processes_that_add_the_same_repos_store_each_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'index.db'}"
    ready, found = SPAWN.Barrier(2), SPAWN.Queue()
    processes = [SPAWN.Process(target=_add_all, args=(url, ready, found)) for _ in range(2)]
    for process in processes:
        process.start()
    ids = [found.get(timeout=PATIENCE_S) for _ in processes]
    for process in processes:
        process.join(PATIENCE_S)
    assert ids[0] == ids[1]
    with Index.open(url) as index:
        statistics = index.statistics()
    assert statistics.size.revisions == 6
    assert statistics.size.families == 9
    assert statistics.bundles == 1
    assert statistics.bands_new == 9 * 16


def _ask_and_spend(url: str, ready, found) -> None:
    with Index.open(url) as index:
        ready.wait(PATIENCE_S)
        new = 0
        for number in range(10):
            new += index.readings.request(f"acme/{number}", None, at=NOW, queue_limit=99)[1]
            index.budget.spend(7, date(2026, 11, 1), limit_bytes=100)
        taken = [index.readings.take(at=NOW, lease_s=60) for _ in range(5)]
        found.put((new, [each.id for each in taken]))


def test_two_processes_share_queue_and_budget(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'index.db'}"
    ready, found = SPAWN.Barrier(2), SPAWN.Queue()
    processes = [SPAWN.Process(target=_ask_and_spend, args=(url, ready, found)) for _ in range(2)]
    for process in processes:
        process.start()
    (new_a, taken_a), (new_b, taken_b) = (found.get(timeout=PATIENCE_S) for _ in processes)
    for process in processes:
        process.join(PATIENCE_S)
    assert new_a + new_b == 10
    assert len({*taken_a, *taken_b}) == 10
    with Index.open(url) as index:
        assert index.budget.remaining(date(2026, 11, 1), 100) == 2


def _add_for_ever(url: str, started) -> None:
    rng = np.random.default_rng(11)
    with Index.open(url) as index:
        number = 0
        while True:
            index.add(synthetic(rng, f"acme/model-{number}", views=60), seen_at=NOW)
            number += 1
            if number % 5 == 0:
                index.compact()
            if number == 3:
                started.set()


def test_a_killed_process_leaves_whole_revisions_behind(tmp_path: Path) -> None:
    path = tmp_path / "index.db"
    url = f"sqlite:///{path}"
    for _ in range(3):
        started = SPAWN.Event()
        process = SPAWN.Process(target=_add_for_ever, args=(url, started))
        process.start()
        assert started.wait(PATIENCE_S)
        os.kill(process.pid, signal.SIGKILL)
        process.join(PATIENCE_S)
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()
    with Index.open(url) as index:
        statistics = index.statistics()
        assert statistics.size.revisions >= 3
        assert statistics.size.families == 60 * statistics.bundles
        assert statistics.bands + statistics.bands_new == 16 * statistics.size.families
        for number in range(1, statistics.size.revisions + 1):
            stored = index.fingerprint(index.revision(number).id)
            assert index.candidates(stored)[0].repo == stored.origin.repo
        index.add(synthetic(np.random.default_rng(12), "acme/after"), seen_at=NOW)


def test_a_writer_that_cannot_get_the_lock_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.05)
    path = tmp_path / "index.db"
    with Index.open(f"sqlite:///{path}") as index:
        holder = sqlite3.connect(path, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(IndexBusyError):
            index.withdraw("acme/model")
        assert index.size().revisions == 0
        holder.execute("ROLLBACK")
        holder.close()
        assert index.withdraw("acme/model") == 0
