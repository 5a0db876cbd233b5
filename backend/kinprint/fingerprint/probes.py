"""Probe views of a model: the few that an instance also hashes under its secret key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kinprint.fingerprint.cells import Cells
from kinprint.fingerprint.take import read_cells
from kinprint.views import View, views_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kinprint.checkpoints.tensors import Checkpoint, Progress
    from kinprint.fingerprint.record import Fingerprint
    from kinprint.sketches.secret import SecretKey

PROBES = 24
"""Enough to find one shaped tensor in eight with 95 %, at 8 % of the bytes of an 8B."""


@dataclass(frozen=True, slots=True)
class Probe:
    """Secret signs of one block; kept in the instance's database only.

    Attributes:
        block: Row of the fingerprint's ``BlockColumns`` that names view, R and C.
        key_id: Public id of the secret key.
        row_offset: First row that was read.
        signs: 32 bytes.
    """

    block: int
    key_id: str
    row_offset: int
    signs: bytes


@dataclass(frozen=True, slots=True)
class ProbeTarget:
    """A block to be read at secret rows.

    Attributes:
        block: Row of the fingerprint's ``BlockColumns``.
        row_offset: First row to read.
    """

    block: int
    row_offset: int


def probe_targets(
    fingerprint: Fingerprint, key: SecretKey, count: int = PROBES
) -> tuple[ProbeTarget, ...]:
    """Choose a model's probe blocks by shape and content alone.

    Blocks are ordered by their sign hashes within a shape, so names, order and shards do not
    matter, and taken evenly from all shapes.

    Args:
        fingerprint: The model.
        key: Gives the secret rows.
        count: How many at most.
    """
    blocks = fingerprint.blocks
    order = sorted(
        (row for row in range(len(blocks.view)) if _rows_left(fingerprint, row) > 0),
        key=lambda row: (
            int(blocks.cols[row]),
            fingerprint.views[blocks.view[row]].rows,
            blocks.phash[row].tobytes(),
        ),
    )
    chosen = np.unique(np.linspace(0, len(order) - 1, min(count, len(order))).round().astype(int))
    return tuple(_target(fingerprint, order[place], key) for place in chosen)


def read_probes(
    checkpoint: Checkpoint,
    fingerprint: Fingerprint,
    key: SecretKey,
    targets: Sequence[ProbeTarget],
    *,
    progress: Progress | None = None,
) -> tuple[Probe, ...]:
    """Read blocks at secret rows and return their signs; blocks that do not fit are left out.

    Args:
        checkpoint: The checkpoint that ``fingerprint`` was taken of.
        fingerprint: Names the views.
        key: The secret key.
        targets: Blocks and rows.
        progress: Told the bytes read so far and those expected.

    Raises:
        CheckpointError: The checkpoint changed since.
        HubError: The Hub failed for good.
    """
    views = {(view.tensor.name, view.part): view for view in views_of(checkpoint.tensors)}
    fitting = [
        (target, cells)
        for target in targets
        if (cells := _cells(fingerprint, target, views)) is not None
    ]
    stream = read_cells(checkpoint, [cells for _, cells in fitting], progress=progress)
    return tuple(
        Probe(target.block, key.id, target.row_offset, key.signs(cells.decode(parts).values))
        for (target, _), (cells, parts) in zip(fitting, stream, strict=True)
    )


def _cells(
    fingerprint: Fingerprint, target: ProbeTarget, views: dict[tuple[str, int], View]
) -> Cells | None:
    blocks = fingerprint.blocks
    fact = fingerprint.views[blocks.view[target.block]]
    rows = int(blocks.rows[target.block])
    if target.row_offset + rows > fact.rows:
        return None
    return Cells(
        views[fact.name, fact.part], target.row_offset, rows, int(blocks.cols[target.block])
    )


def _rows_left(fingerprint: Fingerprint, block: int) -> int:
    """Rows outside the public block; a view without any has nothing to hide in."""
    blocks = fingerprint.blocks
    return int(fingerprint.views[blocks.view[block]].rows - blocks.rows[block])


def _target(fingerprint: Fingerprint, block: int, key: SecretKey) -> ProbeTarget:
    blocks = fingerprint.blocks
    rows, cols = int(blocks.rows[block]), int(blocks.cols[block])
    below = int(blocks.start[block]) + rows
    offset = key.row_offset(cols, fingerprint.views[blocks.view[block]].rows, rows, avoid=below)
    return ProbeTarget(block, offset)
