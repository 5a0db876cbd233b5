"""What of a fingerprint may enter the index or be looked up in it, and what was found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kinprint.errors import FingerprintError
from kinprint.index.distances import HASH_BYTES
from kinprint.sketches.distances import HASH_BITS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from kinprint.fingerprint.record import Fingerprint


@dataclass(frozen=True)
class Evidence:
    """Blocks of one fingerprint's evidence views (n rows); generated views are left out.

    Attributes:
        sketch_name: Hashes of another name never compare.
        classes: The distinct (start, rows, cols); only blocks of one class compare.
        block_class: intp (n,), index into ``classes``.
        phash: uint8 (n, 32).
        sketch: int16 (n, 256).
        step: float32 (n,).
        parameters: int64 (n,), cells of the view.
    """

    sketch_name: str
    classes: tuple[tuple[int, int, int], ...]
    block_class: NDArray[np.intp]
    phash: NDArray[np.uint8]
    sketch: NDArray[np.int16]
    step: NDArray[np.float32]
    parameters: NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of blocks."""
        return len(self.block_class)

    def by_class(self) -> Iterator[tuple[tuple[int, int, int], NDArray[np.intp]]]:
        """Yield each class with the rows of its blocks."""
        for number, each in enumerate(self.classes):
            yield each, np.flatnonzero(self.block_class == number)


def evidence_of(fingerprint: Fingerprint) -> Evidence:
    """Choose the blocks that may enter the index.

    Raises:
        FingerprintError: Its columns do not fit together.
    """
    blocks, views = fingerprint.blocks, fingerprint.views
    count = len(blocks.view)
    shapes = {"phash": (count, HASH_BYTES), "sketch": (count, HASH_BITS), "step": (count,)}
    for name, shape in shapes.items():
        if getattr(blocks, name).shape != shape:
            raise FingerprintError(f"The fingerprint's column {name!r} is not of shape {shape}")
    if count and not 0 <= int(blocks.view.min()) <= int(blocks.view.max()) < len(views):
        raise FingerprintError("The fingerprint has a block of a view that it does not list")
    kept = np.array([views[view].generated is None for view in blocks.view], np.bool_)
    keys = np.stack([blocks.start[kept], blocks.rows[kept], blocks.cols[kept]], axis=1)
    classes, block_class = np.unique(keys, axis=0, return_inverse=True)
    cells = [views[view].rows * views[view].cols for view in blocks.view[kept]]
    return Evidence(
        sketch_name=fingerprint.sketch_name,
        classes=tuple((int(start), int(rows), int(cols)) for start, rows, cols in classes),
        block_class=block_class.reshape(-1).astype(np.intp),
        phash=blocks.phash[kept],
        sketch=blocks.sketch[kept],
        step=blocks.step[kept],
        parameters=np.array(cells, np.int64),
    )


@dataclass(frozen=True)
class Hits:
    """Families whose centre lies near a block (h rows, each pair once).

    Attributes:
        block: intp (h,), row of ``Evidence``.
        family: int64 (h,), family id.
        bits: uint8 (h,), folded distance to the centre.
        negated: bool (h,), the block is the centre times −1.
    """

    block: NDArray[np.intp]
    family: NDArray[np.int64]
    bits: NDArray[np.uint8]
    negated: NDArray[np.bool_]

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.block)

    def nearest(self, n_blocks: int, within_bits: int) -> dict[int, tuple[int, bool]]:
        """Return for each block its nearest family (id, negated) within the distance."""
        order = np.lexsort((self.family, self.bits))
        nearest: dict[int, tuple[int, bool]] = {}
        for hit in order[self.bits[order] <= within_bits]:
            nearest.setdefault(
                int(self.block[hit]), (int(self.family[hit]), bool(self.negated[hit]))
            )
            if len(nearest) == n_blocks:
                break
        return nearest


def all_hits(parts: Sequence[Hits]) -> Hits:
    """Put hits together, each (block, family) once."""
    if not parts:
        return Hits(
            np.zeros(0, np.intp),
            np.zeros(0, np.int64),
            np.zeros(0, np.uint8),
            np.zeros(0, np.bool_),
        )
    block = np.concatenate([part.block for part in parts])
    family = np.concatenate([part.family for part in parts])
    _, first = np.unique(np.stack([block.astype(np.int64), family]), axis=1, return_index=True)
    return Hits(
        block[first],
        family[first],
        np.concatenate([part.bits for part in parts])[first],
        np.concatenate([part.negated for part in parts])[first],
    )
