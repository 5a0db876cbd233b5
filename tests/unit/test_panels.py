"""What is computed a panel at a time is what one matrix of all distances would give."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from unittest.mock import patch

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from scipy.sparse.csgraph import connected_components

from kinprint.lineage import matching as matching_module
from kinprint.lineage import panels as panels_module
from kinprint.lineage.claim import claim
from kinprint.lineage.likelihood import NOT_COMPARABLE, log_e_values
from kinprint.lineage.matching import Matching, view_groups
from kinprint.lineage.thresholds import GROUP_BITS
from kinprint.sketches.distances import each_hamming, folded, hamming
from synthetic_fingerprints import flip_bits, synthetic

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kinprint.fingerprint.record import Fingerprint
    from kinprint.lineage.claim import Claim

CLASSES = ((0, 64, 384), (1024, 64, 384), (0, 32, 1024))


def model(rng: np.random.Generator, pool: NDArray[np.uint8], views: int) -> Fingerprint:
    """Views of one or two blocks, near or equal to those of a small pool, some generated."""
    first = synthetic(rng, views=views, shapes=CLASSES)
    second = synthetic(rng, views=views, shapes=(*CLASSES[1:], CLASSES[0]))
    has_two = np.flatnonzero(rng.random(views) < 0.4)
    columns = {
        name: np.concatenate([column, getattr(second.blocks, name)[has_two]])
        for name, column in vars(first.blocks).items()
    }
    chosen = pool[rng.integers(0, len(pool), len(columns["view"]))]
    columns["phash"] = flip_bits(rng, chosen, int(rng.integers(0, 60)))
    columns["digest"] = columns["phash"][:, :16].copy()
    facts = tuple(
        replace(fact, generated="sinusoid" if rng.random() < 0.1 else None) for fact in first.views
    )
    return replace(first, views=facts, blocks=replace(first.blocks, **columns))


class Dense:
    """The same with one matrix of all pairs, in plain loops."""

    def __init__(self, query: Fingerprint, candidate: Fingerprint) -> None:
        self.query = query
        self.sides = [blocks_of(query), blocks_of(candidate)]
        self.views = [sorted(side) for side in self.sides]
        shape = len(self.views[0]), len(self.views[1])
        self.bits = np.full(shape, NOT_COMPARABLE, np.uint8)
        self.ln_e = np.full(shape, -np.inf)
        for i, mine in enumerate(self.views[0]):
            for j, theirs in enumerate(self.views[1]):
                bits = distances(self.sides[0][mine], self.sides[1][theirs])
                if bits:
                    self.bits[i, j] = min(bits)
                    self.ln_e[i, j] = log_e_values()[min(bits)] - np.log(len(bits))

    def claim(self, groups: NDArray[np.intp]) -> Claim:
        per_view = np.full(len(self.views[0]), -np.inf)
        for i, row in enumerate(self.ln_e):
            comparable = row[self.bits[i] != NOT_COMPARABLE]
            if len(comparable):
                per_view[i] = np.logaddexp.reduce(comparable) - np.log(len(comparable))
        return claim(per_view, groups, n_revisions=7)

    def groups(self) -> NDArray[np.intp]:
        side = self.sides[0]
        near = [
            [min(distances(side[a], side[b]), default=255) <= GROUP_BITS for b in self.views[0]]
            for a in self.views[0]
        ]
        graph = np.array(near, np.bool_).reshape(len(side), len(side))
        return connected_components(graph, directed=False)[1]

    def cost(self) -> NDArray[np.float64]:
        place, other = (np.arange(n) / max(n, 1) for n in self.bits.shape)
        return self.bits + 0.5 * np.abs(place[:, None] - other)

    def is_acceptable(self) -> NDArray[np.bool_]:
        choices = (self.bits != NOT_COMPARABLE).sum(axis=1)
        return self.ln_e > np.log(np.maximum(choices, 1))[:, None]

    def assigned(self) -> set[tuple[int, int]]:
        """The evident pairs, then the assignment of all others at once."""
        near = self.bits <= GROUP_BITS
        alone = near & (near.sum(axis=1) == 1)[:, None] & (near.sum(axis=0) == 1)
        pairs = list(zip(*np.nonzero(alone), strict=True))
        rows = np.flatnonzero(~alone.any(axis=1))
        cols = np.flatnonzero(~alone.any(axis=0))
        left, right = linear_sum_assignment(self.cost()[np.ix_(rows, cols)])
        pairs += [(rows[i], cols[j]) for i, j in zip(left, right, strict=True)]
        return {self.named(i, j) for i, j in pairs if self.bits[i, j] != NOT_COMPARABLE}

    def nearest_first(self) -> set[tuple[int, int]]:
        """Acceptable pairs, the cheapest first."""
        free_rows, free_cols = set(range(self.bits.shape[0])), set(range(self.bits.shape[1]))
        cost = self.cost()
        edges = sorted((cost[i, j], i, j) for i, j in zip(*np.nonzero(self.is_acceptable())))  # noqa: B905
        found = set()
        for _, i, j in edges:
            if i in free_rows and j in free_cols:
                free_rows.remove(i)
                free_cols.remove(j)
                found.add(self.named(i, j))
        return found

    def named(self, i: int, j: int) -> tuple[int, int]:
        return int(self.views[0][i]), int(self.views[1][j])


def blocks_of(fingerprint: Fingerprint) -> dict[int, dict[tuple[int, ...], NDArray[np.uint8]]]:
    """View → class → hash, for the views that are evidence."""
    found: dict[int, dict[tuple[int, ...], NDArray[np.uint8]]] = {}
    blocks = fingerprint.blocks
    for row, view in enumerate(blocks.view.tolist()):
        if fingerprint.views[view].generated is None:
            key = (int(blocks.start[row]), int(blocks.rows[row]), int(blocks.cols[row]))
            found.setdefault(view, {})[key] = blocks.phash[row]
    return found


def distances(
    mine: dict[tuple[int, ...], NDArray[np.uint8]], theirs: dict[tuple[int, ...], NDArray[np.uint8]]
) -> list[int]:
    unfolded = [
        int(np.unpackbits(mine[key] ^ theirs[key]).sum()) for key in mine.keys() & theirs.keys()
    ]
    return [min(bits, 256 - bits) for bits in unfolded]


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(0, 14),
    st.integers(0, 14),
    st.integers(1, 30),
    st.sampled_from([1, 7, 1_000_000]),
)
def test_panels_give_what_one_matrix_would(
    seed: int, mine: int, theirs: int, pool_size: int, cells_at_once: int
) -> None:
    rng = np.random.default_rng(seed)
    pool = rng.integers(0, 256, (pool_size, 32), dtype=np.uint8)
    query, candidate = model(rng, pool, mine), model(rng, pool, theirs)
    naive = Dense(query, candidate)
    with (
        patch.object(panels_module, "CELLS_AT_ONCE", cells_at_once),
        patch.object(matching_module, "_CELLS_AT_ONCE", cells_at_once),
        patch.object(matching_module, "_EDGES_AT_ONCE", cells_at_once),
    ):
        groups = view_groups(query)
        matching = Matching(query, candidate)
        found = matching.claim(n_revisions=7)
    assert groups.tolist() == naive.groups().tolist()
    expected = naive.claim(groups)
    assert (found.groups, found.groups_for) == (expected.groups, expected.groups_for)
    np.testing.assert_allclose(found.ln_e, expected.ln_e, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(found.mean_ln_e, expected.mean_ln_e, rtol=1e-10, atol=1e-10)
    assert {(pair.query, pair.candidate) for pair in matching.pairs} == naive.assigned()
    acceptable = {naive.named(i, j) for i, j in np.argwhere(naive.is_acceptable())}
    for pair in matching.pairs:
        i, j = naive.views[0].index(pair.query), naive.views[1].index(pair.candidate)
        assert pair.hamming_bits == naive.bits[i, j]
        assert pair.accepted == ((pair.query, pair.candidate) in acceptable)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 14), st.integers(1, 14), st.integers(1, 20))
def test_too_many_to_assign_are_paired_nearest_first(
    seed: int, mine: int, theirs: int, pool_size: int
) -> None:
    rng = np.random.default_rng(seed)
    pool = rng.integers(0, 256, (pool_size, 32), dtype=np.uint8)
    query, candidate = model(rng, pool, mine), model(rng, pool, theirs)
    with patch.object(matching_module, "_ASSIGNMENT_LIMIT", 0):
        accepted = Matching(query, candidate).accepted
    expected = Dense(query, candidate).nearest_first()
    assert {(pair.query, pair.candidate) for pair in accepted} == expected


def test_alike_views_beyond_the_assignment_pair_in_stored_order() -> None:
    rng = np.random.default_rng(1)
    twins = synthetic(rng, views=100, shapes=CLASSES[:1])
    twins.blocks.phash[:] = twins.blocks.phash[0]
    with patch.object(matching_module, "_ASSIGNMENT_LIMIT", 0):
        accepted = Matching(twins, twins).accepted
    assert [(pair.query, pair.candidate) for pair in accepted] == [(i, i) for i in range(100)]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 200), st.integers(0, 200))
def test_folded_distances_are_those_of_all_bits(seed: int, n: int, m: int) -> None:
    rng = np.random.default_rng(seed)
    a = rng.integers(0, 256, (n, 32), dtype=np.uint8)
    b = rng.integers(0, 256, (m, 32), dtype=np.uint8)
    if n and m:
        b[0] = ~a[0]
    unfolded = hamming(a, b)
    assert (folded(a, b) == np.minimum(unfolded, 256 - unfolded)).all()
    least = min(n, m)
    assert (each_hamming(a[:least], b[:least]) == np.diagonal(unfolded)[:least]).all()
