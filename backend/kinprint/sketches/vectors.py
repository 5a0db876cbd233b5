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
    """Return the signs of a dense ±1 projection of a vector, its mean removed.

    The sign of element j in output o is u[j]·G[j mod 1024, o], so long vectors are folded before
    the matrix product. u is the public stream of role ``vector elements`` (bit j), G that of role
    ``vector outputs`` (bit 256·(j mod 1024) + o); see ``projection`` for the streams.

    Args:
        values: Float (n,), 64 ≤ n ≤ 16,384, finite.

    Returns:
        uint8 (32,), first sign in bit 0, zero counting as positive (bit 1).
    """
    wide = values.astype(np.float64)
    wide -= wide.sum() / wide.size
    wide *= _element_signs()[: wide.size]
    whole = wide.size // _FOLD * _FOLD
    folded = np.zeros(_FOLD)
    folded[: wide.size - whole] = wide[whole:]
    folded += wide[:whole].reshape(-1, _FOLD).sum(axis=0)
    used = min(wide.size, _FOLD)
    return np.packbits(folded[:used] @ _output_signs()[:used] >= 0, bitorder="little")


@cache
def _element_signs() -> NDArray[np.float64]:
    return np.where(PUBLIC.sign_bits("vector elements", MAX_ELEMENTS), -1.0, 1.0)


@cache
def _output_signs() -> NDArray[np.float64]:
    bits = PUBLIC.sign_bits("vector outputs", _FOLD * SKETCH_SIZE)
    return np.where(bits, -1.0, 1.0).reshape(_FOLD, SKETCH_SIZE)
