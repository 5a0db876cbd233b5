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

from kinprint.errors import FingerprintError
from kinprint.lineage.claim import Claim, claim
from kinprint.lineage.likelihood import NOT_COMPARABLE, log_e_values
from kinprint.lineage.thresholds import GROUP_BITS
from kinprint.sketches.distances import HASH_BITS, hamming

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from kinprint.fingerprint.record import Fingerprint

_ASSIGNMENT_LIMIT = 3_000
"""Above this many undecided views a side the cubic assignment gives way to nearest-first."""

_ROWS_AT_ONCE = 512
"""Query views whose e-values are held at a time, which bounds the memory of wide experts."""

_LN_2 = float(np.log(2.0))


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
class _BlockClass:
    """Blocks of one (start, rows, cols) on both sides, which alone can be compared."""

    query_blocks: NDArray[np.intp]
    candidate_blocks: NDArray[np.intp]
    distance: NDArray[np.int16]


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
        self.query_views = evidence_views(query)
        self.candidate_views = evidence_views(candidate)
        self._query_row = {view: row for row, view in enumerate(self.query_views)}
        self._candidate_row = {view: row for row, view in enumerate(self.candidate_views)}
        self._classes = tuple(self._block_classes())

    def _block_classes(self) -> Iterator[_BlockClass]:
        candidate_classes = _blocks_by_class(self.candidate)
        for key, query_blocks in _blocks_by_class(self.query).items():
            candidate_blocks = candidate_classes.get(key)
            if candidate_blocks is not None:
                distance = hamming(
                    self.query.blocks.phash[query_blocks],
                    self.candidate.blocks.phash[candidate_blocks],
                )
                yield _BlockClass(query_blocks, candidate_blocks, distance)

    @cached_property
    def bits(self) -> NDArray[np.uint8]:
        """uint8 (query views, candidate views): folded distance of the best comparable block."""
        bits = np.full((len(self.query_views), len(self.candidate_views)), NOT_COMPARABLE, np.uint8)
        for each in self._classes:
            folded = np.minimum(each.distance, HASH_BITS - each.distance).astype(np.uint8)
            where = np.ix_(*self._rows_of(each))
            bits[where] = np.minimum(bits[where], folded)
        return bits

    @cached_property
    def _comparisons(self) -> NDArray[np.uint8]:
        """uint8, same shape as ``bits``: how many blocks the best was chosen from."""
        count = np.zeros((len(self.query_views), len(self.candidate_views)), np.uint8)
        for each in self._classes:
            count[np.ix_(*self._rows_of(each))] += 1
        return count

    def _rows_of(self, each: _BlockClass) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        query_rows = [self._query_row[int(v)] for v in self.query.blocks.view[each.query_blocks]]
        candidate_rows = [
            self._candidate_row[int(v)] for v in self.candidate.blocks.view[each.candidate_blocks]
        ]
        return np.array(query_rows, np.intp), np.array(candidate_rows, np.intp)

    def ln_e(self, rows: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return ln e of some query views and all candidate views, the choice of a block paid.

        Args:
            rows: intp (n,), rows of ``bits``.

        Returns:
            float64 (n, candidate views).
        """
        ln_e = log_e_values()[self.bits[rows]]
        return np.asarray(ln_e - np.where(self._comparisons[rows] > 1, _LN_2, 0.0))

    @cached_property
    def view_ln_e(self) -> NDArray[np.float64]:
        """float64 (query views,): ln of each view's mean e; −inf where nothing can be compared."""
        comparable = self.bits != NOT_COMPARABLE
        per_view = np.full(len(self.query_views), -np.inf)
        some = comparable.any(axis=1)
        if some.any():
            rows = np.flatnonzero(some)
            for first in range(0, len(rows), _ROWS_AT_ONCE):
                chunk = rows[first : first + _ROWS_AT_ONCE]
                totals = np.logaddexp.reduce(self.ln_e(chunk), axis=1)
                per_view[chunk] = totals - np.log(comparable[chunk].sum(axis=1))
        return per_view

    def claim(self, *, n_revisions: int) -> Claim:
        """Return the claim of common origin among ``n_revisions`` candidates."""
        return claim(self.view_ln_e, view_groups(self.query), n_revisions=n_revisions)

    @cached_property
    def pairs(self) -> tuple[Pair, ...]:
        """One-to-one pairs, nearest in total; in the order of the query's views."""
        fixed = self._evident_pairs()
        rows = np.setdiff1d(np.arange(len(self.query_views)), [row for row, _ in fixed])
        cols = np.setdiff1d(np.arange(len(self.candidate_views)), [col for _, col in fixed])
        rest = self._assign(rows, cols)
        return tuple(self._pair(row, col) for row, col in sorted([*fixed, *rest]))

    def _evident_pairs(self) -> list[tuple[int, int]]:
        """Pairs that any sensible assignment contains: mutual nearest, all others strangers."""
        if self.bits.size == 0:
            return []
        nearest_col = self.bits.argmin(axis=1)
        nearest_row = self.bits.argmin(axis=0)
        rows = np.arange(len(self.query_views))
        mutual = nearest_row[nearest_col] == rows
        near = self.bits <= GROUP_BITS
        alone = (near.sum(axis=1) == 1) & (near.sum(axis=0)[nearest_col] == 1)
        close = self.bits[rows, nearest_col] <= GROUP_BITS
        chosen = rows[mutual & alone & close]
        return [(int(row), int(nearest_col[row])) for row in chosen]

    def _assign(self, rows: NDArray[np.intp], cols: NDArray[np.intp]) -> list[tuple[int, int]]:
        if not len(rows) or not len(cols):
            return []
        bits = self.bits[np.ix_(rows, cols)]
        cost = bits.astype(np.float64) + self._tie_break(rows, cols)
        if max(bits.shape) <= _ASSIGNMENT_LIMIT:
            left, right = linear_sum_assignment(cost)
            chosen = list(zip(left.tolist(), right.tolist(), strict=True))
        else:
            chosen = list(_nearest_first(cost))
        return [(int(rows[i]), int(cols[j])) for i, j in chosen if bits[i, j] != NOT_COMPARABLE]

    def _tie_break(self, rows: NDArray[np.intp], cols: NDArray[np.intp]) -> NDArray[np.float64]:
        """Less than a bit: tied tensors pair in the order in which they are stored."""
        place = rows[:, None] / max(len(self.query_views), 1)
        other = cols[None, :] / max(len(self.candidate_views), 1)
        return np.asarray(0.5 * np.abs(place - other))

    @cached_property
    def _places(self) -> tuple[tuple[_BlockClass, dict[int, int], dict[int, int]], ...]:
        """Each class with the place of every view's block in it, on both sides."""

        def places(views: NDArray[np.int32]) -> dict[int, int]:
            return {int(view): place for place, view in enumerate(views)}

        return tuple(
            (
                each,
                places(self.query.blocks.view[each.query_blocks]),
                places(self.candidate.blocks.view[each.candidate_blocks]),
            )
            for each in self._classes
        )

    def _pair(self, row: int, col: int) -> Pair:
        query_view, candidate_view = int(self.query_views[row]), int(self.candidate_views[col])
        blocks: list[tuple[int, int]] = []
        distances: list[int] = []
        for each, of_query, of_candidate in self._places:
            i, j = of_query.get(query_view), of_candidate.get(candidate_view)
            if i is not None and j is not None:
                blocks.append((int(each.query_blocks[i]), int(each.candidate_blocks[j])))
                distances.append(int(each.distance[i, j]))
        ln_e = log_e_values()[self.bits[row, col]]
        if len(blocks) > 1:
            ln_e -= _LN_2
        best = min(distances, key=lambda d: min(d, HASH_BITS - d))
        return Pair(
            query=query_view,
            candidate=candidate_view,
            blocks=tuple(blocks),
            hamming_bits=min(best, HASH_BITS - best),
            negated=best > HASH_BITS // 2,
            same_bytes=all(
                self.query.blocks.digest[i].tobytes() == self.candidate.blocks.digest[j].tobytes()
                for i, j in blocks
            ),
            accepted=bool(ln_e > self._ln_choices[row]),
        )

    @cached_property
    def _ln_choices(self) -> NDArray[np.float64]:
        """float64 (query views,): ln of the number of candidate views each was chosen from."""
        comparable = (self.bits != NOT_COMPARABLE).sum(axis=1)
        return np.asarray(np.log(np.maximum(comparable, 1)))

    @cached_property
    def accepted(self) -> tuple[Pair, ...]:
        """The pairs near enough to be called the same tensor."""
        return tuple(pair for pair in self.pairs if pair.accepted)

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


def evidence_views(fingerprint: Fingerprint) -> NDArray[np.intp]:
    """Indices of the views that have a sketch and no known generator, ascending."""
    sketched = np.unique(fingerprint.blocks.view)
    return np.array(
        [view for view in sketched if fingerprint.views[view].generated is None], np.intp
    )


def view_groups(fingerprint: Fingerprint) -> NDArray[np.intp]:
    """Group number of each evidence view: connected components at 96 bits within the model."""
    views = evidence_views(fingerprint)
    row_of = {int(view): row for row, view in enumerate(views)}
    lefts: list[NDArray[np.intp]] = []
    rights: list[NDArray[np.intp]] = []
    for blocks in _blocks_by_class(fingerprint).values():
        distance = hamming(fingerprint.blocks.phash[blocks], fingerprint.blocks.phash[blocks])
        i, j = np.nonzero(np.minimum(distance, HASH_BITS - distance) <= GROUP_BITS)
        rows = np.array([row_of[int(view)] for view in fingerprint.blocks.view[blocks]], np.intp)
        lefts.append(rows[i])
        rights.append(rows[j])
    if not lefts:
        return np.zeros(0, np.intp)
    left, right = np.concatenate(lefts), np.concatenate(rights)
    graph = coo_array((np.ones(len(left)), (left, right)), shape=(len(views), len(views)))
    return np.asarray(connected_components(graph, directed=False)[1], np.intp)


def _blocks_by_class(fingerprint: Fingerprint) -> dict[tuple[int, int, int], NDArray[np.intp]]:
    blocks = fingerprint.blocks
    classes: dict[tuple[int, int, int], list[int]] = {}
    for row in range(len(blocks.view)):
        if fingerprint.views[blocks.view[row]].generated is None:
            key = (int(blocks.start[row]), int(blocks.rows[row]), int(blocks.cols[row]))
            classes.setdefault(key, []).append(row)
    return {key: np.array(rows, np.intp) for key, rows in classes.items()}


def _share(fingerprint: Fingerprint, views: NDArray[np.intp], matched: list[int]) -> float:
    def parameters(indices: NDArray[np.intp] | list[int]) -> int:
        return sum(fingerprint.views[i].rows * fingerprint.views[i].cols for i in indices)

    total = parameters(views)
    return parameters(matched) / total if total else 0.0


def _nearest_first(cost: NDArray[np.float64]) -> Iterator[tuple[int, int]]:
    order = np.argsort(cost, axis=None, kind="stable")
    free_rows = np.ones(cost.shape[0], bool)
    free_cols = np.ones(cost.shape[1], bool)
    for flat in order:
        i, j = divmod(int(flat), cost.shape[1])
        if free_rows[i] and free_cols[j]:
            free_rows[i] = free_cols[j] = False
            yield i, j
