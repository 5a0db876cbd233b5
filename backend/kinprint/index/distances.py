"""Near pairs among 256-bit hashes, by folded distance, in bounded memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from kinprint.sketches.distances import HASH_BITS, hamming

if TYPE_CHECKING:
    from numpy.typing import NDArray

HASH_BYTES = HASH_BITS // 8

NEAREST = 32
"""Of one row's neighbours only so many are given, so that crafted hashes cannot fill the memory."""

_CELLS_AT_ONCE = 2_000_000


class NearPairs(NamedTuple):
    """Pairs of rows that lie near one another (h pairs each).

    Attributes:
        row: intp (h,), row of the first operand.
        column: intp (h,), row of the second.
        bits: uint8 (h,), folded distance 0…128.
        negated: bool (h,), one is nearer to the other times −1.
    """

    row: NDArray[np.intp]
    column: NDArray[np.intp]
    bits: NDArray[np.uint8]
    negated: NDArray[np.bool_]


def near_pairs(a: NDArray[np.uint8], b: NDArray[np.uint8], within_bits: int) -> NearPairs:
    """Find the pairs whose folded distance min(d, 256 − d) is at most ``within_bits``.

    Args:
        a: uint8 (n, 32), packed hashes.
        b: uint8 (m, 32).
        within_bits: 0…127.

    Returns:
        For each row of ``a`` its nearest ``NEAREST`` rows of ``b`` at most, by row and distance.
    """
    step = max(1, _CELLS_AT_ONCE // max(1, len(b)))
    found = [_near(a[top : top + step], b, within_bits, top) for top in range(0, len(a), step)]
    if not found:
        nothing = np.zeros(0, np.intp)
        return NearPairs(nothing, nothing, np.zeros(0, np.uint8), np.zeros(0, np.bool_))
    return NearPairs(*(np.concatenate(parts) for parts in zip(*found, strict=True)))


def _near(
    a: NDArray[np.uint8], b: NDArray[np.uint8], within_bits: int, first_row: int
) -> NearPairs:
    distance = hamming(a, b)
    near = (distance <= within_bits) | (distance >= HASH_BITS - within_bits)
    row, column = np.nonzero(near)
    unfolded = distance[row, column]
    negated = unfolded > HASH_BITS // 2
    bits = np.where(negated, HASH_BITS - unfolded, unfolded).astype(np.uint8)
    order = np.lexsort((column, bits, row))
    rank = np.arange(len(row)) - np.searchsorted(row, row)
    kept = order[rank < NEAREST]
    return NearPairs(row[kept] + first_row, column[kept], bits[kept], negated[kept])
