"""Which view of the suspect goes where in the original: sketches first, then values and places."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from kinprint.experiment.contest import Contest, Contestant, Found
from kinprint.experiment.places import Anchor, Places
from kinprint.fingerprint.cells import Cells
from kinprint.fingerprint.take import read_cells
from kinprint.lineage.thresholds import PAIRED_CORRELATION
from kinprint.views import View, views_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from kinprint.checkpoints.tensors import Checkpoint
    from kinprint.fingerprint.record import Fingerprint
    from kinprint.lineage.matching import Matching

CONTEST_CELLS = 4_000_000
"""Cells of both sides that one contest holds as float64 (32 MB), however many take part."""

VIEW_CELLS = 65_536
"""Cells compared of one view: enough to tell tensors apart at any noise that sketches survive."""

CONTESTANTS = 1_000
"""A side; more tensors of one shape without a partner of their own are left undecided."""

_NARROW_COLS = 2_048
"""Columns read of a view that is stored transposed, which is read whole up to there."""


@dataclass(frozen=True, slots=True)
class Model:
    """One side: its checkpoint and its fingerprint."""

    checkpoint: Checkpoint
    fingerprint: Fingerprint

    def views(self) -> tuple[View, ...]:
        """Return the views of the fingerprint, with their stored tensors, in its order."""
        stored = {tensor.name: tensor for tensor in self.checkpoint.tensors}
        wanted = dict.fromkeys(view.name for view in self.fingerprint.views)
        return views_of([stored[name] for name in wanted])


@dataclass(frozen=True)
class Pairing:
    """What was decided.

    Attributes:
        partners: Original view → its pair.
        undecided: Views of the original that several of the suspect may belong to.
        open: Views of the suspect that may belong to several of the original.
        copies: Views of the suspect that repeat one that has a partner.
    """

    partners: dict[int, Found]
    undecided: frozenset[int]
    open: frozenset[int]
    copies: frozenset[int]


def pair_views(suspect: Model, original: Model, matching: Matching) -> Pairing:
    """Assign views of the suspect to views of the original, one to one.

    Sketches decide where only one partner is near. Where several are (upcycled experts, layers
    that repeat), and for vectors and small matrices, which have no sketch that could claim, the
    stored values are read and compared; where these do not tell, the place among the tensors
    already paired does. What is still open is left undecided.

    Args:
        suspect: The side whose tensors are wanted.
        original: The side whose keys are wanted.
        matching: Of the suspect's fingerprint with the original's.

    Raises:
        CheckpointError: A tensor cannot be read.
        HubError: The Hub failed for good.
    """
    return _Pairing(suspect, original, matching).decide()


class _Pairing:
    def __init__(self, suspect: Model, original: Model, matching: Matching) -> None:
        self.suspect, self.original, self.matching = suspect, original, matching
        self.suspect_views, self.original_views = suspect.views(), original.views()

    def decide(self) -> Pairing:
        evident, near = self._by_sketch
        contests = []
        for suspects, originals in near:
            contest = self._contest(suspects, originals, sketched=True)
            if contest is not None:
                contest.decide_by_values(least=0.0)
                contests.append(contest)
        for suspects, originals in self._unsketched():
            contest = self._contest(suspects, originals, sketched=False)
            if contest is not None:
                contest.decide_by_values(least=PAIRED_CORRELATION)
                contests.append(contest)
        while self._by_place(contests, evident):
            # Each pair found is one more landmark.
            pass
        for contest in contests:
            contest.decide_by_order()
        found = [*evident, *(each for contest in contests for each in contest.found)]
        partners = {each.original: each for each in found}
        taken = {each.suspect for each in found}
        return Pairing(
            partners,
            frozenset(v for c in contests if c.suspects for v, _ in c.originals) - set(partners),
            frozenset(v for c in contests if c.originals for v, _ in c.suspects) - taken,
            frozenset(view for contest in contests for view in contest.copies),
        )

    def _by_place(self, contests: Sequence[Contest], evident: Sequence[Found]) -> bool:
        found = [*evident, *(each for contest in contests for each in contest.found)]
        places = Places(
            Anchor(
                self.suspect_views[each.suspect].tensor.name,
                self.original_views[each.original].tensor.name,
                each.negated,
            )
            for each in found
            if each.is_anchor
        )
        decided = [contest.decide_by_places(places) for contest in contests]
        return any(decided)

    @cached_property
    def _by_sketch(self) -> tuple[list[Found], list[tuple[list[int], list[int]]]]:
        """Pairs without a rival, and (suspect views, original views) near each other."""
        matching = self.matching
        rows, cols = matching.near_pairs()
        n, m = len(matching.query_views), len(matching.candidate_views)
        has_rival = (np.bincount(rows, minlength=n)[rows] > 1) | (
            np.bincount(cols, minlength=m)[cols] > 1
        )
        contested_s, contested_o = np.zeros(n, np.bool_), np.zeros(m, np.bool_)
        contested_s[rows[has_rival]] = contested_o[cols[has_rival]] = True
        row_of = {int(view): row for row, view in enumerate(matching.query_views)}
        col_of = {int(view): col for col, view in enumerate(matching.candidate_views)}
        evident = [
            Found(pair.query, pair.candidate, pair.negated, "sketch")
            for pair in matching.accepted
            if not contested_s[row_of[pair.query]] and not contested_o[col_of[pair.candidate]]
        ]
        joined = contested_s[rows] & contested_o[cols]
        edges = (rows[joined], cols[joined] + n)
        graph = coo_array((np.ones(len(edges[0])), edges), shape=(n + m, n + m))
        labels = connected_components(graph, directed=False)[1]
        groups: dict[int, tuple[list[int], list[int]]] = {}
        for row in np.flatnonzero(contested_s):
            groups.setdefault(int(labels[row]), ([], []))[0].append(int(matching.query_views[row]))
        for col in np.flatnonzero(contested_o):
            label = int(labels[n + col])
            groups.setdefault(label, ([], []))[1].append(int(matching.candidate_views[col]))
        return evident, list(groups.values())

    def _unsketched(self) -> Iterator[tuple[list[int], list[int]]]:
        """Yield the views of one shape on both sides that no sketch speaks for."""
        mine = _by_shape(self.suspect_views, {int(v) for v in self.matching.query_views})
        theirs = _by_shape(self.original_views, {int(v) for v in self.matching.candidate_views})
        for shape, suspects in mine.items():
            if shape in theirs:
                yield suspects, theirs[shape]

    def _contest(
        self, suspects: Sequence[int], originals: Sequence[int], *, sketched: bool
    ) -> Contest | None:
        """Read what is to be compared; None where nothing can be."""
        count = len(suspects) + len(originals)
        if max(len(suspects), len(originals)) > CONTESTANTS:
            return None
        mine = [(view, self.suspect_views[view]) for view in suspects]
        theirs = [(view, self.original_views[view]) for view in originals]
        cells = _common_cells([view for _, view in (*mine, *theirs)], CONTEST_CELLS // count)
        if cells is None:
            return None
        return Contest(
            list(_contestants(self.suspect, mine, cells)),
            list(_contestants(self.original, theirs, cells)),
            sketched=sketched,
        )


def _by_shape(views: Sequence[View], sketched: set[int]) -> dict[tuple[int, int, bool], list[int]]:
    groups: dict[tuple[int, int, bool], list[int]] = {}
    for number, view in enumerate(views):
        if number not in sketched and Cells(view, 0, 1, view.cols).obstacle is None:
            groups.setdefault((view.rows, view.cols, view.transposed), []).append(number)
    return groups


def _common_cells(views: Iterable[View], most: int) -> tuple[int, int, int] | None:
    """Return (start, rows, cols) of a rectangle that all views have, of bounded size.

    Tall views are read from where their sketches are, since first rows are often special.
    """
    shapes = [(view.rows, view.cols) for view in views]
    rows, cols = min(r for r, _ in shapes), min(c for _, c in shapes)
    if len({c for _, c in shapes}) > 1:
        return None
    cols = min(cols, most, VIEW_CELLS, _NARROW_COLS if rows < 32 and rows > 1 else VIEW_CELLS)
    start = 1_024 if rows >= 2_048 else 0
    return start, max(1, min(rows - start, min(most, VIEW_CELLS) // cols)), cols


def _contestants(
    model: Model, views: Sequence[tuple[int, View]], where: tuple[int, int, int]
) -> Iterator[Contestant]:
    start, rows, cols = where
    wanted = [Cells(view, start, rows, cols) for _, view in views]
    read = read_cells(model.checkpoint, wanted)
    for (number, view), (cells, parts) in zip(views, read, strict=True):
        yield Contestant(number, view.tensor.name, view.tensor.dtype, cells.decode(parts).raw)
