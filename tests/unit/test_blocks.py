"""Which cells are hashed, and how many bytes that costs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinprint.checkpoints.tensors import StoredTensor
from kinprint.fingerprint.take import cells_of
from kinprint.sketches.blocks import EVIDENCE_CELLS, Block, blocks_of
from kinprint.views import views_of
from llama_shapes import llama_3_8b


@pytest.mark.parametrize(
    ("rows", "cols", "expected"),
    [
        (384, 384, (Block(0, 64, 384),)),
        (384, 1536, (Block(0, 8, 1536),)),
        (1536, 384, (Block(0, 64, 384),)),
        (30522, 384, (Block(1024, 64, 384),)),
        (4096, 1024, (Block(0, 32, 1024), Block(1024, 32, 1024))),
        (14336, 4096, (Block(0, 8, 4096),)),
        (128256, 4096, (Block(1024, 8, 4096),)),
        (8192, 28672, (Block(0, 8, 16384),)),
        (100, 96, (Block(0, 64, 96),)),
        (40, 1024, (Block(0, 32, 1024),)),
        (31, 1024, (Block(0, 8, 1024),)),
        (9, 1000, (Block(0, 8, 960),)),
        (256, 33, (Block(0, 256, 32),)),
    ],
)
def test_the_rule(rows: int, cols: int, expected: tuple[Block, ...]) -> None:
    assert blocks_of(rows, cols) == expected


@pytest.mark.parametrize(
    ("rows", "cols"), [(7, 4096), (10_000, 31), (64, 64), (8, 575), (255, 32), (1, 4096), (2, 384)]
)
def test_too_small_for_a_sketch(rows: int, cols: int) -> None:
    assert blocks_of(rows, cols) == ()


@given(rows=st.integers(1, 2**40), cols=st.integers(1, 2**40))
def test_every_block_lies_in_its_view_and_is_evidence(rows: int, cols: int) -> None:
    for block in blocks_of(rows, cols):
        assert block.start + block.rows <= rows
        assert block.cols <= cols
        assert block.cols % (2 * block.k) == 0
        assert block.rows % block.r == 0
        assert block.r * block.k == 256
        assert (block.rows - 1) * (block.cols - 1) >= EVIDENCE_CELLS
        assert block.rows * block.cols % 512 == 0


@given(rows=st.integers(256, 100_000), cols=st.integers(32, 20_000), more=st.integers(0, 64))
def test_rows_appended_keep_a_block_in_common(rows: int, cols: int, more: int) -> None:
    before, after = blocks_of(rows, cols), blocks_of(rows + more, cols)
    crosses = (rows < 2_048 <= rows + more) or (rows < 4_096 <= rows + more)
    if before and not crosses:
        assert set(before) & set(after)


def test_a_llama_3_8b_costs_less_than_21_megabytes() -> None:
    tensors = [StoredTensor(name, "BF16", shape, "f", 0, 0) for name, shape in llama_3_8b()]
    spans = [
        span for view in views_of(tensors) for cells in cells_of(view) for span in cells.spans()
    ]
    assert len(spans) == 291
    assert sum(span.stop - span.start for span in spans) == 20_586_496
