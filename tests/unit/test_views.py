"""Views are found by shape alone."""

from __future__ import annotations

import pytest

from kinprint.checkpoints import limits
from kinprint.checkpoints.tensors import StoredTensor
from kinprint.errors import LimitExceededError
from kinprint.views import views_of
from llama_shapes import llama_3_8b


def _tensor(*shape: int, dtype: str = "F32", name: str = "w") -> StoredTensor:
    return StoredTensor(name, dtype, shape, "f", 0, 0)


@pytest.mark.parametrize(
    ("shape", "rows", "cols", "transposed"),
    [
        ((), 1, 1, False),
        ((768,), 1, 768, False),
        ((1, 768), 1, 768, False),
        ((768, 1), 1, 768, True),
        ((384, 1536), 384, 1536, False),
        ((4096, 16), 16, 4096, True),
        ((16, 4096), 16, 4096, False),
        ((31, 31), 31, 31, False),
        ((1, 197, 768), 197, 768, False),
        ((512, 256, 3), 512, 768, False),
        ((512, 1, 9), 9, 512, True),
        ((768, 3, 16, 16), 768, 768, False),
        ((64, 64, 3, 3, 3), 64, 1728, False),
        ((1024, 64, 128), 1024, 8192, False),
    ],
)
def test_one_view_of_each_ordinary_shape(
    shape: tuple[int, ...], rows: int, cols: int, transposed: bool
) -> None:
    (view,) = views_of([_tensor(*shape)])
    assert (view.rows, view.cols, view.transposed) == (rows, cols, transposed)
    assert (view.part, view.first_element) == (0, 0)


def test_a_stack_of_experts_gives_one_view_each() -> None:
    views = views_of([_tensor(8, 64, 128)])
    assert [(view.part, view.rows, view.cols) for view in views] == [
        (part, 64, 128) for part in range(8)
    ]
    assert [view.first_element for view in views] == [part * 64 * 128 for part in range(8)]


def test_integers_scales_and_empty_tensors_have_no_view() -> None:
    tensors = [
        _tensor(64, 64, dtype="I64"),
        _tensor(64, 64, dtype="BOOL"),
        _tensor(64, 64, dtype="F8_E8M0"),
        _tensor(0, 64),
    ]
    assert views_of(tensors) == ()


def test_names_play_no_part() -> None:
    shapes = [shape for _, shape in llama_3_8b()]
    plain = views_of([_tensor(*shape, name=name) for name, shape in llama_3_8b()])
    opaque = views_of([_tensor(*shape, name=f"t{i}") for i, shape in enumerate(shapes)])
    assert [(v.rows, v.cols, v.transposed) for v in plain] == [
        (v.rows, v.cols, v.transposed) for v in opaque
    ]
    assert len(plain) == 291


def test_a_shape_that_declares_too_many_views_is_refused() -> None:
    side = limits.TENSORS + 1
    with pytest.raises(LimitExceededError, match="'huge'"):
        views_of([_tensor(side, side, side, name="huge")])
