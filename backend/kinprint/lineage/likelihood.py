"""How much a distance between two sign hashes speaks for common origin: ln p1(d)/p0(d).

p0 is the stranger distribution (a normal a little wider than the binomial, so conservative), p1
averages over how much noise relative to signal may lie between two relatives. Both are folded
to 0…128 before the ratio is taken: an unfolded ratio at a folded distance is not an e-value.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from kinprint.lineage.thresholds import (
    ALTERNATIVE_RATIOS,
    NULL_SD_BITS,
    NULL_SHARE_OF_ALTERNATIVE,
)
from kinprint.sketches.distances import HASH_BITS

if TYPE_CHECKING:
    from numpy.typing import NDArray

NOT_COMPARABLE = 255
"""Stands in a uint8 distance matrix where two blocks cannot be compared."""


def fold(pmf: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fold a distribution over 0…256 to min(d, 256 − d), 0…128."""
    half = HASH_BITS // 2
    folded = pmf[: half + 1].copy()
    folded[:half] += pmf[:half:-1]
    return folded


@cache
def stranger_pmf() -> NDArray[np.float64]:
    """P₀ over 0…128: the density of N(128, 9.2) at the integers, normalised, then folded."""
    d = np.arange(HASH_BITS + 1)
    density = np.exp(-0.5 * ((d - HASH_BITS / 2) / NULL_SD_BITS) ** 2)
    return fold(density / density.sum())


@cache
def relative_pmf() -> NDArray[np.float64]:
    """P₁ over 0…128: binomials of flip rate atan(ratio)/π over a grid of noise ratios, plus p₀."""
    from scipy.stats import binom

    low, high, steps = ALTERNATIVE_RATIOS
    flip_rates = np.arctan(np.geomspace(low, high, int(steps))) / np.pi
    d = np.arange(HASH_BITS + 1)
    pmf = np.mean([binom.pmf(d, HASH_BITS, rate) for rate in flip_rates], axis=0)
    share = NULL_SHARE_OF_ALTERNATIVE
    return (1 - share) * fold(pmf) + share * stranger_pmf()


@cache
def log_e_values() -> NDArray[np.float64]:
    """Float64 (256,): ln e at each folded distance, −inf for ``NOT_COMPARABLE`` and above 128."""
    table = np.full(NOT_COMPARABLE + 1, -np.inf)
    table[: HASH_BITS // 2 + 1] = np.log(relative_pmf()) - np.log(stranger_pmf())
    table.setflags(write=False)
    return table
