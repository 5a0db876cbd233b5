"""All comparable pairs of views of two models, a panel of rows at a time, in bounded memory.

Thirty thousand experts a side make 9e8 distances, so no matrix of all of them is ever held.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from kinprint.lineage.likelihood import NOT_COMPARABLE
from kinprint.sketches.distances import folded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from kinprint.fingerprint.record import Fingerprint

    BlockClass = tuple[int, int, int]
    """(start, rows, cols) of a block; only blocks of one class can be compared."""

CELLS_AT_ONCE = 1_000_000
"""Distances held at a time."""


@dataclass(frozen=True)
class Panel:
    """Distances of some query views to every candidate view that they can be compared with.

    Attributes:
        rows: intp (n,), rows of the query's evidence views, ascending.
        cols: intp (m,), rows of the candidate's evidence views, ascending.
        bits: uint8 (n, m), folded distance of the best comparable block.
        comparisons: uint8 (m,), how many blocks the best was chosen from.
    """

    rows: NDArray[np.intp]
    cols: NDArray[np.intp]
    bits: NDArray[np.uint8]
    comparisons: NDArray[np.uint8]


class EvidenceBlocks:
    """The blocks of a model's evidence views: those with a sketch and no known generator.

    Attributes:
        fingerprint: The model.
        views: intp (n,), indices of the evidence views, ascending.
    """

    def __init__(self, fingerprint: Fingerprint) -> None:
        self.fingerprint = fingerprint
        sketched = np.unique(fingerprint.blocks.view)
        self.views = np.array(
            [view for view in sketched if fingerprint.views[view].generated is None], np.intp
        )

    @cached_property
    def by_class(self) -> dict[BlockClass, tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Class → rows of the evidence views that have such a block, ascending, and the blocks."""
        blocks = self.fingerprint.blocks
        is_evidence = np.isin(blocks.view, self.views)
        numbers = np.flatnonzero(is_evidence)
        if not len(numbers):
            return {}
        keys = np.stack([blocks.start, blocks.rows, blocks.cols], axis=1)[numbers]
        classes, of = np.unique(keys, axis=0, return_inverse=True)
        order = np.lexsort((blocks.view[numbers], of))
        ends = np.cumsum(np.bincount(of.ravel(), minlength=len(classes)))
        found = {}
        for (start, rows, cols), chosen in zip(
            classes.tolist(), np.split(numbers[order], ends[:-1]), strict=True
        ):
            found[start, rows, cols] = np.searchsorted(self.views, blocks.view[chosen]), chosen
        return found

    @cached_property
    def kinds(self) -> dict[tuple[BlockClass, ...], NDArray[np.intp]]:
        """Classes that a view has blocks of → rows of the views of that kind, ascending."""
        classes: list[list[BlockClass]] = [[] for _ in self.views]
        for key, (rows, _) in self.by_class.items():
            for row in rows.tolist():
                classes[row].append(key)
        kinds: dict[tuple[BlockClass, ...], list[int]] = {}
        for row, keys in enumerate(classes):
            kinds.setdefault(tuple(keys), []).append(row)
        return {kind: np.array(rows, np.intp) for kind, rows in kinds.items()}


def panels(
    query: EvidenceBlocks,
    candidate: EvidenceBlocks,
    rows: NDArray[np.intp] | None = None,
    cols: NDArray[np.intp] | None = None,
) -> Iterator[Panel]:
    """Yield the distances of all pairs of views that have a comparable block.

    Args:
        query: Views that become rows.
        candidate: Views that become columns.
        rows: intp, the only query rows wanted, ascending; all of them without it.
        cols: The same for the candidate.
    """
    wanted = _marked(len(query.views), rows)
    wanted_cols = _marked(len(candidate.views), cols)
    theirs = {
        key: (views[wanted_cols[views]], blocks[wanted_cols[views]])
        for key, (views, blocks) in candidate.by_class.items()
    }
    for kind, of_kind in query.kinds.items():
        shared = [key for key in kind if key in theirs and len(theirs[key][0])]
        mine = of_kind[wanted[of_kind]]
        if not shared or not len(mine):
            continue
        columns = np.unique(np.concatenate([theirs[key][0] for key in shared]))
        parts = []
        comparisons = np.zeros(len(columns), np.uint8)
        for key in shared:
            views, blocks = query.by_class[key]
            other_views, other_blocks = theirs[key]
            at = np.searchsorted(columns, other_views)
            comparisons[at] += 1
            parts.append(
                (
                    query.fingerprint.blocks.phash[blocks[np.searchsorted(views, mine)]],
                    candidate.fingerprint.blocks.phash[other_blocks],
                    None if len(at) == len(columns) else at,
                )
            )
        step = max(1, CELLS_AT_ONCE // len(columns))
        for first in range(0, len(mine), step):
            chunk = slice(first, first + step)
            yield Panel(mine[chunk], columns, _best(parts, chunk, len(columns)), comparisons)


def _marked(n: int, rows: NDArray[np.intp] | None) -> NDArray[np.bool_]:
    """Which of n rows are wanted; all of them without a list."""
    marked = np.full(n, rows is None)
    if rows is not None:
        marked[rows] = True
    return marked


def _best(
    parts: list[tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.intp] | None]],
    chunk: slice,
    n_cols: int,
) -> NDArray[np.uint8]:
    """Fold the distances of each shared class together, the nearest block first."""
    best: NDArray[np.uint8] | None = None
    for mine, theirs, at in parts:
        bits = folded(mine[chunk], theirs)
        if at is not None:
            spread = np.full((len(bits), n_cols), NOT_COMPARABLE, np.uint8)
            spread[:, at] = bits
            bits = spread
        best = bits if best is None else np.minimum(best, bits, out=best)
    assert best is not None  # a kind without a shared class is never asked for
    return best
