"""The blocks of a query beside the partners that each possible parent has for them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from kinprint.lineage.differences import centred, sketches

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from kinprint.fingerprint.record import Fingerprint
    from kinprint.lineage.matching import Matching

_LEAST_VARIANCE = 1e-60
_LEAST_FLOOR = 1e-12
"""Nothing is divided by zero; a sketch of int16 is never exact to 1e-12 of the weights."""


@dataclass(frozen=True)
class Aligned:
    """Centred sketches of B query blocks and of their partners in P models, 256 numbers each.

    Attributes:
        query: The model asked about.
        names: Name of each of the P models.
        blocks: intp (B,), rows of the query's ``BlockColumns``.
        mine: float64 (B, 256), the query's sketches, in units of the weights.
        theirs: float64 (P, B, 256), the partners'; zero where a model has none.
        present: bool (P, B), whether the model has a partner.
        cells: float64 (B,), independent numbers in a centred sketch, k·(r − 1).
        floor: float64 (B,), variance that rounding the query, and storing its sketch and a
            partner's, leaves in a sketch entry however exact the mixture is.
        variance: float64 (B,), variance of the query's weights, the scale of each block.
    """

    query: Fingerprint
    names: tuple[str, ...]
    blocks: NDArray[np.intp]
    mine: NDArray[np.float64]
    theirs: NDArray[np.float64]
    present: NDArray[np.bool_]
    cells: NDArray[np.float64]
    floor: NDArray[np.float64]
    variance: NDArray[np.float64]

    def keep(
        self, models: Sequence[int] | None = None, blocks: NDArray[np.intp] | None = None
    ) -> Aligned:
        """Return only some models, some blocks, or both, in the order given."""
        p = np.arange(len(self.names)) if models is None else np.array(models, np.intp)
        b = np.arange(len(self.blocks)) if blocks is None else blocks
        return replace(
            self,
            names=tuple(self.names[each] for each in p),
            blocks=self.blocks[b],
            mine=self.mine[b],
            theirs=self.theirs[np.ix_(p, b)],
            present=self.present[np.ix_(p, b)],
            cells=self.cells[b],
            floor=self.floor[b],
            variance=self.variance[b],
        )


def align(matchings: Sequence[Matching], names: Sequence[str], *, most_blocks: int) -> Aligned:
    """Lay the partners of the query's blocks side by side.

    Args:
        matchings: One query compared with P models; at least one.
        names: What to call each of them.
        most_blocks: Blocks kept; above it an evenly spaced choice, which bounds the memory.
    """
    query = matchings[0].query
    blocks = _evidence_blocks(query)
    if len(blocks) > most_blocks:
        blocks = blocks[np.linspace(0, len(blocks) - 1, most_blocks).astype(np.intp)]
    place = {int(block): row for row, block in enumerate(blocks)}
    own = _flat_sketches(query, blocks)
    shape = (len(matchings), len(blocks))
    theirs, present = np.zeros((*shape, 256)), np.zeros(shape, bool)
    storage = np.zeros(shape)
    for row, matching in enumerate(matchings):
        found = [(i, j) for i, j in _partners(matching) if i in place]
        if not found:
            continue
        places = np.array([place[i] for i, _ in found])
        other = np.array([j for _, j in found])
        candidate = matching.candidate
        partners = _flat_sketches(candidate, other)
        negated = (partners * own[places]).sum(axis=1, keepdims=True) < 0
        theirs[row, places] = np.where(negated, -partners, partners)
        present[row, places] = True
        storage[row, places] = candidate.blocks.step[other].astype(np.float64) ** 2 / 12
    rows = np.minimum(query.blocks.rows[blocks], 16)
    variance = np.maximum(query.blocks.std[blocks].astype(np.float64) ** 2, _LEAST_VARIANCE)
    own_storage = query.blocks.step[blocks].astype(np.float64) ** 2 / 12
    floor = query.blocks.rounding[blocks] + own_storage + storage.max(axis=0)
    return Aligned(
        query=query,
        names=tuple(names),
        blocks=blocks,
        mine=own,
        theirs=theirs,
        present=present,
        cells=(256 // rows * (rows - 1)).astype(np.float64),
        floor=np.maximum(floor, _LEAST_FLOOR * variance),
        variance=variance,
    )


def _evidence_blocks(query: Fingerprint) -> NDArray[np.intp]:
    rows = [
        row for row, view in enumerate(query.blocks.view) if query.views[view].generated is None
    ]
    return np.array(rows, np.intp)


def _partners(matching: Matching) -> Iterator[tuple[int, int]]:
    """Yield (query block, candidate block): the accepted pairs, and repeated layers besides.

    A layer that stands twice in the query has one partner in a one-to-one assignment; here the
    second copy gets the same partner as well.
    """
    paired = {pair.query for pair in matching.accepted}
    for pair in matching.accepted:
        yield from pair.blocks
    places = {
        _key(matching.candidate, partner): partner
        for partner in range(len(matching.candidate.blocks.view))
    }
    rows = np.array(
        [row for row, view in enumerate(matching.query_views) if int(view) not in paired], np.intp
    )
    for row, nearest, _ in matching.nearest(rows):
        view = matching.query_views[row]
        candidate_view = int(matching.candidate_views[nearest])
        for block in np.flatnonzero(matching.query.blocks.view == view).tolist():
            partner = places.get((candidate_view, *_key(matching.query, block)[1:]))
            if partner is not None:
                yield block, partner


def _key(fingerprint: Fingerprint, block: int) -> tuple[int, int, int, int]:
    columns = fingerprint.blocks
    return (
        int(columns.view[block]),
        int(columns.start[block]),
        int(columns.rows[block]),
        int(columns.cols[block]),
    )


def _flat_sketches(fingerprint: Fingerprint, blocks: NDArray[np.intp]) -> NDArray[np.float64]:
    """Centred sketches, float64 (n, 256)."""
    flat = np.zeros((len(blocks), 256))
    rows = np.minimum(fingerprint.blocks.rows[blocks], 16)
    for r in np.unique(rows):
        chosen = np.flatnonzero(rows == r)
        flat[chosen] = centred(sketches(fingerprint, blocks[chosen], int(r))).reshape(-1, 256)
    return flat
