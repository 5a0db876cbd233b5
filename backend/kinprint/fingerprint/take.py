"""A checkpoint becomes its fingerprint: plan the ranges, read them in order, hash, assemble."""

from __future__ import annotations

from dataclasses import asdict
from itertools import groupby
from math import prod
from typing import TYPE_CHECKING

from kinprint.checkpoints import limits
from kinprint.checkpoints.dtypes import is_weight
from kinprint.errors import LimitExceededError
from kinprint.fingerprint.cells import Cells
from kinprint.fingerprint.columns import BLOCK_COLUMNS, VECTOR_COLUMNS, Rows
from kinprint.fingerprint.hashing import hash_all
from kinprint.fingerprint.record import (
    BlockColumns,
    Depth,
    FileFact,
    Fingerprint,
    OriginFact,
    SkippedFact,
    VectorColumns,
    ViewFact,
)
from kinprint.fingerprint.screen import NOT_SCREENED, screened
from kinprint.sketches.blocks import blocks_of
from kinprint.sketches.projection import PUBLIC
from kinprint.sketches.vectors import MAX_ELEMENTS, MIN_ELEMENTS
from kinprint.views import View, views_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from kinprint.checkpoints.tensors import Checkpoint, Progress, StoredTensor
    from kinprint.fingerprint.hashing import Hashed

TOO_SMALL = "block too small"
TOO_MANY_VECTORS = f"one of more than {limits.VECTORS:,} vectors"
_CELLS_AT_ONCE = 4_096
"""Blocks whose reads are planned together; an 8B model has 290."""
VECTOR_SIZE = f"vector outside {MIN_ELEMENTS} to {MAX_ELEMENTS:,} elements"


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
        CheckpointError: A tensor lies outside its file.
        LimitExceededError: The shapes declare more than ``limits.TENSORS`` views, or more than
            ``limits.SKETCHES`` blocks.
        HubError: The Hub failed for good.
    """
    tensors, skipped = _distinct(checkpoint)
    views = views_of(tensors)
    obstacles = [_obstacle(view) for view in views]
    if depth is Depth.SCREEN:
        _screen(views, obstacles)
    _leave_out_vectors(views, obstacles)
    wanted = [
        cells
        for view, obstacle in zip(views, obstacles, strict=True)
        if obstacle is None
        for cells in cells_of(view)
    ]
    n_vectors = sum(cells.view.is_vector for cells in wanted)
    if len(wanted) - n_vectors > limits.SKETCHES:
        raise LimitExceededError(f"The shapes ask for more than {limits.SKETCHES:,} sketches")
    blocks = Rows(BLOCK_COLUMNS, len(wanted) - n_vectors)
    vectors = Rows(VECTOR_COLUMNS, n_vectors)
    hashed = hash_all(read_cells(checkpoint, wanted, progress=progress))
    of_views = _by_view(wanted, hashed)
    facts: list[ViewFact] = []
    for number, (view, obstacle) in enumerate(zip(views, obstacles, strict=True)):
        done = next(of_views) if obstacle is None else []
        facts.append(_fact(view, obstacle, done))
        if facts[-1].generated is None:
            for row in (each.row for each in done if each.row is not None):
                (vectors if view.is_vector else blocks).append(number, row)
    return Fingerprint(
        sketch_name=PUBLIC.name,
        origin=OriginFact(**asdict(checkpoint.origin)),
        files=tuple(
            FileFact(path=file.path, size=file.size, sha256=file.sha256)
            for file in checkpoint.files
        ),
        views=tuple(facts),
        skipped=tuple(skipped),
        blocks=BlockColumns(**blocks.filled()),
        vectors=VectorColumns(**vectors.filled()),
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
    bytes_expected = 0 if progress is None else sum(map(_bytes_of, wanted))
    bytes_done = 0
    for first in range(0, len(wanted), _CELLS_AT_ONCE):
        some = wanted[first : first + _CELLS_AT_ONCE]
        spans = [cells.spans() for cells in some]
        stream = checkpoint.read([span for group in spans for span in group])
        for cells, group in zip(some, spans, strict=True):
            parts = [next(stream) for _ in group]
            bytes_done += sum(map(len, parts))
            yield cells, parts
            if progress is not None:
                progress(bytes_done, bytes_expected)


def _by_view(wanted: Sequence[Cells], hashed: Iterable[Hashed]) -> Iterator[list[Hashed]]:
    """Yield what became of the blocks of each view, view by view."""
    both = zip(wanted, hashed, strict=True)
    for _, of_view in groupby(both, key=lambda each: id(each[0].view)):
        yield [each for _, each in of_view]


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


def _screen(views: Sequence[View], obstacles: list[str | None]) -> None:
    """Put all views aside but those of the screen."""
    sizes = {
        number: (view.cols, view.rows, sum(map(_bytes_of, cells_of(view))))
        for number, view in enumerate(views)
        if obstacles[number] is None and not view.is_vector
    }
    chosen = screened(sizes)
    for number, obstacle in enumerate(obstacles):
        if number not in chosen and obstacle is None:
            obstacles[number] = NOT_SCREENED


def _leave_out_vectors(views: Sequence[View], obstacles: list[str | None]) -> None:
    """Put all vectors aside where there are too many; a choice would depend on their order."""
    readable = [
        number for number, view in enumerate(views) if view.is_vector and obstacles[number] is None
    ]
    if len(readable) > limits.VECTORS:
        for number in readable:
            obstacles[number] = TOO_MANY_VECTORS


def _bytes_of(cells: Cells) -> int:
    return sum(span.stop - span.start for span in cells.spans())


def _fact(view: View, obstacle: str | None, done: Sequence[Hashed]) -> ViewFact:
    generated = next((each.generated for each in done if each.generated), None)
    is_hashed = any(each.row is not None for each in done)
    note = obstacle
    if generated is None and not is_hashed:
        note = obstacle or next((each.note for each in done if each.note), None)
    return ViewFact(
        name=view.tensor.name,
        part=view.part,
        dtype=view.tensor.dtype,
        shape=view.tensor.shape,
        rows=view.rows,
        cols=view.cols,
        transposed=view.transposed,
        generated=generated,
        note=note,
    )
