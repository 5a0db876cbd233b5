"""A suspect's tensors under the original's keys, for the original's own code to load."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kinprint.checkpoints.dtypes import PACKED, negated
from kinprint.checkpoints.write_safetensors import Layout, NewTensor, lay_out, write
from kinprint.errors import UsageError
from kinprint.experiment.companions import companions_of, copy_companions, model_folder
from kinprint.experiment.output_folder import output_folder
from kinprint.experiment.pairing import Model, pair_views
from kinprint.experiment.slices import Slice
from kinprint.fingerprint.cells import Cells
from kinprint.fingerprint.take import read_cells
from kinprint.lineage.matching import Matching
from kinprint.lineage.thresholds import PREFIX_CORRELATION

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from kinprint.checkpoints.tensors import Checkpoint, Progress, StoredTensor
    from kinprint.experiment.contest import FoundBy
    from kinprint.experiment.pairing import Pairing
    from kinprint.views import View

PREFIX_CELLS = 262_144
PREFIX_ROWS = (4, 64)
"""Rows compared at the end of a shorter matrix, to see that it is a longer one's beginning, and
rows read to find as many that are not nearly empty, as reserved words are."""


@dataclass(frozen=True, slots=True)
class Part:
    """A slice of a suspect's tensor, times -1 if ``negated``."""

    slice: Slice
    negated: bool


@dataclass(frozen=True, slots=True)
class Rekeyed:
    """A tensor to be written.

    Attributes:
        name: The original's key.
        suspect_names: The suspect's keys whose elements it takes; several for a stack.
        found_by: How that was told; for a stack how its least certain slice was.
        negated: A part of it is multiplied by -1.
        rows_cut: Rows of the suspect beyond the original's, which are left out.
    """

    name: str
    suspect_names: tuple[str, ...]
    found_by: FoundBy
    negated: bool
    rows_cut: int


