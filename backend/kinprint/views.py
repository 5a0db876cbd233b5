"""Stored tensors → canonical 2-D views, found by shape alone; no key name is ever consulted."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from kinprint.checkpoints import limits
from kinprint.checkpoints.dtypes import is_weight
from kinprint.errors import LimitExceededError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kinprint.checkpoints.tensors import StoredTensor

MIN_COLS = 32
"""A view of fewer columns is taken transposed."""


@dataclass(frozen=True, slots=True)
class View:
    """A rows x cols float matrix inside a stored tensor (rows = outputs, cols = inputs).

    Attributes:
        tensor: The stored tensor it lies in.
        part: Index of the slice in a stack of experts; 0 elsewhere.
        rows: Rows of the view, after the transposition if there is one.
        cols: Columns of the view; a convolution's trailing dimensions are folded in.
        transposed: The stored slice is cols x rows (narrow matrices are taken transposed).
        first_element: Index, within the tensor's elements, of the slice's first element.
    """

    tensor: StoredTensor
    part: int
    rows: int
    cols: int
    transposed: bool
    first_element: int

    @property
    def is_vector(self) -> bool:
        """Whether it has a single row, as biases, norms and scales have."""
        return self.rows == 1


def views_of(tensors: Sequence[StoredTensor]) -> tuple[View, ...]:
    """Return the views of all tensors that hold weights, in the order given.

    Leading dimensions of 1 are dropped. What then has one dimension is a vector (one row); two, a
    matrix; three, a stack of experts with one view each where the first dimension is no larger
    than the other two and both of those are at least 32 (so a 1-D convolution is no stack);
    everything else is a convolution, whose trailing dimensions fold into columns. Narrow matrices
    are taken transposed unless both dimensions are below 32.

    Args:
        tensors: Stored tensors, of any dtype; those without weights or elements give no view.

    Raises:
        LimitExceededError: The shapes give more than ``limits.TENSORS`` views.
    """
    views: list[View] = []
    for tensor in tensors:
        if not is_weight(tensor.dtype) or prod(tensor.shape) == 0:
            continue
        if len(views) + _parts(tensor.shape) > limits.TENSORS:
            raise LimitExceededError(
                f"The shapes declare more than {limits.TENSORS:,} matrices",
                file=tensor.file,
                tensor=tensor.name,
            )
        views.extend(_views_of_tensor(tensor))
    return tuple(views)


def _core(shape: tuple[int, ...]) -> tuple[int, ...]:
    leading = next((i for i, size in enumerate(shape) if size != 1), len(shape))
    return shape[leading:]


def _parts(shape: tuple[int, ...]) -> int:
    core = _core(shape)
    is_stack = len(core) == 3 and min(core[1:]) >= max(MIN_COLS, core[0])
    return core[0] if is_stack else 1


def _views_of_tensor(tensor: StoredTensor) -> Iterator[View]:
    core = _core(tensor.shape)
    parts = _parts(tensor.shape)
    if len(core) < 2:
        rows, cols = 1, prod(core)
    elif parts > 1:
        rows, cols = core[1:]
    else:
        rows, cols = core[0], prod(core[1:])
    transposed = cols < MIN_COLS <= rows
    for part in range(parts):
        yield View(
            tensor=tensor,
            part=part,
            rows=cols if transposed else rows,
            cols=rows if transposed else cols,
            transposed=transposed,
            first_element=part * rows * cols,
        )
