"""Noise has no directions: singular values of a difference against the Marchenko–Pastur law.

The largest eigenvalue of D·Dᵀ for an n x p matrix of unit Gaussian noise lies at the edge
(√n + √p)² of Marchenko and Pastur (1967) and scatters by the Tracy–Widom law (Johnstone, Annals of
Statistics 29, 2001). Training leaves a few strong directions above it and little noise below.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from kinprint.lineage.thresholds import EDGE_NULL, LOW_RANK_LEFT, LOW_RANK_ROUNDING

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LOW_SHARE = 0.05
_GRID = 20_000


@dataclass(frozen=True, slots=True)
class Spectrum:
    """Singular values of one block's difference.

    Attributes:
        ratio: Largest singular value over the edge of noise, after the rows are normalised.
        z: The same in null standard deviations; 0 where fewer than two rows differ.
        floor: Share of the variance that is white: the smallest singular values over those of
            noise. 1 for noise, measured 0.1 to 0.25 for training.
    """

    ratio: float
    z: float
    floor: float


def spectrum(residuals: NDArray[np.float64]) -> Spectrum:
    """Return what the singular values of a difference say.

    Rows are normalised first, so that rows of unlike scale do not pass for directions; rows that
    do not differ are left out.

    Args:
        residuals: float64 (n, p), the difference, or it in units of its expected sd.
    """
    norms = np.sqrt((residuals**2).mean(axis=1))
    kept = residuals[norms > 0]
    n, p = kept.shape
    if n < 2:
        return Spectrum(ratio=1.0, z=0.0, floor=1.0)
    scaled = kept / norms[norms > 0, None]
    values = np.maximum(np.linalg.eigvalsh(_gram(scaled)), 0.0)
    mean, sd = largest_null(n, p)
    low = float(np.quantile(values, _LOW_SHARE)) / max(n, p)
    return Spectrum(
        ratio=float(np.sqrt(values[-1])) / (np.sqrt(n) + np.sqrt(p)),
        z=(float(values[-1]) - mean) / sd,
        floor=low / _low_quantile(min(n, p) / max(n, p)),
    )


def rank_share(difference: NDArray[np.float64], *, rounding: float) -> float:
    """Return how many directions explain nearly all of a difference, as a share of all it has.

    Args:
        difference: float64 (n, p), in units of the weights.
        rounding: Mean square that rounding added to it, which no direction explains.

    Returns:
        Rank over the smaller side of the rows that differ; 1.0 where rounding hides it.
    """
    kept = difference[difference.any(axis=1)]
    values = np.maximum(np.linalg.eigvalsh(_gram(kept))[::-1], 0.0)
    total, unexplained = float(values.sum()), kept.size * rounding
    if len(kept) < 2 or LOW_RANK_ROUNDING * total <= unexplained:
        return 1.0
    left = total - np.cumsum(values)
    rank = 1 + int(np.argmax(left <= LOW_RANK_LEFT * total + unexplained))
    return float(rank / min(kept.shape))


def largest_null(n: int, p: int) -> tuple[float, float]:
    """Mean and sd of the largest eigenvalue of D·Dᵀ for n x p noise with normalised rows.

    Centring and scaling with n − ½ and p − ½ are right to second order (Ma, Bernoulli 18, 2012).
    """
    a, b = np.sqrt(n - 0.5), np.sqrt(p - 0.5)
    scale = (a + b) * (1 / a + 1 / b) ** (1 / 3)
    mean, sd = EDGE_NULL
    return float((a + b) ** 2 + mean * scale), float(sd * scale)


def _gram(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return rows @ rows.T if rows.shape[0] <= rows.shape[1] else rows.T @ rows


@cache
def _low_quantile(ratio: float) -> float:
    """The 5 % quantile of the Marchenko–Pastur law of an aspect ratio below 1 and unit variance."""
    low, high = (1 - np.sqrt(ratio)) ** 2, (1 + np.sqrt(ratio)) ** 2
    # Substituting x = mid − half·cos t removes the square-root singularities at both ends.
    t = (np.arange(_GRID) + 0.5) * np.pi / _GRID
    x = (low + high) / 2 - (high - low) / 2 * np.cos(t)
    mass = np.cumsum(np.sin(t) ** 2 / x)
    return float(x[np.searchsorted(mass, _LOW_SHARE * mass[-1])])
