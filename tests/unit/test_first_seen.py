"""What an instance says of time is signed, and anybody can check it."""

from __future__ import annotations

import sqlite3
import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import numpy as np
import pytest

from kinprint.errors import UsageError
from kinprint.index.signing import FirstSeen, WitnessKey, statement_of, verify_first_seen
from kinprint.index.store import Index
from synthetic_fingerprints import same_weights, synthetic

if TYPE_CHECKING:
    from pathlib import Path

DAY_0 = datetime(2026, 11, 1, 12, 30, tzinfo=UTC)


@pytest.fixture
def key(tmp_path: Path) -> WitnessKey:
    return WitnessKey.load_or_create(tmp_path / "witness.key", "instance-1")


def signed(key: WitnessKey) -> FirstSeen:
    digest = "ab" * 32
    signature = key.sign("files", digest, DAY_0)
    return FirstSeen("files", digest, DAY_0, "instance-1", signature)


def test_a_signed_statement_is_confirmed_and_a_changed_one_is_not(key: WitnessKey) -> None:
    statement = signed(key)
    assert verify_first_seen(statement, key.public)
    for changed in (
        replace(statement, first_seen=DAY_0 - timedelta(microseconds=1)),
        replace(statement, digest="ac" * 32),
        replace(statement, digest_kind="sketches"),
        replace(statement, instance_id="instance-2"),
        replace(statement, signature=b""),
        replace(statement, signature=statement.signature[::-1]),
    ):
        assert not verify_first_seen(changed, key.public)


def test_the_zone_in_which_a_time_is_written_does_not_matter(key: WitnessKey) -> None:
    statement = signed(key)
    elsewhere = DAY_0.astimezone(timezone(timedelta(hours=9)))
    assert verify_first_seen(replace(statement, first_seen=elsewhere), key.public)


def test_the_signed_bytes_stay_what_they_are(key: WitnessKey) -> None:
    assert statement_of(signed(key)) == (
        b'{"digest":"' + b"ab" * 32 + b'","digest_kind":"files",'
        b'"first_seen":"2026-11-01T12:30:00.000000+00:00",'
        b'"format":"kinprint-first-seen-1","instance_id":"instance-1"}'
    )


def test_another_instances_key_confirms_nothing(key: WitnessKey, tmp_path: Path) -> None:
    other = WitnessKey.load_or_create(tmp_path / "other.key", "instance-1")
    assert not verify_first_seen(signed(key), other.public)


@pytest.mark.parametrize("text", ["", "ab", "zz" * 32, "ab" * 33])
def test_a_public_key_that_is_none_is_a_usage_error(key: WitnessKey, text: str) -> None:
    with pytest.raises(UsageError, match="64 hexadecimal digits"):
        verify_first_seen(signed(key), text)


def test_the_key_is_made_once_for_its_owner_alone_and_never_shown(tmp_path: Path) -> None:
    path = tmp_path / "witness.key"
    made = WitnessKey.load_or_create(path, "instance-1")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = WitnessKey.load_or_create(path, "instance-1")
    assert again.public == made.public
    assert again.public in repr(again)
    assert "PRIVATE" not in repr(again)


def test_a_key_that_others_can_read_or_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "witness.key"
    WitnessKey.load_or_create(path, "instance-1")
    path.chmod(0o640)
    with pytest.raises(UsageError, match="Others can read the witness key"):
        WitnessKey.load_or_create(path, "instance-1")
    path.chmod(0o600)
    path.write_bytes(b"not a key")
    with pytest.raises(UsageError, match="malformed"):
        WitnessKey.load_or_create(path, "instance-1")


def test_an_index_signs_what_it_sees_first(tmp_path: Path) -> None:
    original = synthetic(np.random.default_rng(3), "acme/original")
    url, file = f"sqlite:///{tmp_path / 'index.db'}", tmp_path / "witness.key"
    with Index.open(url, witness_key_file=file) as index:
        index.add(original, seen_at=DAY_0)
        index.add(same_weights(original, "evil/copy"), seen_at=DAY_0 + timedelta(days=3))
        found = index.witnesses(original)
        instance_id = index.instance_id()
        public = index.witness_key.public
    assert [(each.digest_kind, each.at) for each in found] == [
        ("files", DAY_0),
        ("sketches", DAY_0),
    ]
    for each in found:
        statement = FirstSeen(each.digest_kind, each.digest, each.at, instance_id, each.proof)
        assert verify_first_seen(statement, public)


def test_witnesses_of_an_older_version_still_count_unsigned(tmp_path: Path) -> None:
    original = synthetic(np.random.default_rng(3), "acme/original")
    path = tmp_path / "index.db"
    with Index.open(f"sqlite:///{path}") as index:
        index.add(original, seen_at=DAY_0)
    connection = sqlite3.connect(path)
    connection.execute("ALTER TABLE witness DROP COLUMN statement")
    connection.execute("ALTER TABLE witness DROP COLUMN proof")
    connection.execute("UPDATE alembic_version SET version_num = '0002'")
    connection.commit()
    connection.close()
    with Index.open(f"sqlite:///{path}") as index:
        assert index.interval(original).not_after == DAY_0
        assert {each.proof for each in index.witnesses(original)} == {b""}
