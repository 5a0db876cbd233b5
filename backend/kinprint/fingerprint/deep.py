"""64 rows of both sides of matched views, aligned cell by cell: what `--deep` reads.

The rows start where the evidence block starts, so that both sides show the same cells. Weights
come from strangers: views, columns and bytes are bounded before anything is read.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from kinprint.checkpoints.dtypes import PACKED, lattice_dtype
from kinprint.errors import CheckpointError
from kinprint.fingerprint.cells import Cells
from kinprint.fingerprint.take import read_cells
from kinprint.sketches.distances import hamming
from kinprint.views import views_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from kinprint.checkpoints.tensors import Checkpoint, Progress
    from kinprint.fingerprint.cells import ReadCells
    from kinprint.fingerprint.record import Fingerprint
    from kinprint.views import View

DEEP_ROWS = 64
"""Rows of each view; with fewer, training is told from noise in fewer tensors (8 rows: 1.14 to 2.4
times the edge of noise, 4 rows 0.97 to 1.8)."""
DEEP_VIEWS = 64
"""Views at most: all of a small model, a spread over a large one."""
DEEP_COLS = 4_096
"""Columns at most; wider views are cut, the same cells on both sides."""
DEEP_BYTES = 256_000_000
"""Bytes of both sides together; where the chosen views need more, fewer are chosen."""


class MatchedViews(Protocol):
    """A pair of matched views, as `lineage.matching.Pair` is."""

    @property
    def query(self) -> int:
        """Index into the query's views."""

    @property
    def candidate(self) -> int:
        """Index into the candidate's views."""

    @property
    def blocks(self) -> tuple[tuple[int, int], ...]:
        """Rows of both sides' ``BlockColumns`` that can be compared."""

    @property
    def negated(self) -> bool:
        """Whether the query's view is the candidate's times −1."""


@dataclass(frozen=True, slots=True)
class Cut:
    """One side of an aligned block.

    Attributes:
        values: Float (rows, cols), the sign of a negated match already applied.
        lattice: Coarsest float dtype that holds them all; None for packed dtypes, whose grid
            changes from scale to scale.
        rounding: Mean ulp²/12 over the cells.
    """

    values: NDArray[np.floating[Any]]
    lattice: str | None
    rounding: float


@dataclass(frozen=True, slots=True)
class AlignedBlock:
    """The same cells of both sides.

    Attributes:
        query_view: Index into the query's ``views``.
        candidate_view: Index into the candidate's ``views``.
        query: Cells of the query.
        candidate: Cells of the candidate.
    """

    query_view: int
    candidate_view: int
    query: Cut
    candidate: Cut


@dataclass(frozen=True, slots=True)
class DeepReading:
    """What was read again of two matched revisions.

    Attributes:
        blocks: In the order of the query's views.
        not_finite: Query views left out because a cell on either side is NaN or infinite.
        unreadable: Query views left out because one side's dtype cannot be cut into rows.
        matched_views: Views that matched, of which those above were chosen.
        bytes_read: Of both sides.
    """

    blocks: tuple[AlignedBlock, ...]
    not_finite: tuple[int, ...]
    unreadable: tuple[int, ...]
    matched_views: int
    bytes_read: int


@dataclass(frozen=True, slots=True)
class _Plan:
    pair: MatchedViews
    query: Cells
    candidate: Cells

    @property
    def bytes_needed(self) -> int:
        spans = (*self.query.spans(), *self.candidate.spans())
        return sum(span.stop - span.start for span in spans)


def read_deep(
    query_checkpoint: Checkpoint,
    query: Fingerprint,
    candidate_checkpoint: Checkpoint,
    candidate: Fingerprint,
    pairs: Sequence[MatchedViews],
    *,
    progress: Progress | None = None,
) -> DeepReading:
    """Read up to 64 rows of up to 64 matched views of both sides.

    Args:
        query_checkpoint: The checkpoint that ``query`` was taken of; left open.
        query: Fingerprint of the revision asked about.
        candidate_checkpoint: The checkpoint that ``candidate`` was taken of; left open.
        candidate: Fingerprint of the match.
        pairs: Accepted pairs of their matching; views are chosen by shape and place, never by
            name.
        progress: Told the bytes read so far, of both sides, and those expected.

    Raises:
        CheckpointError: A checkpoint changed since its fingerprint was taken, or is truncated.
        HubError: The Hub failed for good.
    """
    mine, theirs = _views(query_checkpoint), _views(candidate_checkpoint)
    plans: list[_Plan] = []
    unreadable: list[int] = []
    for pair in pairs:
        plan = _plan(pair, query, mine, candidate, theirs)
        if plan.query.obstacle or plan.candidate.obstacle:
            unreadable.append(pair.query)
        else:
            plans.append(plan)
    chosen = _within_budget(plans)
    blocks: list[AlignedBlock] = []
    not_finite: list[int] = []
    bytes_read = 0
    bytes_expected = sum(plan.bytes_needed for plan in chosen)
    streams = zip(
        chosen,
        read_cells(query_checkpoint, [plan.query for plan in chosen]),
        read_cells(candidate_checkpoint, [plan.candidate for plan in chosen]),
        strict=True,
    )
    for plan, (_, my_parts), (_, their_parts) in streams:
        block = _aligned(plan, plan.query.decode(my_parts), plan.candidate.decode(their_parts))
        if block is None:
            not_finite.append(plan.pair.query)
        else:
            blocks.append(block)
        bytes_read += plan.bytes_needed
        if progress is not None:
            progress(bytes_read, bytes_expected)
    return DeepReading(tuple(blocks), tuple(not_finite), tuple(unreadable), len(pairs), bytes_read)


