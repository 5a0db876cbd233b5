"""Standard normal numbers that depend on seed, tensor and position alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xxhash
from scipy.special import ndtri

if TYPE_CHECKING:
    from numpy.typing import NDArray

SCHEME = "kinprint-noise-1"
"""Names every step below; a change of any of them needs another name."""

_EACH_COUNT = 8
"""Numbers made from one Philox block of 256 bits."""


def standard_normal(seed: int, tensor: str, first: int, count: int) -> NDArray[np.float64]:
    """Return noise for elements ``first`` to ``first + count`` of a tensor.

    Philox4x64-10 (Salmon et al. 2011) is keyed by the seed and by xxh3-64 of scheme and tensor
    name; element i takes the i-th 32-bit word w of its output, low half first, and its noise is
    the normal quantile of (w + ½)/2³². No number depends on how the tensor is cut or where it is
    stored. Quantiles end at ±6.2.

    Args:
        seed: 0 to 2⁶⁴ − 1.
        tensor: State-dict key.
        first: Index of the first element, row-major.
        count: Number of elements.

    Returns:
        float64 (count,).
    """
    digest = xxhash.xxh3_64_intdigest(f"{SCHEME}\0{tensor}".encode())
    skipped = first % _EACH_COUNT
    generator = np.random.Philox(
        key=np.array([seed, digest], np.uint64), counter=first // _EACH_COUNT
    )
    blocks = -(-(skipped + count) // _EACH_COUNT)
    raw = generator.random_raw(blocks * _EACH_COUNT // 2)
    uniform = raw.astype("<u8", copy=False).view("<u4")[skipped : skipped + count].astype(float)
    uniform += 0.5
    uniform *= 2.0**-32
    return np.asarray(ndtri(uniform, out=uniform))
