"""Which view of one revision is which view of the other, by their sketches alone.

Names play no part. The assignment only *names* pairs; the claim is made from all pairs at once
(``claim.py``), because the best of many assignments would have to be paid for.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from kinprint.errors import FingerprintError, LimitExceededError
from kinprint.lineage.claim import Claim, claim
from kinprint.lineage.likelihood import NOT_COMPARABLE, log_e_values
from kinprint.lineage.panels import EvidenceBlocks, Panel, panels
from kinprint.lineage.thresholds import GROUP_BITS
from kinprint.sketches.distances import HASH_BITS, each_hamming, folded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from kinprint.fingerprint.record import Fingerprint

_ASSIGNMENT_LIMIT = 3_000
"""Above this many undecided views a side the cubic assignment gives way to nearest-first."""

_NEAREST = 32
"""Above it a row is offered only so many views, so that alike views cannot fill the memory."""

NEAR_PAIRS = 2_000_000
"""Pairs of near views listed at most; two honest models have about one a view."""

_LN_2 = float(np.log(2.0))

_ROWS_AT_ONCE = 256
_CELLS_AT_ONCE = 500_000
_EDGES_AT_ONCE = 200_000
"""Within one model, distances and near pairs held at a time."""


@dataclass(frozen=True)
class Pair:
    """A query view and the candidate view it matches.

    Attributes:
        query: Index into the query's ``views``.
        candidate: Index into the candidate's ``views``.
        blocks: (query block, candidate block) rows of ``BlockColumns`` that can be compared.
        hamming_bits: Folded distance of the best block, 0…128.
        negated: The query's view is the candidate's times −1.
        same_bytes: Every comparable block is equal byte for byte.
        accepted: Near enough to be called the same tensor, not merely the best left over.
    """

    query: int
    candidate: int
    blocks: tuple[tuple[int, int], ...]
    hamming_bits: int
    negated: bool
    same_bytes: bool
    accepted: bool


@dataclass(frozen=True)
class _Survey:
    """What one pass over all distances leaves (n query views, m candidate views).

    Attributes:
        sum_e: float64 (n,), sum of e over the comparable candidate views.
        comparable: intp (n,), how many there are.
        near: intp (n,), how many of them lie within ``GROUP_BITS``.
        first_near: intp (n,), the first of those; any view where there is none.
        near_cols: intp (m,), how many query views lie within ``GROUP_BITS``.
    """

    sum_e: NDArray[np.float64]
    comparable: NDArray[np.intp]
    near: NDArray[np.intp]
    first_near: NDArray[np.intp]
    near_cols: NDArray[np.intp]


class Matching:
    """All comparisons between the evidence views of a query and of a candidate.

    Raises:
        FingerprintError: The two were made with different sketches, which never compare.
    """

    def __init__(self, query: Fingerprint, candidate: Fingerprint) -> None:
        if query.sketch_name != candidate.sketch_name:
            raise FingerprintError(
                f"Sketches named {query.sketch_name!r} and {candidate.sketch_name!r} cannot be "
                "compared"
            )
        self.query = query
        self.candidate = candidate
        self._mine = EvidenceBlocks(query)
        self._theirs = EvidenceBlocks(candidate)
        self.query_views = self._mine.views
        self.candidate_views = self._theirs.views

    def panels(self) -> Iterator[Panel]:
        """Yield the distances of all comparable views, some rows at a time."""
        return panels(self._mine, self._theirs)

    @cached_property
    def _survey(self) -> _Survey:
        n, m = len(self.query_views), len(self.candidate_views)
        found = _Survey(np.zeros(n), *(np.zeros(size, np.intp) for size in (n, n, n, m)))
        for panel in self.panels():
            found.sum_e[panel.rows] = e_values(panel).sum(axis=1)
            found.comparable[panel.rows] = len(panel.cols)
            near = panel.bits <= GROUP_BITS
            found.near[panel.rows] = np.count_nonzero(near, axis=1)
            found.first_near[panel.rows] = panel.cols[near.argmax(axis=1)]
            found.near_cols[panel.cols] += np.count_nonzero(near, axis=0)
        return found

    @cached_property
    def view_ln_e(self) -> NDArray[np.float64]:
        """float64 (query views,): ln of each view's mean e; −inf where nothing can be compared."""
        per_view = np.full(len(self.query_views), -np.inf)
        some = self._survey.comparable > 0
        per_view[some] = np.log(self._survey.sum_e[some]) - np.log(self._survey.comparable[some])
        return per_view

    def claim(self, *, n_revisions: int) -> Claim:
        """Return the claim of common origin among ``n_revisions`` candidates."""
        return claim(self.view_ln_e, view_groups(self.query), n_revisions=n_revisions)

    @cached_property
    def pairs(self) -> tuple[Pair, ...]:
        """One-to-one pairs in the order of the query's views, nearest in total.

        Where more views than ``_ASSIGNMENT_LIMIT`` are undecided, only pairs that can be accepted
        are formed, nearest first.
        """
        rows = self._evident_rows()
        cols = self._survey.first_near[rows]
        rest_rows, rest_cols = self._assign(
            np.setdiff1d(np.arange(len(self.query_views)), rows),
            np.setdiff1d(np.arange(len(self.candidate_views)), cols),
        )
        rows, cols = np.concatenate([rows, rest_rows]), np.concatenate([cols, rest_cols])
        order = np.argsort(rows)
        return self._pairs(rows[order], cols[order])

    def _evident_rows(self) -> NDArray[np.intp]:
        """Rows that any sensible assignment pairs with their one near view: all else strangers."""
        alone = np.flatnonzero(self._survey.near == 1)
        is_mutual = self._survey.near_cols[self._survey.first_near[alone]] == 1
        return np.asarray(alone[is_mutual], np.intp)

    def _assign(
        self, rows: NDArray[np.intp], cols: NDArray[np.intp]
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Pair the undecided views: rows and their columns."""
        if max(len(rows), len(cols)) > _ASSIGNMENT_LIMIT:
            return self._nearest_first(rows, cols)
        # The solver copies a matrix of more rows than columns, so it is built lying down.
        is_turned = len(rows) > len(cols)
        cost = np.empty((len(cols), len(rows)) if is_turned else (len(rows), len(cols)))
        upright = cost.T if is_turned else cost
        upright[:] = NOT_COMPARABLE
        comparable = np.zeros(upright.shape, np.bool_)
        for panel in panels(self._mine, self._theirs, rows, cols):
            where = np.ix_(np.searchsorted(rows, panel.rows), np.searchsorted(cols, panel.cols))
            upright[where] = panel.bits
            comparable[where] = True
        for first in range(0, len(rows), _ROWS_AT_ONCE):
            chunk = slice(first, first + _ROWS_AT_ONCE)
            upright[chunk] += self._tie_break(rows[chunk, None], cols)
        left, right = linear_sum_assignment(cost)
        if is_turned:
            left, right = right, left
        kept = comparable[left, right]
        return rows[left[kept]], cols[right[kept]]

    def _nearest_first(
        self, rows: NDArray[np.intp], cols: NDArray[np.intp]
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Pair undecided views greedily, among the ``_NEAREST`` acceptable ones of each row."""
        found: list[tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]] = []
        for panel in panels(self._mine, self._theirs, rows, cols):
            single, double = (self._acceptable_bits(panel.rows, n) for n in (1, 2))
            most = np.where(panel.comparisons > 1, double[:, None], single[:, None])
            near, at = self._nearest_of_each(panel, panel.bits <= most)
            row, col = panel.rows[near], panel.cols[at]
            cost = panel.bits[near, at] + self._tie_break(row, col)
            found.append((row.astype(np.int32), col.astype(np.int32), cost))
        if not found:
            return np.zeros(0, np.intp), np.zeros(0, np.intp)
        row, col, cost = (np.concatenate(parts) for parts in zip(*found, strict=True))
        free_rows = np.ones(len(self.query_views), np.bool_)
        free_cols = np.ones(len(self.candidate_views), np.bool_)
        chosen: list[int] = []
        for edge in np.lexsort((col, row, cost)):
            if free_rows[row[edge]] and free_cols[col[edge]]:
                free_rows[row[edge]] = free_cols[col[edge]] = False
                chosen.append(edge)
        return row[chosen].astype(np.intp), col[chosen].astype(np.intp)

    def _nearest_of_each(
        self, panel: Panel, acceptable: NDArray[np.bool_]
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Places in a panel of the ``_NEAREST`` acceptable views of each row at most."""
        crowded = np.flatnonzero(np.count_nonzero(acceptable, axis=1) > _NEAREST)
        if len(crowded):
            cost = self._tie_break(panel.rows[crowded, None], panel.cols).astype(np.float32)
            cost += panel.bits[crowded]
            cost[~acceptable[crowded]] = np.inf
            nearest = np.argpartition(cost, _NEAREST - 1, axis=1)[:, :_NEAREST]
            acceptable[crowded] = False
            acceptable[crowded[:, None], nearest] = True
        return _places(acceptable)

    def _tie_break(self, rows: NDArray[np.intp], cols: NDArray[np.intp]) -> NDArray[np.float64]:
        """Less than a bit: tied tensors pair in the order in which they are stored."""
        place = rows / max(len(self.query_views), 1)
        other = cols / max(len(self.candidate_views), 1)
        return np.asarray(0.5 * np.abs(place - other))

    def _acceptable_bits(self, rows: NDArray[np.intp], comparisons: int) -> NDArray[np.int16]:
        """int16 (n,): largest distance at which a pair of a row is accepted, −1 where none is."""
        ln_e = log_e_values()[: HASH_BITS // 2 + 1] - np.log(comparisons)
        # ln e falls with the distance.
        return np.searchsorted(-ln_e, -self._ln_choices[rows], side="left").astype(np.int16) - 1

    @cached_property
    def _ln_choices(self) -> NDArray[np.float64]:
        """float64 (query views,): ln of the number of candidate views each was chosen from."""
        return np.asarray(np.log(np.maximum(self._survey.comparable, 1)))

    def _pairs(self, rows: NDArray[np.intp], cols: NDArray[np.intp]) -> tuple[Pair, ...]:
        """Describe pairs of comparable views by all their comparable blocks."""
        blocks: list[list[tuple[int, int]]] = [[] for _ in rows]
        distances: list[list[int]] = [[] for _ in rows]
        same_bytes = [True] * len(rows)
        for key, (mine, my_blocks) in self._mine.by_class.items():
            if key not in self._theirs.by_class:
                continue
            theirs, their_blocks = self._theirs.by_class[key]
            places = np.flatnonzero(np.isin(rows, mine) & np.isin(cols, theirs))
            i = my_blocks[np.searchsorted(mine, rows[places])]
            j = their_blocks[np.searchsorted(theirs, cols[places])]
            bits = each_hamming(self.query.blocks.phash[i], self.candidate.blocks.phash[j])
            same = (self.query.blocks.digest[i] == self.candidate.blocks.digest[j]).all(axis=1)
            columns = (each.tolist() for each in (places, i, j, bits, same))
            for place, left, right, distance, is_same in zip(*columns, strict=True):
                blocks[place].append((left, right))
                distances[place].append(distance)
                same_bytes[place] &= is_same
        return tuple(
            self._pair(int(rows[place]), int(cols[place]), *facts)
            for place, facts in enumerate(zip(blocks, distances, same_bytes, strict=True))
        )

    def _pair(
        self,
        row: int,
        col: int,
        blocks: Sequence[tuple[int, int]],
        distances: Sequence[int],
        same_bytes: bool,
    ) -> Pair:
        best = min(distances, key=lambda d: min(d, HASH_BITS - d))
        bits = min(best, HASH_BITS - best)
        ln_e = log_e_values()[bits] - np.log(len(blocks))
        return Pair(
            query=int(self.query_views[row]),
            candidate=int(self.candidate_views[col]),
            blocks=tuple(blocks),
            hamming_bits=bits,
            negated=best > HASH_BITS // 2,
            same_bytes=same_bytes,
            accepted=bool(ln_e > self._ln_choices[row]),
        )

    @cached_property
    def accepted(self) -> tuple[Pair, ...]:
        """The pairs near enough to be called the same tensor."""
        return tuple(pair for pair in self.pairs if pair.accepted)

    def nearest(
        self, rows: NDArray[np.intp], *, of_candidate: bool = False
    ) -> Iterator[tuple[int, int, int]]:
        """Yield (row, row of the other side's nearest view, bits) where that is near enough.

        One-to-one pairs leave repeated layers over; the bar is that of ``Pair.accepted``, with the
        choice between two blocks always paid.

        Args:
            rows: intp, rows of ``query_views``, ascending.
            of_candidate: They are rows of ``candidate_views`` instead.
        """
        sides = (self._mine, self._theirs)
        mine, theirs = reversed(sides) if of_candidate else sides
        for panel in panels(mine, theirs, rows):
            at = panel.bits.argmin(axis=1)
            bits = panel.bits[np.arange(len(at)), at]
            near = log_e_values()[bits] - _LN_2 > np.log(len(panel.cols))
            for place in np.flatnonzero(near):
                yield int(panel.rows[place]), int(panel.cols[at[place]]), int(bits[place])

    def near_pairs(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return rows and columns of all views within `GROUP_BITS` of each other.

        Raises:
            LimitExceededError: There are more than `NEAR_PAIRS`, as among many equal tensors.
        """
        found: list[tuple[NDArray[np.intp], NDArray[np.intp]]] = []
        n_pairs = 0
        for panel in self.panels():
            at, other = np.nonzero(panel.bits <= GROUP_BITS)
            found.append((panel.rows[at], panel.cols[other]))
            n_pairs += len(at)
            if n_pairs > NEAR_PAIRS:
                raise LimitExceededError(f"more than {NEAR_PAIRS:,} pairs of tensors look alike")
        if not found:
            return np.zeros(0, np.intp), np.zeros(0, np.intp)
        rows, cols = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return rows, cols

    @property
    def query_share(self) -> float:
        """Share of the query's evidence parameters that lie in accepted views."""
        return _share(self.query, self.query_views, [pair.query for pair in self.accepted])

    @property
    def candidate_share(self) -> float:
        """The same for the candidate."""
        return _share(
            self.candidate, self.candidate_views, [pair.candidate for pair in self.accepted]
        )


def e_values(panel: Panel) -> NDArray[np.float64]:
    """Return e of each pair of a panel, float64 (n, m); the choice of a block is paid for."""
    found: NDArray[np.float64] = np.exp(log_e_values()).take(panel.bits)
    if (panel.comparisons > 1).any():
        found /= panel.comparisons
    return found


def evidence_views(fingerprint: Fingerprint) -> NDArray[np.intp]:
    """Indices of the views that have a sketch and no known generator, ascending."""
    return EvidenceBlocks(fingerprint).views


def view_groups(fingerprint: Fingerprint) -> NDArray[np.intp]:
    """Group number of each evidence view: connected components at 96 bits within the model."""
    evidence = EvidenceBlocks(fingerprint)
    n = len(evidence.views)
    group = np.arange(n)
    edges: list[NDArray[np.int32]] = []
    n_edges = 0
    for rows, blocks in evidence.by_class.values():
        phash = fingerprint.blocks.phash[blocks]
        step = max(1, _CELLS_AT_ONCE // len(rows))
        for top in range(0, len(rows), step):
            near = folded(phash[top : top + step], phash[top:]) <= GROUP_BITS
            if np.count_nonzero(near) > 2 * near.shape[1]:
                # Edges inside a group say nothing new: all-alike views would make n²/2 of them.
                near &= group[rows[top : top + step], None] != group[rows[top:]]
            left, right = (rows[top + at].astype(np.int32) for at in _places(near))
            edges.append(np.stack([left, right]))
            n_edges += len(left)
            if n_edges > _EDGES_AT_ONCE:
                group, edges, n_edges = _joined(group, edges), [], 0
    return _joined(group, edges)


def _places(mask: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """As `numpy.nonzero` of a matrix, ten times as fast where little is set."""
    row, col = np.divmod(np.flatnonzero(mask), mask.shape[1])
    return row, col


def _joined(group: NDArray[np.intp], edges: list[NDArray[np.int32]]) -> NDArray[np.intp]:
    """Number the groups again after joining those that an edge connects."""
    n = len(group)
    if not n:
        return group
    _, first = np.unique(group, return_index=True)
    members = np.stack([np.arange(n), first[group]]).astype(np.int32)
    left, right = np.concatenate([members, *edges], axis=1)
    graph = coo_array((np.ones(len(left), np.bool_), (left, right)), shape=(n, n))
    return np.asarray(connected_components(graph, directed=False)[1], np.intp)


def _share(fingerprint: Fingerprint, views: NDArray[np.intp], matched: list[int]) -> float:
    def parameters(indices: NDArray[np.intp] | list[int]) -> int:
        return sum(fingerprint.views[i].rows * fingerprint.views[i].cols for i in indices)

    total = parameters(views)
    return parameters(matched) / total if total else 0.0
