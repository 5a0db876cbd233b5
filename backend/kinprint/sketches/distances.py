"""Hamming distances between 256-bit sign hashes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

HASH_BITS = 256


def hamming(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.int16]:
    """Distances between all pairs of packed hashes.

    Args:
        a: uint8 (n, 32).
        b: uint8 (m, 32).

    Returns:
        int16 (n, m), 0…256, not folded.
    """
    left = np.ascontiguousarray(a).view(np.uint64)
    right = np.ascontiguousarray(b).view(np.uint64)
    distance = np.zeros((len(left), len(right)), np.int16)
    for word in range(left.shape[1]):
        distance += np.bitwise_count(left[:, word, None] ^ right[None, :, word])
    return distance
