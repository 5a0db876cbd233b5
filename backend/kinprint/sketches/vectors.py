"""Sign hashes of vectors (biases, norms): support for a match, never evidence of one."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from kinprint.sketches.blocks import SKETCH_SIZE
from kinprint.sketches.projection import PUBLIC

if TYPE_CHECKING:
    from numpy.typing import NDArray

MIN_ELEMENTS = 64
MAX_ELEMENTS = 16_384
_FOLD = 1_024


def vector_phash(values: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """Return the signs of a dense ±1 projection of vectors, their means removed.

    The sign of element j in output o is u[j]·G[j mod 1024, o], so long vectors are folded before
    the matrix product. u is the public stream of role ``vector elements`` (bit j), G that of role
    ``vector outputs`` (bit 256·(j mod 1024) + o); see ``projection`` for the streams.

    Args:
        values: Float (..., n), 64 ≤ n ≤ 16,384, finite.

    Returns:
        uint8 (..., 32), first sign in bit 0, zero counting as positive (bit 1).
    """
    wide = values.astype(np.float64)
    *outer, size = wide.shape
    wide -= wide.mean(axis=-1, keepdims=True)
    wide *= _element_signs()[:size]
    whole = size // _FOLD * _FOLD
    folded = np.zeros((*outer, _FOLD))
    folded[..., : size - whole] = wide[..., whole:]
    folded += wide[..., :whole].reshape(*outer, -1, _FOLD).sum(axis=-2)
    used = min(size, _FOLD)
    outputs = folded[..., :used] @ _output_signs()[:used]
    return np.packbits(outputs >= 0, axis=-1, bitorder="little")


@cache
def _element_signs() -> NDArray[np.float64]:
    return np.where(PUBLIC.sign_bits("vector elements", MAX_ELEMENTS), -1.0, 1.0)


@cache
def _output_signs() -> NDArray[np.float64]:
    bits = PUBLIC.sign_bits("vector outputs", _FOLD * SKETCH_SIZE)
    return np.where(bits, -1.0, 1.0).reshape(_FOLD, SKETCH_SIZE)
