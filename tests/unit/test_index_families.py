"""Families, their centres and signs; bundles and what a revision differs in."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from kinprint.index.database import open_engine
from kinprint.index.distances import NEAREST, near_pairs
from kinprint.index.entry import enter
from kinprint.index.evidence import all_hits, evidence_of
from kinprint.index.families import FAMILY_BITS, assign
from kinprint.index.schema import bundle, family, revision, revision_difference
from synthetic_fingerprints import flip_bits, joined, part_of, relative, synthetic

NOW = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    opened = open_engine(f"sqlite:///{tmp_path / 'index.db'}")
    yield opened
    opened.dispose()


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(6)


def _add(engine: Engine, fingerprint) -> int:
    return enter(engine, fingerprint, seen_at=NOW, probes=())


def _centres(engine: Engine) -> list[bytes]:
    with engine.connect() as connection:
        return list(connection.scalars(select(family.c.centre).order_by(family.c.id)))


def _difference(engine: Engine, revision_id: int) -> dict[int, int]:
    query = select(revision_difference).where(revision_difference.c.revision_id == revision_id)
    with engine.connect() as connection:
        return {row.family_id: row.sign for row in connection.execute(query)}


def _bundle_of(engine: Engine, revision_id: int) -> int:
    with engine.connect() as connection:
        return connection.scalar(select(revision.c.bundle_id).where(revision.c.id == revision_id))


@given(seed=st.integers(0, 2**32), within=st.integers(0, 127), n=st.integers(0, 6))
def test_near_pairs_are_those_that_bit_counting_finds(seed: int, within: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    a = rng.integers(0, 256, (n, 32), dtype=np.uint8)
    b = np.concatenate([rng.integers(0, 256, (4, 32), dtype=np.uint8), a[:2], ~a[2:4]])
    expected = set()
    for i, left in enumerate(a):
        for j, right in enumerate(b):
            bits = int(np.unpackbits(left ^ right).sum())
            if min(bits, 256 - bits) <= within:
                expected.add((i, j, min(bits, 256 - bits), bits > 128))
    pairs = near_pairs(a, b, within)
    assert set(zip(*(column.tolist() for column in pairs), strict=True)) == expected


def test_crafted_hashes_give_a_bounded_number_of_pairs(rng) -> None:
    one = rng.integers(0, 256, (1, 32), dtype=np.uint8)
    crowd = np.concatenate([np.repeat(one, 500, axis=0), flip_bits(rng, one, 1), one])
    pairs = near_pairs(crowd, crowd, within_bits=85)
    assert np.bincount(pairs.row).tolist() == [NEAREST] * len(crowd)
    assert set(pairs.bits[pairs.row != 500].tolist()) == {0}


def test_near_copies_join_and_far_ones_found(engine, rng) -> None:
    base = synthetic(rng, "acme/base", views=12)
    _add(engine, base)
    centres = _centres(engine)
    assert len(centres) == 12
    _add(engine, relative(rng, base, "acme/near", hamming_bits=FAMILY_BITS))
    _add(engine, relative(rng, base, "acme/minus", hamming_bits=12, negated=True))
    assert _centres(engine) == centres
    _add(engine, relative(rng, base, "acme/far", hamming_bits=FAMILY_BITS + 1))
    assert len(_centres(engine)) == 24
    assert _centres(engine)[:12] == centres


def test_a_chain_of_small_steps_does_not_move_the_centre(engine, rng) -> None:
    last = synthetic(rng, "acme/step-0", views=6)
    _add(engine, last)
    centres = _centres(engine)
    for step in range(1, 6):
        last = relative(rng, last, f"acme/step-{step}", hamming_bits=30)
        _add(engine, last)
    assert _centres(engine)[:6] == centres
    assert len(_centres(engine)) > 6


def test_equal_shapes_alone_join_families(engine, rng) -> None:
    base = synthetic(rng, "acme/base", views=6, shapes=[(0, 64, 384)])
    wide = synthetic(rng, "acme/wide", views=6, shapes=[(0, 32, 1024)])
    _add(engine, base)
    _add(engine, joined(part_of(wide, [], None), wide, "acme/wide"))
    same_bits = part_of(base, range(6), "acme/other")
    same_bits.blocks.start[:] = 1_024
    _add(engine, same_bits)
    assert len(_centres(engine)) == 18


def test_upcycled_experts_of_one_revision_are_one_family(rng) -> None:
    expert = synthetic(rng, views=1)
    stack = expert
    for number in range(7):
        copied = relative(rng, expert, None, hamming_bits=5, negated=number % 2 == 1)
        stack = joined(stack, copied, "acme/moe")
    evidence = evidence_of(stack)
    membership = assign(evidence, all_hits([]), first_new_family=100)
    assert membership.family.tolist() == [100] * 8
    assert membership.negated.tolist() == [False, False, True, False, True, False, True, False]
    assert membership.founders.tolist() == [0]
    assert membership.signs() == {100: 1}


@given(seed=st.integers(0, 2**32), bits=st.integers(0, 128))
def test_flipping_gives_exactly_that_distance(seed: int, bits: int) -> None:
    rng = np.random.default_rng(seed)
    phash = rng.integers(0, 256, (3, 32), dtype=np.uint8)
    flipped = flip_bits(rng, phash, bits)
    assert np.unpackbits(phash ^ flipped, axis=1).sum(axis=1).tolist() == [bits] * 3


def test_children_share_their_bases_bundle_and_list_what_differs(engine, rng) -> None:
    base = synthetic(rng, "acme/base", views=12)
    base_id = _add(engine, base)
    assert _difference(engine, base_id) == {}

    child = relative(rng, base, "acme/child", hamming_bits=8)
    child.blocks.phash[3] = ~child.blocks.phash[3]
    projector = synthetic(rng, views=1)
    child = joined(part_of(child, range(11), None), projector, "acme/child")
    child_id = _add(engine, child)
    assert _bundle_of(engine, child_id) == _bundle_of(engine, base_id)
    # Families 1 to 12 are the base's by class; the child founds the 13th.
    difference = _difference(engine, child_id)
    assert sorted(difference.values()) == [-1, 0, 1]
    assert difference[13] == 1

    with engine.connect() as connection:
        assert connection.execute(select(bundle.c.families, bundle.c.revisions)).all() == [(12, 2)]


def test_a_model_that_shares_little_founds_its_own_bundle(engine, rng) -> None:
    base = synthetic(rng, "acme/base", views=12)
    base_id = _add(engine, base)
    half = joined(part_of(base, range(5), None), synthetic(rng, views=7), "acme/part")
    half_id = _add(engine, half)
    assert _bundle_of(engine, half_id) != _bundle_of(engine, base_id)
    assert _difference(engine, half_id) == {}
