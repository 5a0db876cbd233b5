"""Where a rectangle of a view's cells is stored, and how its bytes become values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from kinprint.checkpoints.dtypes import (
    ITEM_BITS,
    PACKED,
    SCALE_BLOCKS,
    decode,
    decode_packed,
    lattice_dtype,
    rounding_variance,
    rounding_variance_packed,
)
from kinprint.checkpoints.tensors import Span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from kinprint.views import View

_WASTE = 4
"""Rows are read one by one where more than this many times the wanted columns lie between."""


@dataclass(frozen=True, slots=True)
class ReadCells:
    """The cells of a rectangle, as read.

    Attributes:
        raw: Stored bytes of exactly these cells, row after row of the view; for packed dtypes
            the bytes as they lie in the file, followed by their scales.
        values: Float (rows, cols).
        rounding: Mean ulp²/12 over the cells, of the coarsest dtype that holds them all.
    """

    raw: bytes
    values: NDArray[np.floating[Any]]
    rounding: float


@dataclass(frozen=True, slots=True)
class Cells:
    """Rows ``start`` to ``start + rows``, columns 0 to ``cols`` of a view."""

    view: View
    start: int
    rows: int
    cols: int

    @property
    def obstacle(self) -> str | None:
        """Why they cannot be read, or None."""
        tensor = self.view.tensor
        if tensor.dtype not in PACKED:
            return None
        if tensor.scale is None or tensor.scale.dtype not in SCALE_BLOCKS:
            return "packed dtype without known scales"
        if self.view.transposed or self.view.cols % SCALE_BLOCKS[tensor.scale.dtype]:
            return "packed rows do not end with their scale block"
        return None

    def spans(self) -> tuple[Span, ...]:
        """Return the byte ranges to read; `decode` takes their bytes in this order."""
        tensor = self.view.tensor
        runs = self._runs()
        bits = ITEM_BITS[tensor.dtype]
        spans = [_span(tensor.file, tensor.offset, first, count, bits) for first, count in runs]
        scale = tensor.scale
        if tensor.dtype in PACKED and scale is not None:
            block, bits = SCALE_BLOCKS[scale.dtype], ITEM_BITS[scale.dtype]
            spans += [
                _span(scale.file, scale.offset, first // block, count // block, bits)
                for first, count in runs
            ]
        return tuple(spans)

    def decode(self, parts: Sequence[bytes]) -> ReadCells:
        """Turn the bytes of ``spans()`` into cells."""
        tensor = self.view.tensor
        if tensor.dtype in PACKED:
            return self._decode_packed(parts)
        raw = parts[0] if len(parts) == 1 else b"".join(parts)
        item_bytes = ITEM_BITS[tensor.dtype] // 8
        if self.view.transposed:
            stored = np.frombuffer(raw, np.uint8).reshape(self.cols, self.view.rows, item_bytes)
            rows = slice(self.start, self.start + self.rows)
            raw = stored[:, rows].transpose(1, 0, 2).tobytes()
        elif len(raw) > self.rows * self.cols * item_bytes:
            whole_rows = np.frombuffer(raw, np.uint8).reshape(self.rows, -1)
            raw = whole_rows[:, : self.cols * item_bytes].tobytes()
        values = decode(raw, tensor.dtype).reshape(self.rows, self.cols)
        rounding = rounding_variance(values, lattice_dtype(values, tensor.dtype))
        return ReadCells(raw, values, rounding)

    def _decode_packed(self, parts: Sequence[bytes]) -> ReadCells:
        tensor = self.view.tensor
        assert tensor.scale is not None
        raw = b"".join(parts[: len(parts) // 2])
        scale_raw = b"".join(parts[len(parts) // 2 :])
        packed = raw, tensor.dtype, scale_raw, tensor.scale.dtype
        values = decode_packed(*packed).reshape(self.rows, -1)[:, : self.cols]
        return ReadCells(raw + scale_raw, values, rounding_variance_packed(*packed))

    def _runs(self) -> list[tuple[int, int]]:
        """(First element, number of elements) of each contiguous run to read."""
        view = self.view
        if view.transposed:
            return [(view.first_element, self.cols * view.rows)]
        first = view.first_element + self.start * view.cols
        if view.cols > _WASTE * self.cols:
            return [(first + row * view.cols, self.cols) for row in range(self.rows)]
        return [(first, self.rows * view.cols)]


def _span(file: str, offset: int, first: int, count: int, bits: int) -> Span:
    return Span(file, offset + first * bits // 8, offset + (first + count) * bits // 8)
