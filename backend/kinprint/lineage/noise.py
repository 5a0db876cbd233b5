"""σ of added noise, read off the sketches, with its interval and whether one scalar explains it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import chi2

from kinprint.lineage.thresholds import FIT_LEVEL
from kinprint.lineage.verdict import Direction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from kinprint.lineage.differences import Difference


@dataclass(frozen=True)
class Sigma:
    """Standard deviation of the added noise, in units of the weights.

    Attributes:
        sigma: Point estimate.
        low: Lower end of the 95 % interval.
        high: Upper end.
        dispersion: Variance of the blocks' σ² over what one scalar σ would give; about 1 if one
            scalar was added everywhere.
        one_scalar: Whether one scalar σ fits all blocks (chi-square test at 1e-4).
        proportional: Whether one share of each tensor's std fits as well or instead, as it does
            for what quantisers leave.
        relative: σ as a share of the weights' own standard deviation, median over blocks.
        one_scalar_p: p-value of the test behind ``one_scalar``.
    """

    sigma: float
    low: float
    high: float
    dispersion: float
    one_scalar: bool
    proportional: bool
    relative: float
    one_scalar_p: float


def block_sigma(each: Difference, *, direction: Direction) -> tuple[float, float, float]:
    """Estimate σ of one block, as `noise_sigma` does of all: value, and the 95 % interval."""
    rounding = _suspects_rounding(each, direction) + each.storage
    return _sigma(each.mean_square, rounding, each.cells)


def noise_sigma(
    changed: Sequence[Difference], stds: Sequence[float], *, direction: Direction
) -> Sigma:
    """Estimate σ from the changed blocks.

    σ² = mean(e²)·r/(r−1) − rounding: the suspect's rounding only, the original's is already in
    what was copied. Cells of a block's difference are independent and Gaussian, because each adds
    up its own weights; so σ² follows a chi-square with k·(r−1) degrees of freedom a block.

    Args:
        changed: Differences above the resolution; at least one.
        stds: Standard deviation of each block's weights, same order.
        direction: Which side came later and so did the rounding; where nobody knows, the coarser
            format is taken to be the later one.
    """
    cells = np.array([each.cells for each in changed], np.float64)
    raw = np.array([each.mean_square for each in changed])
    rounding = np.array([_suspects_rounding(each, direction) + each.storage for each in changed])
    total = float(cells.sum())
    pooled_rounding = float(np.average(rounding, weights=cells))
    sigma, low, high = _sigma(float(np.average(raw, weights=cells)), pooled_rounding, total)
    variance = np.maximum(raw - rounding, 0.0)
    squares = np.maximum(np.square(stds), 1e-60)
    dispersion, one_scalar_p = _fits(variance, cells)
    _, proportional_p = _fits(variance / squares, cells)
    return Sigma(
        sigma=sigma,
        low=low,
        high=high,
        dispersion=dispersion,
        one_scalar=one_scalar_p >= FIT_LEVEL,
        proportional=proportional_p >= FIT_LEVEL,
        relative=float(np.median(np.sqrt(variance / squares))),
        one_scalar_p=one_scalar_p,
    )


def _sigma(raw: float, rounding: float, freedom: float) -> tuple[float, float, float]:
    """σ with its 95 % interval from a mean square of so many degrees of freedom."""
    squares = [raw, *(raw * freedom / chi2.ppf(q, freedom) for q in (0.975, 0.025))]
    sigma, low, high = (float(np.sqrt(max(square - rounding, 0.0))) for square in squares)
    return sigma, low, high


def _suspects_rounding(each: Difference, direction: Direction) -> float:
    if direction is Direction.REPO_FROM_MATCH:
        return each.query_rounding
    if direction is Direction.MATCH_FROM_REPO:
        return each.candidate_rounding
    return max(each.query_rounding, each.candidate_rounding)


def _fits(variances: NDArray[np.float64], cells: NDArray[np.float64]) -> tuple[float, float]:
    """Variance of the blocks' variances over what equal ones would show, and its p-value."""
    mean = float(np.average(variances, weights=cells))
    if mean <= 0:
        return 0.0, 0.0
    freedom = max(len(variances) - 1, 1)
    statistic = float((cells / 2 * (variances / mean - 1) ** 2).sum())
    return statistic / freedom, float(chi2.sf(statistic, freedom))
