"""Which tensor is which: names, order and sharding play no part."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import weights as w
from kinprint.errors import FingerprintError
from kinprint.lineage.likelihood import NOT_COMPARABLE
from kinprint.lineage.matching import Matching, e_values, evidence_views, view_groups
from synthetic_fingerprints import flip_bits, relative, synthetic

if TYPE_CHECKING:
    from numpy.typing import NDArray

BASE = w.strangers(0, layers=8)


@pytest.fixture(scope="module")
def base():
    return w.fingerprint(BASE)


def key_map(matching: Matching) -> dict[str, str]:
    return {
        matching.query.views[pair.query].name: matching.candidate.views[pair.candidate].name
        for pair in matching.accepted
    }


def dense_bits(matching: Matching) -> NDArray[np.uint8]:
    """The whole matrix that is never held."""
    shape = len(matching.query_views), len(matching.candidate_views)
    bits = np.full(shape, NOT_COMPARABLE, np.uint8)
    for panel in matching.panels():
        bits[np.ix_(panel.rows, panel.cols)] = panel.bits
    return bits


@settings(max_examples=15, deadline=None)
@given(st.permutations(list(BASE)), st.floats(0.001, 0.03))
def test_keys_are_recovered_under_noise_whatever_the_order(base, order, sigma: float) -> None:
    shuffled = {f"x{number}": BASE[name] for number, name in enumerate(order)}
    matching = Matching(w.fingerprint(w.noised(shuffled, sigma)), base)
    expected = {f"x{number}": name for number, name in enumerate(order) if BASE[name].ndim == 2}
    assert key_map(matching) == expected


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 70), st.integers(0, 2**32 - 1))
def test_distance_is_symmetric_and_exact(bits: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    parent = synthetic(rng)
    child = relative(rng, parent, "bo/child", hamming_bits=bits)
    forth, back = Matching(child, parent), Matching(parent, child)
    assert (dense_bits(forth) == dense_bits(back).T).all()
    assert {pair.hamming_bits for pair in forth.accepted} == {bits}


def test_repeated_layers_pair_one_to_one_in_stored_order(base) -> None:
    twice = {f"{copy}.{name}": value for copy in "ab" for name, value in BASE.items()}
    matching = Matching(w.fingerprint(twice), base)
    assert len(matching.accepted) == 8
    assert len({pair.candidate for pair in matching.accepted}) == 8


def test_a_strange_sketch_is_never_compared(base) -> None:
    with pytest.raises(FingerprintError, match="cannot be compared"):
        Matching(base, replace(base, sketch_name="kps9-other-k0"))


def test_views_of_another_width_are_not_compared(base) -> None:
    matching = Matching(w.fingerprint(w.strangers(1, size=320)), base)
    assert matching.pairs == ()
    assert matching.claim(n_revisions=1).groups_for == 0


def test_upcycled_experts_count_as_one_group(base) -> None:
    rng = np.random.default_rng(2)
    one = BASE["layers.0.weight"]
    experts = {
        f"expert.{i}": (one + rng.normal(0, 0.005, one.shape)).astype(np.float32) for i in range(6)
    }
    groups = view_groups(w.fingerprint(experts | w.strangers(3, layers=4)))
    assert len(set(groups.tolist())) == 5


def test_generated_views_are_no_evidence() -> None:
    parent = synthetic(np.random.default_rng(3))
    views = (replace(parent.views[0], generated="sinusoid"), *parent.views[1:])
    marked = replace(parent, views=views)
    assert 0 not in evidence_views(marked)
    assert 0 not in {pair.query for pair in Matching(marked, parent).pairs}


def test_the_better_of_two_blocks_names_the_distance() -> None:
    rng = np.random.default_rng(4)
    parent = synthetic(rng, views=6, shapes=[(0, 64, 384)])
    second = synthetic(rng, views=6, shapes=[(1024, 64, 384)])
    columns = {
        name: np.concatenate([column, getattr(second.blocks, name)])
        for name, column in vars(parent.blocks).items()
    }
    tall = replace(parent, blocks=replace(parent.blocks, **columns))
    phash = tall.blocks.phash.copy()
    phash[:6] = rng.integers(0, 256, (6, 32), dtype=np.uint8)
    phash[6:] = flip_bits(rng, phash[6:], 10)
    child = replace(tall, blocks=replace(tall.blocks, phash=phash))
    matching = Matching(child, tall)
    assert {pair.hamming_bits for pair in matching.accepted} == {10}
    assert {len(pair.blocks) for pair in matching.accepted} == {2}
    single = Matching(replace(child, blocks=second.blocks), replace(tall, blocks=second.blocks))
    best, best_of_one = (
        max(e_values(panel).max() for panel in each.panels()) for each in (matching, single)
    )
    assert best < best_of_one