@dataclass(frozen=True, slots=True)
class NotWritten:
    """A tensor that has no place in the result, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Rekeying:
    """What is to be written, before anything is.

    Attributes:
        layout: The files.
        tensors: What goes under each of the original's keys, in the original's order.
        missing: Keys of the original that the result will lack.
        left_out: Tensors of the suspect that will not be in it.
        companions: Files of the original that are copied beside the weights.
        parts: Key → what its bytes are made of.
    """

    layout: Layout
    tensors: tuple[Rekeyed, ...]
    missing: tuple[NotWritten, ...]
    left_out: tuple[NotWritten, ...]
    companions: tuple[str, ...]
    parts: Mapping[str, tuple[Part, ...]]

    @property
    def nbytes(self) -> int:
        """Bytes of the weight files."""
        return self.layout.nbytes


def plan_rekeying(suspect: Model, original: Model) -> Rekeying:
    """Work out what goes where; reads small tensors and a few rows, writes nothing.

    Raises:
        UsageError: The two show no common origin, or the original is several models in one.
        CheckpointError: A tensor cannot be read.
        HubError: The Hub failed for good.
    """
    model_folder(original.checkpoint)
    matching = Matching(suspect.fingerprint, original.fingerprint)
    if not matching.claim(n_revisions=1).holds:
        raise UsageError(
            f"No common origin of {suspect.fingerprint.origin.source!r} and "
            f"{original.fingerprint.origin.source!r} can be claimed, so there are no keys to "
            "write one under",
            hint="`kinprint compare` says what the two share.",
        )
    return _Plan(suspect, original, pair_views(suspect, original, matching)).rekeying()


def write_rekeyed(
    suspect: Checkpoint,
    original: Checkpoint,
    rekeying: Rekeying,
    target: Path,
    *,
    progress: Progress | None = None,
) -> None:
    """Write a planned rekeying into a new folder, with the original's companions.

    Args:
        suspect: Whose tensors are written, in their own dtype.
        original: Whose configuration and tokenizer are copied.
        rekeying: From `plan_rekeying` with the same two.
        target: The folder to be made.
        progress: Told the bytes written and those expected.

    Raises:
        UsageError: The folder exists and is not empty.
        KinprintError: The disk is full or cannot be written to.
        CheckpointError: A file of either side changed.
        HubError: The Hub failed for good.
    """
    with output_folder(target, nbytes=rekeying.nbytes) as folder:
        write(folder, rekeying.layout, _bytes_of(suspect, rekeying), progress=progress)
        copy_companions(original, folder)


def _bytes_of(suspect: Checkpoint, rekeying: Rekeying) -> Iterator[bytes]:
    pieces = [
        (piece, part.negated)
        for tensor in rekeying.layout.tensors
        for part in rekeying.parts[tensor.name]
        for piece in part.slice.pieces()
    ]
    read = suspect.read([piece.span for piece, _ in pieces])
    for (piece, is_negated), raw in zip(pieces, read, strict=True):
        yield negated(raw, piece.tensor.dtype) if is_negated else raw


class _Plan:
    """Tensor by tensor of the original: which slices make it up, or why it cannot be written."""

    def __init__(self, suspect: Model, original: Model, pairing: Pairing) -> None:
        self._suspect, self._original, self._pairing = suspect, original, pairing
        self._suspect_views, self._original_views = suspect.views(), original.views()
        self._slices = Counter(view.tensor.name for view in self._suspect_views)
        self._views_of: dict[str, list[int]] = {}
        for number, view in enumerate(self._original_views):
            self._views_of.setdefault(view.tensor.name, []).append(number)

    def rekeying(self) -> Rekeying:
        tensors: list[Rekeyed] = []
        missing: list[NotWritten] = []
        parts: dict[str, tuple[Part, ...]] = {}
        new: list[NewTensor] = []
        written: dict[tuple[object, ...], str] = {}
        for tensor in self._original.checkpoint.tensors:
            place = (tensor.file, tensor.offset, tensor.shape, tensor.dtype)
            # A tied tensor has no views of its own.
            source = written.setdefault(place, tensor.name)
            outcome = self._tensor(tensor, self._views_of.get(source, []), tied=source)
            if isinstance(outcome, NotWritten):
                missing.append(outcome)
                continue
            rekeyed, its_parts = outcome
            tensors.append(rekeyed)
            parts[tensor.name] = its_parts
            new.append(NewTensor(tensor.name, its_parts[0].slice.tensor.dtype, tensor.shape))
        missing += [
            NotWritten(each.name, f"not compared: {each.reason}")
            for each in self._original.checkpoint.skipped
        ]
        return Rekeying(
            layout=lay_out(new),
            tensors=tuple(tensors),
            missing=tuple(missing),
            left_out=tuple(self._left_out(parts)),
            companions=tuple(file.path for file in companions_of(self._original.checkpoint)),
            parts=parts,
        )

    def _tensor(
        self, tensor: StoredTensor, views: Sequence[int], *, tied: str
    ) -> NotWritten | tuple[Rekeyed, tuple[Part, ...]]:
        if not views:
            return NotWritten(tensor.name, "it has no elements")
        found = [self._pairing.partners.get(view) for view in views]
        pairs = [each for each in found if each is not None]
        if len(pairs) < len(views):
            return NotWritten(tensor.name, self._why_missing(views, found))
        parts = []
        rows_cut = 0
        for number, pair in zip(views, pairs, strict=True):
            mine, theirs = self._suspect_views[pair.suspect], self._original_views[number]
            obstacle = self._obstacle(mine, theirs, stacked=len(views) > 1)
            if obstacle is not None:
                return NotWritten(tensor.name, obstacle)
            rows_cut = mine.rows - theirs.rows
            count = theirs.rows * theirs.cols
            parts.append(Part(Slice(mine.tensor, mine.first_element, count), pair.negated))
        dtypes = sorted({part.slice.tensor.dtype for part in parts})
        if len(dtypes) > 1:
            return NotWritten(tensor.name, f"its slices have several dtypes: {', '.join(dtypes)}")
        order: tuple[FoundBy, ...] = ("place", "values", "tied", "sketch")
        by = min((pair.found_by for pair in pairs), key=order.index)
        rekeyed = Rekeyed(
            name=tensor.name,
            suspect_names=tuple(dict.fromkeys(part.slice.tensor.name for part in parts)),
            found_by=by if tied == tensor.name else "tied",
            negated=any(part.negated for part in parts),
            rows_cut=rows_cut,
        )
        return rekeyed, tuple(parts)

    def _why_missing(self, views: Sequence[int], found: Sequence[object]) -> str:
        absent = [view for view, each in zip(views, found, strict=True) if each is None]
        if len(absent) < len(views):
            return f"{len(absent)} of its {len(views)} slices have no partner"
        if not self._pairing.undecided.isdisjoint(absent):
            return "ambiguous: several tensors of the suspect may be it"
        return "nothing in the suspect resembles it"

    def _obstacle(self, mine: View, theirs: View, *, stacked: bool) -> str | None:
        """Why a view of the suspect cannot stand for one of the original, or None."""
        label = f"{mine.tensor.name!r} resembles it, but"
        if mine.tensor.dtype in PACKED:
            return f"{label} is packed as {mine.tensor.dtype}, which loaders cannot read alone"
        if mine.transposed != theirs.transposed:
            return f"{label} is stored transposed"
        if mine.cols != theirs.cols or (mine.rows < theirs.rows):
            return f"{label} has shape {mine.tensor.shape}, not {theirs.tensor.shape}"
        is_cut = mine.rows > theirs.rows
        if is_cut and (stacked or mine.transposed or not self._begins(mine, theirs)):
            return f"{label} has other rows: shape {mine.tensor.shape}, not {theirs.tensor.shape}"
        return None

    def _begins(self, mine: View, theirs: View) -> bool:
        """Say whether the last rows of the original are the suspect's rows of the same numbers."""
        compared, most = PREFIX_ROWS
        cols = min(theirs.cols, PREFIX_CELLS)
        rows = min(theirs.rows, max(compared, min(most, PREFIX_CELLS // cols)))
        left, right = (
            next(
                cells.decode(parts).values.astype(np.float64)
                for cells, parts in read_cells(
                    model.checkpoint, [Cells(view, theirs.rows - rows, rows, cols)]
                )
            )
            for model, view in ((self._suspect, mine), (self._original, theirs))
        )
        left -= left.mean(0)
        right -= right.mean(0)
        lengths = np.linalg.norm(right, axis=1)
        full = np.flatnonzero(lengths >= lengths.max() / 2)[-compared:]
        scale = np.linalg.norm(left[full], axis=1) * lengths[full]
        products = np.abs(np.vecdot(left[full], right[full]))
        return bool(scale.all() and (products >= PREFIX_CORRELATION * scale).all())

    def _left_out(self, parts: Mapping[str, tuple[Part, ...]]) -> Iterator[NotWritten]:
        used = Counter(
            (part.slice.tensor.name, part.slice.first) for each in parts.values() for part in each
        )
        slices: dict[str, list[int]] = {}
        for number, view in enumerate(self._suspect_views):
            if not used[view.tensor.name, view.first_element]:
                slices.setdefault(view.tensor.name, []).append(number)
        for name, numbers in slices.items():
            yield NotWritten(name, self._why_left_out(numbers))
        for each in self._suspect.fingerprint.skipped:
            yield NotWritten(each.name, each.reason)

    def _why_left_out(self, numbers: Sequence[int]) -> str:
        whole = self._slices[self._suspect_views[numbers[0]].tensor.name]
        if len(numbers) < whole:
            return f"{len(numbers)} of its {whole} slices have no partner"
        if not self._pairing.copies.isdisjoint(numbers):
            return "it repeats another tensor of the suspect"
        if not self._pairing.open.isdisjoint(numbers):
            return "ambiguous: it may be several tensors of the original"
        return "nothing in the original resembles it"
