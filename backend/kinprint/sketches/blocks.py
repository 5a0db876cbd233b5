"""Which cells of a view are hashed: one small block, two for tall views, none for tiny ones."""

from __future__ import annotations

from dataclasses import dataclass

SKETCH_SIZE = 256
MAX_COLS = 16_384
STEPS = ((256, 128), (64, 512), (32, 1_024), (8, MAX_COLS))
"""(R, widest C0 at which R rows are taken), most rows first."""
MAX_KEPT_ROWS = 16
EVIDENCE_CELLS = 4_096
"""Least (R - 1)(C - 1). Measured: 64 x 4 cells put strangers at 86 bits."""
FAR_START = 1_024
"""First rows of embeddings and heads are often special tokens, or were never trained."""


@dataclass(frozen=True, slots=True)
class Block:
    """Rows ``start`` to ``start + rows`` and columns 0 to ``cols`` of a view.

    Attributes:
        start: First row.
        rows: R, one of 8, 32, 64, 256.
        cols: C, a multiple of 2k.
    """

    start: int
    rows: int
    cols: int

    @property
    def r(self) -> int:
        """Rows of the sketch."""
        return min(self.rows, MAX_KEPT_ROWS)

    @property
    def k(self) -> int:
        """Columns of the sketch; r·k = 256."""
        return SKETCH_SIZE // self.r


def block_shape(rows: int, cols: int) -> tuple[int, int] | None:
    """Return (R, C) of the blocks of a rows x cols view, None where it is too small.

    Counted in cells, never bytes, so that copies in any dtype give the same block.
    """
    usable = min(cols, MAX_COLS) // 32 * 32
    if not usable:
        return None
    block_rows = next((r for r, widest in STEPS if usable <= widest and r <= rows), None)
    if block_rows is None:
        return None
    pair = 2 * SKETCH_SIZE // min(block_rows, MAX_KEPT_ROWS)
    block_cols = usable // pair * pair
    if (block_rows - 1) * (block_cols - 1) < EVIDENCE_CELLS:
        return None
    return block_rows, block_cols


def blocks_of(rows: int, cols: int) -> tuple[Block, ...]:
    """Return the blocks of a rows x cols view: none, one, or two for a tall one.

    Args:
        rows: Rows of the view.
        cols: Columns of the view (a view narrower than 32 columns is already transposed).
    """
    shape = block_shape(rows, cols)
    if shape is None:
        return ()
    if rows >= 4_096 and rows >= 16 * cols:
        starts: tuple[int, ...] = (FAR_START,)
    elif rows >= 2_048 and rows >= 4 * cols:
        starts = (0, FAR_START)
    else:
        starts = (0,)
    return tuple(Block(start, *shape) for start in starts)
