"""Repos that were asked for: once each, in turn, taken over when a worker dies; and the budget."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from kinprint.errors import BudgetError, MissingError
from kinprint.fingerprint.probes import Probe
from kinprint.index.probes import PartnerProbe
from kinprint.index.readings import MOST_ATTEMPTS, Reading, ReadingState
from kinprint.index.store import Index
from synthetic_fingerprints import synthetic

NOW = datetime(2026, 11, 1, tzinfo=UTC)
LEASE_S = 60.0
LATER = NOW + timedelta(seconds=LEASE_S)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    with Index.open(f"sqlite:///{tmp_path / 'index.db'}") as opened:
        yield opened


def _ask(index: Index, repo: str, revision: str | None = None) -> Reading:
    return index.readings.request(repo, revision, at=NOW, queue_limit=10)[0]


def test_a_repo_asked_for_twice_is_read_once(index) -> None:
    first, is_new = index.readings.request("acme/model", None, at=NOW, queue_limit=10)
    assert is_new
    assert first.state is ReadingState.QUEUED
    again, is_new = index.readings.request("ACME/Model", None, at=LATER, queue_limit=10)
    assert not is_new
    assert again == first
    taken = index.readings.take(at=NOW, lease_s=LEASE_S)
    again, is_new = index.readings.request("acme/model", None, at=NOW, queue_limit=10)
    assert (again, is_new) == (taken, False)
    assert index.readings.queue_length() == 0


def test_after_it_ended_it_can_be_asked_for_again(index) -> None:
    first = _ask(index, "acme/model")
    assert index.readings.finish(index.readings.take(at=NOW, lease_s=LEASE_S), at=NOW)
    assert index.readings.get(first.id).state is ReadingState.DONE
    second = _ask(index, "acme/model")
    assert second.id > first.id
    assert index.readings.latest("acme/model") == second


def test_another_revision_is_another_reading(index) -> None:
    main, tag = _ask(index, "acme/model"), _ask(index, "acme/model", "v1")
    assert main.id != tag.id
    assert index.readings.latest("acme/model") == main
    assert index.readings.latest("acme/model", "v1") == tag
    assert index.readings.latest("acme/model", "v2") is None
    assert index.readings.latest_of_any_revision("Acme/Model") == tag


def test_readings_are_taken_in_turn(index) -> None:
    ids = [_ask(index, f"acme/model-{number}").id for number in range(3)]
    assert [index.readings.position(number) for number in ids] == [1, 2, 3]
    assert index.readings.waiting(at=NOW) == tuple(ids)
    taken = index.readings.take(at=NOW, lease_s=LEASE_S)
    assert taken.id == ids[0]
    assert taken.state is ReadingState.READING
    assert [index.readings.position(number) for number in ids] == [0, 1, 2]
    assert index.readings.take(at=NOW, lease_s=LEASE_S, reading_id=ids[2]).id == ids[2]
    assert index.readings.take(at=NOW, lease_s=LEASE_S, reading_id=ids[2]) is None
    assert index.readings.waiting(at=NOW) == (ids[1],)
    assert index.readings.take(at=NOW, lease_s=LEASE_S).id == ids[1]
    assert index.readings.take(at=NOW, lease_s=LEASE_S) is None


def test_a_full_queue_says_when_to_come_back(index) -> None:
    for number in range(10):
        _ask(index, f"acme/model-{number}")
    with pytest.raises(BudgetError, match="10 repos wait") as caught:
        _ask(index, "acme/one-too-many")
    assert caught.value.retry_after_s > 0
    assert _ask(index, "acme/model-3").state is ReadingState.QUEUED


def test_a_failure_keeps_its_code_message_and_hint(index) -> None:
    asked = _ask(index, "acme/model")
    taken = index.readings.take(at=NOW, lease_s=LEASE_S)
    assert index.readings.fail(
        taken, at=LATER, code="malformed_header", message="It lies", hint="Check it"
    )
    failed = index.readings.get(asked.id)
    assert (failed.state, failed.finished_at) == (ReadingState.FAILED, LATER)
    assert (failed.code, failed.message, failed.hint) == ("malformed_header", "It lies", "Check it")
    assert index.why_unread("acme/model") == "It lies"


def test_a_dead_workers_reading_is_taken_over_and_its_ghost_is_ignored(index) -> None:
    _ask(index, "acme/model")
    ghost = index.readings.take(at=NOW, lease_s=LEASE_S)
    assert index.readings.waiting(at=NOW) == ()
    assert index.readings.waiting(at=LATER) == (ghost.id,)
    heir = index.readings.take(at=LATER, lease_s=LEASE_S)
    assert heir.id == ghost.id
    assert heir.attempts == 2
    assert not index.readings.renew(ghost, at=LATER, lease_s=LEASE_S)
    assert not index.readings.finish(ghost, at=LATER)
    assert not index.readings.fail(ghost, at=LATER, code="c", message="m", hint="h")
    assert index.readings.get(heir.id) == heir
    assert index.readings.finish(heir, at=LATER)


def test_a_renewed_lease_is_not_taken_over(index) -> None:
    _ask(index, "acme/model")
    taken = index.readings.take(at=NOW, lease_s=LEASE_S)
    assert index.readings.renew(taken, at=NOW + timedelta(seconds=50), lease_s=LEASE_S)
    assert index.readings.take(at=LATER, lease_s=LEASE_S) is None


def test_a_repo_that_kills_its_workers_is_given_up(index) -> None:
    asked = _ask(index, "acme/bomb")
    at = NOW
    for _ in range(MOST_ATTEMPTS):
        assert index.readings.take(at=at, lease_s=LEASE_S) is not None
        at += timedelta(seconds=LEASE_S)
    assert index.readings.take(at=at, lease_s=LEASE_S) is None
    failed = index.readings.get(asked.id)
    assert (failed.state, failed.code) == (ReadingState.FAILED, "reading_interrupted")


def test_a_reading_that_is_not_there_is_named(index) -> None:
    with pytest.raises(MissingError, match="42"):
        index.readings.get(42)
    assert index.readings.latest("acme/model") is None
    assert index.readings.position(42) == 0
    assert index.why_unread("acme/model") == "it was never asked for"


def test_why_a_base_was_not_read_follows_its_reading(index) -> None:
    _ask(index, "acme/base", "main")
    assert index.why_unread("acme/base") == "it waits to be read"
    index.readings.finish(index.readings.take(at=NOW, lease_s=LEASE_S), at=NOW)
    assert index.why_unread("acme/base") == "it was read, but could not be stored"


def test_bytes_are_booked_all_or_none(index) -> None:
    day, next_day = date(2026, 11, 1), date(2026, 11, 2)
    assert index.budget.remaining(day, 100) == 100
    assert index.budget.spend(60, day, limit_bytes=100)
    assert not index.budget.spend(41, day, limit_bytes=100)
    assert index.budget.spend(40, day, limit_bytes=100)
    assert index.budget.remaining(day, 100) == 0
    assert index.budget.spend(5, day)
    assert index.budget.remaining(day, 100) == 0
    assert index.budget.remaining(day, 200) == 95
    assert index.budget.remaining(next_day, 100) == 100


def test_secret_signs_are_kept_by_key(index) -> None:
    rng = np.random.default_rng(9)
    probe = Probe(block=2, key_id="old", row_offset=77, signs=bytes(range(32)))
    renewed = Probe(block=2, key_id="new", row_offset=12, signs=bytes(32))
    fingerprint = synthetic(rng, "acme/original")
    original = index.add(fingerprint, seen_at=NOW, probes=[probe])
    index.add(fingerprint, seen_at=NOW, probes=[probe, renewed])
    assert set(index.probes.of(original)) == {probe, renewed}
    suspect = index.add(synthetic(rng, "evil/copy"), seen_at=NOW)
    index.probes.add(suspect, [probe])
    assert index.probes.of(suspect) == (probe,)
    partner = PartnerProbe(of_revision_id=original, of_block=2, probe=renewed)
    index.probes.add_partners(suspect, [partner, partner])
    assert index.probes.partners(suspect, original) == (partner,)
    assert index.probes.partners(original, suspect) == ()
