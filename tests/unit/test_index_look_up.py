"""Seed and extend finds what comparing with every centre finds; candidates by their rules."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine

from kinprint.index.bands import compact
from kinprint.index.database import open_engine
from kinprint.index.entry import enter
from kinprint.index.evidence import evidence_of
from kinprint.index.exact import exact_hits
from kinprint.index.look_up import HIT_BITS, find_hits
from kinprint.index.store import Index
from synthetic_fingerprints import (
    SHAPES,
    commit_of,
    joined,
    part_of,
    relative,
    same_weights,
    synthetic,
)

NOW = datetime(2026, 11, 1, tzinfo=UTC)
VIEWS = 100
BY_BANDS_ALONE = 0
"""Families above which a class is searched by bands: none is small enough to be scanned."""


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    with Index.open(f"sqlite:///{tmp_path / 'index.db'}") as opened:
        yield opened


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    opened = open_engine(f"sqlite:///{tmp_path / 'index.db'}")
    yield opened
    opened.dispose()


def _pairs(hits) -> dict[tuple[int, int], tuple[int, bool]]:
    columns = (hits.block, hits.family, hits.bits, hits.negated)
    return {
        (block, family): (bits, negated)
        for block, family, bits, negated in zip(*(each.tolist() for each in columns), strict=True)
    }


@pytest.mark.slow
def test_seed_and_extend_finds_what_comparing_with_all_finds(engine, rng) -> None:
    """At least 0.99 of repos of 100 views at distances to 75, and nothing that is not there."""
    models = [synthetic(rng, f"acme/model-{number}", views=VIEWS) for number in range(4)]
    for number, model in enumerate(models):
        enter(engine, model, seen_at=NOW, probes=())
        if number == 2:
            compact(engine)
    recall = []
    for trial in range(100):
        model = models[trial % len(models)]
        query = relative(
            rng, model, None, hamming_bits=(24, 40, 64, 70, 75)[trial % 5], negated=trial % 3 == 0
        )
        evidence = evidence_of(query)
        with engine.connect() as connection:
            quick = _pairs(find_hits(connection, evidence, exact_families=BY_BANDS_ALONE))
            exact = _pairs(exact_hits(connection, evidence, HIT_BITS))
        assert quick.items() <= exact.items()
        assert len(exact) >= VIEWS
        recall.append(len(quick) / len(exact))
    assert np.mean(np.array(recall) >= 0.99) >= 0.99


def test_classes_that_are_scanned_and_searched_may_meet_in_one_query(engine, rng) -> None:
    small = synthetic(rng, "acme/small", views=4, shapes=SHAPES[:1])
    large = synthetic(rng, "acme/large", views=40, shapes=SHAPES[1:])
    enter(engine, joined(small, large, "acme/both"), seen_at=NOW, probes=())
    query = relative(rng, joined(small, large, None), None, hamming_bits=60)
    evidence = evidence_of(query)
    with engine.connect() as connection:
        found = _pairs(find_hits(connection, evidence, exact_families=4))
        assert found == _pairs(exact_hits(connection, evidence, HIT_BITS))
    assert len(found) == 44


def test_strangers_hit_nothing(engine, rng) -> None:
    enter(engine, synthetic(rng, views=VIEWS), seen_at=NOW, probes=())
    stranger = evidence_of(synthetic(rng, views=VIEWS))
    with engine.connect() as connection:
        assert len(find_hits(connection, stranger)) == 0
        assert len(find_hits(connection, stranger, exact_families=BY_BANDS_ALONE)) == 0


def test_compacting_changes_no_answer(index, rng) -> None:
    models = [synthetic(rng, f"acme/model-{number}") for number in range(4)]
    for model in models[:2]:
        index.add(model, seen_at=NOW)
    assert index.compact() == 2 * 12 * 16
    for model in models[2:]:
        index.add(model, seen_at=NOW)
    found = [index.candidates(model) for model in models]
    assert index.compact() == 2 * 12 * 16
    assert index.compact() == 0
    assert [index.candidates(model) for model in models] == found
    statistics = index.statistics()
    assert (statistics.bands, statistics.bands_new) == (4 * 12 * 16, 0)


def test_an_exact_copy_comes_before_its_relatives(index, rng) -> None:
    base = synthetic(rng, "acme/base")
    index.add(base, seen_at=NOW)
    children = [relative(rng, base, f"acme/child-{n}", hamming_bits=4) for n in range(5)]
    for child in children:
        index.add(child, seen_at=NOW)
    found = index.candidates(same_weights(children[3], None))
    assert found[0].repo == "acme/child-3"
    assert len(found) == 6


def test_a_repo_does_not_match_itself(index, rng) -> None:
    base = synthetic(rng, "acme/base", aliases=("acme/former",))
    index.add(base, seen_at=NOW)
    index.add(same_weights(base, "evil/copy"), seen_at=NOW)
    assert [each.repo for each in index.candidates(base, exclude_repo="Acme/Base")] == ["evil/copy"]
    assert [each.repo for each in index.candidates(base, exclude_repo="acme/former")] == [
        "evil/copy"
    ]
    assert len(index.candidates(base, exclude_repo="acme/unknown")) == 2


def test_each_repo_comes_once_by_its_newest_revision_that_matches(index, rng) -> None:
    first = synthetic(rng, "acme/base", revision=commit_of(1))
    index.add(first, seen_at=NOW)
    second = relative(rng, first, "acme/base", hamming_bits=10, revision=commit_of(2))
    newest = index.add(second, seen_at=NOW + timedelta(days=1))
    assert [each.revision_id for each in index.candidates(first)] == [newest]

    elsewhere = synthetic(rng, "acme/base", revision=commit_of(3))
    index.add(elsewhere, seen_at=NOW + timedelta(days=2))
    old = {each.revision_id for each in index.candidates(first)}
    assert len(old) == 1
    assert index.revision(old.pop()).superseded


def test_a_newest_revision_that_kept_only_a_part_does_not_hide_the_old_one(index, rng) -> None:
    first = synthetic(rng, "acme/base", revision=commit_of(1))
    old = index.add(first, seen_at=NOW)
    kept = joined(
        part_of(first, range(2), None), synthetic(rng), "acme/base", revision=commit_of(2)
    )
    index.add(kept, seen_at=NOW + timedelta(days=1))
    assert [each.revision_id for each in index.candidates(first)] == [old]


def test_rare_families_weigh_more_than_common_ones(index, rng) -> None:
    base, projector = synthetic(rng, "acme/base", views=10), synthetic(rng, views=4)
    index.add(base, seen_at=NOW)
    for number in range(6):
        index.add(relative(rng, base, f"acme/child-{number}", hamming_bits=3), seen_at=NOW)
    index.add(
        joined(relative(rng, base, None, hamming_bits=3), projector, "acme/vision"), seen_at=NOW
    )
    query = joined(relative(rng, base, None, hamming_bits=3), projector, "evil/vision")
    found = index.candidates(query)
    assert found[0].repo == "acme/vision"
    assert found[0].votes > 1.5 * found[1].votes
    only_projector = index.candidates(part_of(query, range(10, 14), None))
    assert [each.repo for each in only_projector] == ["acme/vision"]


def test_the_limit_holds_and_the_first_seen_come_first_among_equals(index, rng) -> None:
    base = synthetic(rng, "acme/base")
    index.add(base, seen_at=NOW)
    for number in range(6):
        child = relative(rng, base, f"acme/child-{number}", hamming_bits=3)
        index.add(child, seen_at=NOW + timedelta(days=6 - number))
    query = relative(rng, base, None, hamming_bits=3)
    assert [each.repo for each in index.candidates(query, limit=3)] == [
        "acme/base",
        "acme/child-5",
        "acme/child-4",
    ]


def test_a_query_is_not_stored(index, rng) -> None:
    index.candidates(synthetic(rng, None))
    assert index.size().revisions == 0
