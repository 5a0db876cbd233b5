"""When exactly these weights were seen, in whichever repo."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import StatementError

from kinprint.index.store import Index
from kinprint.index.witnesses import weight_sets
from synthetic_fingerprints import relative, same_weights, synthetic

CREATED = datetime(2026, 1, 1, tzinfo=UTC)
DAY_0 = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    with Index.open(f"sqlite:///{tmp_path / 'index.db'}") as opened:
        yield opened


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(8)


def test_weights_are_dated_by_the_first_repo_they_were_seen_in(index, rng) -> None:
    original = synthetic(rng, "acme/original")
    number = index.add(original, seen_at=DAY_0)
    copy = same_weights(original, "evil/copy", created_at=DAY_0 + timedelta(days=2))
    index.add(copy, seen_at=DAY_0 + timedelta(days=5))
    first, second = index.interval(original), index.interval(copy)
    assert (first.not_before, first.not_after) == (CREATED, DAY_0)
    assert (second.not_before, second.not_after) == (CREATED, DAY_0)
    assert index.interval(index.revision(number)) == first
    assert first.weight_sets == second.weight_sets
    assert {each.split(":")[0] for each in first.weight_sets} == {"files", "sketches"}


def test_only_the_repo_in_which_weights_were_first_seen_is_dated_by_them(index, rng) -> None:
    original = synthetic(rng, "acme/original")
    index.add(original, seen_at=DAY_0)
    copy = same_weights(original, "evil/copy", created_at=DAY_0 + timedelta(days=2))
    index.add(copy, seen_at=DAY_0 + timedelta(days=5))
    first, second = index.interval(original), index.interval(copy)
    assert (first.repo_not_before, first.repo_not_after) == (CREATED, DAY_0)
    assert second.repo_not_before == DAY_0 + timedelta(days=2)
    assert second.repo_not_after is None


def test_a_repo_that_is_older_than_the_hub_tells_bounds_nothing_from_below(index, rng) -> None:
    floor = datetime(2022, 3, 2, 23, 29, 4, tzinfo=UTC)
    old = synthetic(rng, "acme/original", created_at=floor)
    index.add(old, seen_at=DAY_0)
    assert index.interval(old).not_before is None
    moved = same_weights(old, "acme/moved", created_at=DAY_0)
    assert index.interval(moved).not_before is None
    assert index.interval(moved).repo_not_before == DAY_0


def test_changed_weights_are_other_weights(index, rng) -> None:
    original = synthetic(rng, "acme/original")
    index.add(original, seen_at=DAY_0)
    noisy = relative(rng, original, "evil/copy", hamming_bits=2)
    assert index.interval(noisy).not_after is None
    index.add(noisy, seen_at=DAY_0 + timedelta(days=5))
    assert index.interval(noisy).not_after == DAY_0 + timedelta(days=5)
    assert index.interval(original).not_after == DAY_0


def test_a_copy_whose_xxh3_was_forged_was_not_seen_before_it_was_made(index, rng) -> None:
    early = synthetic(rng, "evil/old")
    index.add(early, seen_at=DAY_0)
    copied = synthetic(rng, "acme/original")
    forged = replace(
        early,
        files=tuple(file.model_copy(update={"sha256": None}) for file in early.files),
        blocks=replace(early.blocks, phash=copied.blocks.phash, sketch=copied.blocks.sketch),
    )
    assert index.interval(forged).not_after is None


def test_equal_files_are_equal_weights(index, rng) -> None:
    original = synthetic(rng, "acme/original")
    index.add(original, seen_at=DAY_0)
    digest = rng.integers(0, 256, original.blocks.digest.shape, dtype=np.uint8)
    same_files = replace(original, blocks=replace(original.blocks, digest=digest))
    assert index.interval(same_files).not_after == DAY_0
    unknown = tuple(file.model_copy(update={"sha256": None}) for file in original.files)
    assert index.interval(replace(same_files, files=unknown)).not_after is None


def test_an_earlier_sighting_wins_whenever_it_is_told(index, rng) -> None:
    original = synthetic(rng, "acme/original")
    index.add(original, seen_at=DAY_0)
    index.add(same_weights(original, "acme/mirror"), seen_at=DAY_0 - timedelta(days=1))
    assert index.interval(original).not_after == DAY_0 - timedelta(days=1)


def test_an_old_repo_that_was_filled_later_begins_nothing(index, rng) -> None:
    honest = synthetic(rng, "honest/new", created_at=DAY_0 + timedelta(days=5))
    index.add_timestamp(
        weight_sets(honest), at=DAY_0 - timedelta(days=10), statement=b"{}", token=b"0"
    )
    assert index.interval(honest).not_before is None
    index.add(honest, seen_at=DAY_0 + timedelta(days=6))
    old = same_weights(honest, "accomplice/old", created_at=DAY_0 - timedelta(days=12))
    index.add(old, seen_at=DAY_0 + timedelta(days=7))
    assert index.interval(honest).not_before is None
    assert index.interval(honest).not_after == DAY_0 - timedelta(days=10)


def test_weights_that_were_seen_in_an_older_repo_began_there(index, rng) -> None:
    old = synthetic(rng, "honest/old", created_at=DAY_0 - timedelta(days=3))
    index.add(old, seen_at=DAY_0)
    new = same_weights(old, "honest/new", created_at=DAY_0 + timedelta(days=5))
    assert index.interval(new)[:2] == (DAY_0 - timedelta(days=3), DAY_0)


@pytest.mark.slow
@settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(st.integers(-4, 4), st.booleans()), min_size=1, max_size=4))
def test_further_witnesses_never_widen_an_interval(tmp_path, told) -> None:
    original = synthetic(np.random.default_rng(1), "acme/original")
    path = tmp_path / "told.db"
    path.unlink(missing_ok=True)
    with Index.open(f"sqlite:///{path}") as index:
        for count, (day, is_stamp) in enumerate(told, 1):
            at = DAY_0 + timedelta(days=day)
            if is_stamp:
                index.add_timestamp(weight_sets(original), at=at, statement=b"{}", token=b"0")
            else:
                index.add(same_weights(original, f"someone/copy-{count}"), seen_at=at)
            earliest = DAY_0 + timedelta(days=min(each for each, _ in told[:count]))
            assert index.interval(original).not_after == earliest


def test_times_come_back_in_utc_and_naive_ones_are_refused(index, rng) -> None:
    original = synthetic(rng, "acme/original")
    local = DAY_0.astimezone(timezone(timedelta(hours=5)))
    index.add(original, seen_at=local)
    assert index.interval(original).not_after == DAY_0
    assert index.interval(original).not_after.tzinfo is UTC
    with pytest.raises(StatementError, match="zone"):
        index.add(synthetic(rng, "acme/other"), seen_at=datetime(2026, 11, 1))
