"""A checkpoint becomes its fingerprint: plan the ranges, read them in order, hash, assemble."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from math import prod
from typing import TYPE_CHECKING

from kinprint.checkpoints.dtypes import is_weight
from kinprint.fingerprint.cells import Cells
from kinprint.fingerprint.columns import block_columns, vector_columns
from kinprint.fingerprint.hashing import Hashed, hash_all
from kinprint.fingerprint.record import (
    Depth,
    FileFact,
    Fingerprint,
    OriginFact,
    SkippedFact,
    ViewFact,
)
from kinprint.fingerprint.screen import NOT_SCREENED, screened
from kinprint.sketches.blocks import blocks_of
from kinprint.sketches.projection import PUBLIC
from kinprint.sketches.vectors import MAX_ELEMENTS, MIN_ELEMENTS
from kinprint.views import View, views_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kinprint.checkpoints.tensors import Checkpoint, Progress, StoredTensor

TOO_SMALL = "block too small"
VECTOR_SIZE = f"vector outside {MIN_ELEMENTS} to {MAX_ELEMENTS:,} elements"


@dataclass(frozen=True, slots=True)
class _Draft:
    """A view, and what became of its blocks so far."""

    view: View
    obstacle: str | None
    hashed: list[Hashed] = field(default_factory=list)

    @property
    def generated(self) -> str | None:
        return next((each.generated for each in self.hashed if each.generated), None)

    @property
    def rows(self) -> list[dict[str, object]]:
        """Columns of its blocks; none if any of them is a formula's."""
        if self.generated is not None:
            return []
        return [dict(each.row) for each in self.hashed if each.row is not None]

    @property
    def note(self) -> str | None:
        if self.obstacle is not None or self.generated is not None or self.rows:
            return self.obstacle
        return next((each.note for each in self.hashed if each.note), None)


def take(
    checkpoint: Checkpoint, *, depth: Depth = Depth.FULL, progress: Progress | None = None
) -> Fingerprint:
    """Read a checkpoint's blocks and return its fingerprint.

    Blocks are read as a stream and hashed in order, so memory stays bounded by what the checkpoint
    keeps in flight, and the result depends on the stored weights alone.

    Args:
        checkpoint: One fixed revision; left open.
        depth: Read all views, or only the few of a screen.
        progress: Told the bytes read so far and those expected, after each block.

    Raises:
        CheckpointError: A tensor lies outside its file, or shapes declare too many matrices.
        HubError: The Hub failed for good.
    """
    tensors, skipped = _distinct(checkpoint)
    drafts = [_Draft(view, _obstacle(view)) for view in views_of(tensors)]
    if depth is Depth.SCREEN:
        drafts = _screen(drafts)
    jobs = [
        (draft, cells)
        for draft in drafts
        if draft.obstacle is None
        for cells in cells_of(draft.view)
    ]
    stream = read_cells(checkpoint, [cells for _, cells in jobs], progress=progress)
    for (draft, _), hashed in zip(jobs, hash_all(stream), strict=True):
        draft.hashed.append(hashed)
    numbered = list(enumerate(drafts))
    return Fingerprint(
        sketch_name=PUBLIC.name,
        origin=OriginFact(**asdict(checkpoint.origin)),
        files=tuple(
            FileFact(path=file.path, size=file.size, sha256=file.sha256)
            for file in checkpoint.files
        ),
        views=tuple(_fact(draft) for draft in drafts),
        skipped=tuple(skipped),
        blocks=block_columns(
            [{"view": i, **row} for i, d in numbered if not d.view.is_vector for row in d.rows]
        ),
        vectors=vector_columns(
            [{"view": i, **row} for i, d in numbered if d.view.is_vector for row in d.rows]
        ),
        parameters=sum(prod(tensor.shape) for tensor in tensors),
        bytes_read=checkpoint.bytes_read,
        depth=depth,
    )


def cells_of(view: View) -> tuple[Cells, ...]:
    """Return what is read of a view: a whole vector, or its blocks."""
    if view.is_vector:
        return (Cells(view, 0, 1, view.cols),)
    return tuple(
        Cells(view, block.start, block.rows, block.cols)
        for block in blocks_of(view.rows, view.cols)
    )


def read_cells(
    checkpoint: Checkpoint, wanted: Sequence[Cells], *, progress: Progress | None = None
) -> Iterator[tuple[Cells, list[bytes]]]:
    """Yield cells in the order given, each with the bytes of its spans once these are there."""
    spans = [cells.spans() for cells in wanted]
    bytes_expected = sum(span.stop - span.start for group in spans for span in group)
    stream = checkpoint.read([span for group in spans for span in group])
    bytes_done = 0
    for cells, group in zip(wanted, spans, strict=True):
        parts = [next(stream) for _ in group]
        bytes_done += sum(map(len, parts))
        yield cells, parts
        if progress is not None:
            progress(bytes_done, bytes_expected)


def _distinct(checkpoint: Checkpoint) -> tuple[list[StoredTensor], list[SkippedFact]]:
    """Return the float tensors, tied ones once, and what was left out."""
    skipped = [SkippedFact(name=each.name, reason=each.reason) for each in checkpoint.skipped]
    first_at: dict[tuple[object, ...], str] = {}
    tensors: list[StoredTensor] = []
    for tensor in checkpoint.tensors:
        place = (tensor.file, tensor.offset, tensor.shape, tensor.dtype)
        if not is_weight(tensor.dtype):
            reason = f"{tensor.dtype} holds no weights"
        elif prod(tensor.shape) == 0:
            reason = "no elements"
        elif place in first_at:
            reason = f"tied to {first_at[place]}"
        else:
            first_at[place] = tensor.name
            tensors.append(tensor)
            continue
        skipped.append(SkippedFact(name=tensor.name, reason=reason))
    return tensors, skipped


def _obstacle(view: View) -> str | None:
    """Why nothing of a view is read, or None."""
    cells = cells_of(view)
    if not cells:
        return TOO_SMALL
    if view.is_vector and not MIN_ELEMENTS <= view.cols <= MAX_ELEMENTS:
        return VECTOR_SIZE
    return cells[0].obstacle


def _screen(drafts: Sequence[_Draft]) -> list[_Draft]:
    """Put all views aside but those of the screen."""
    sizes = {
        number: (draft.view.cols, draft.view.rows, _bytes_of(draft.view))
        for number, draft in enumerate(drafts)
        if draft.obstacle is None and not draft.view.is_vector
    }
    chosen = screened(sizes)
    return [
        draft if number in chosen or draft.obstacle else _Draft(draft.view, NOT_SCREENED)
        for number, draft in enumerate(drafts)
    ]


def _bytes_of(view: View) -> int:
    spans = [span for cells in cells_of(view) for span in cells.spans()]
    return sum(span.stop - span.start for span in spans)


def _fact(draft: _Draft) -> ViewFact:
    view = draft.view
    return ViewFact(
        name=view.tensor.name,
        part=view.part,
        dtype=view.tensor.dtype,
        shape=view.tensor.shape,
        rows=view.rows,
        cols=view.cols,
        transposed=view.transposed,
        generated=draft.generated,
        note=draft.note,
    )
