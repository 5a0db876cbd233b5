"""Stored elements as a stream of pieces: short reads, whatever the tensor's size."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from kinprint.checkpoints.dtypes import ITEM_BITS
from kinprint.checkpoints.tensors import Span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kinprint.checkpoints.tensors import StoredTensor

PIECE_ELEMENTS = 1_048_576
"""Elements of one read: 2 to 8 MB. A multiple of 8, as the noise is made in eights."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Elements ``first`` to ``first + count`` of a stored tensor, row-major.

    Its dtype has at least eight bits an element.
    """

    tensor: StoredTensor
    first: int
    count: int

    @classmethod
    def whole(cls, tensor: StoredTensor) -> Slice:
        """Return all elements of a tensor."""
        return cls(tensor, 0, prod(tensor.shape))

    def pieces(self) -> Iterator[Slice]:
        """Cut it into short slices, in order."""
        for start in range(0, self.count, PIECE_ELEMENTS):
            count = min(PIECE_ELEMENTS, self.count - start)
            yield Slice(self.tensor, self.first + start, count)

    @property
    def span(self) -> Span:
        """Where its bytes lie."""
        item_bytes = ITEM_BITS[self.tensor.dtype] // 8
        start = self.tensor.offset + self.first * item_bytes
        return Span(self.tensor.file, start, start + self.count * item_bytes)