def _views(checkpoint: Checkpoint) -> dict[tuple[str, int], View]:
    return {(view.tensor.name, view.part): view for view in views_of(checkpoint.tensors)}


def _plan(
    pair: MatchedViews,
    query: Fingerprint,
    mine: dict[tuple[str, int], View],
    candidate: Fingerprint,
    theirs: dict[tuple[str, int], View],
) -> _Plan:
    i, j = _nearest_blocks(pair, query, candidate)
    view, partner = _view(query, i, mine), _view(candidate, j, theirs)
    start = int(query.blocks.start[i])
    rows = min(DEEP_ROWS, view.rows - start, partner.rows - start)
    cols = min(DEEP_COLS, int(query.blocks.cols[i]))
    return _Plan(pair, Cells(view, start, rows, cols), Cells(partner, start, rows, cols))


def _nearest_blocks(
    pair: MatchedViews, query: Fingerprint, candidate: Fingerprint
) -> tuple[int, int]:
    """Tall views have two blocks, of which an extended vocabulary may have moved one."""
    mine = query.blocks.phash[[i for i, _ in pair.blocks]]
    theirs = candidate.blocks.phash[[j for _, j in pair.blocks]]
    bits = np.diagonal(hamming(mine, theirs)).astype(int)
    return pair.blocks[int(np.argmin(np.minimum(bits, 256 - bits)))]


def _view(fingerprint: Fingerprint, block: int, views: dict[tuple[str, int], View]) -> View:
    fact = fingerprint.views[fingerprint.blocks.view[block]]
    view = views.get((fact.name, fact.part))
    found = None if view is None else (view.rows, view.cols, view.tensor.dtype)
    if view is None or found != (fact.rows, fact.cols, fact.dtype):
        raise CheckpointError(
            "The checkpoint is not the one that its fingerprint was taken of",
            tensor=fact.name,
            hint="Take the fingerprint again.",
        )
    return view


def _within_budget(plans: Sequence[_Plan]) -> list[_Plan]:
    """As many plans as views and bytes allow, spread over shapes and over the model."""
    count = min(DEEP_VIEWS, len(plans))
    while count:
        chosen = _spread(plans, count)
        bytes_needed = sum(plan.bytes_needed for plan in chosen)
        if bytes_needed <= DEEP_BYTES:
            return chosen
        count = min(count - 1, count * DEEP_BYTES // bytes_needed)
    return []


def _spread(plans: Sequence[_Plan], count: int) -> list[_Plan]:
    """Take shapes in turn, and of each shape places that lie evenly over the model."""
    by_shape: dict[tuple[int, int], list[int]] = defaultdict(list)
    for place, plan in enumerate(plans):
        by_shape[plan.query.rows, plan.query.view.cols].append(place)
    shares = dict.fromkeys(by_shape, 0)
    left = count
    while left:
        for shape, places in by_shape.items():
            if left and shares[shape] < len(places):
                shares[shape] += 1
                left -= 1
    taken: set[int] = set()
    for shape, places in by_shape.items():
        evenly = np.linspace(0, len(places) - 1, shares[shape]).round().astype(int)
        taken.update(places[each] for each in evenly)
    return [plans[place] for place in sorted(taken)]


def _aligned(plan: _Plan, mine: ReadCells, theirs: ReadCells) -> AlignedBlock | None:
    """Both sides' cells; None where one of them is not finite."""
    if not (np.isfinite(mine.values).all() and np.isfinite(theirs.values).all()):
        return None
    return AlignedBlock(
        plan.pair.query,
        plan.pair.candidate,
        _cut(plan.query, mine, negated=plan.pair.negated),
        _cut(plan.candidate, theirs, negated=False),
    )


def _cut(cells: Cells, read: ReadCells, *, negated: bool) -> Cut:
    dtype = cells.view.tensor.dtype
    lattice = None if dtype in PACKED else lattice_dtype(read.values, dtype)
    return Cut(-read.values if negated else read.values, lattice, read.rounding)
