"""How likely a difference is under added Gaussian noise of a given σ, rounding included.

Two forms with one interface. Where noise is coarser than the grid of the stored numbers, rounding
adds mean ulp²/12 and nothing else, so the mean square says all (``Moments``). Where it is finer, a
stored y is only known to lie between its half-way points lo and hi, and given the other side's x

    P(y | x, σ) = Φ((hi − x)/σ) − Φ((lo − x)/σ)

an interval-censored likelihood (``Censored``; e.g. Gentleman and Geyer, Biometrika 81, 1994).
Intervals are those of the profile likelihood (Wilks 1938).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from scipy.optimize import brentq, minimize_scalar
from scipy.special import ndtr
from scipy.stats import chi2

from kinprint.lineage.evidence.record import Estimate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

_HALF_CHI2_95 = float(chi2.ppf(0.95, 1)) / 2
_SMALLEST = 1e-300
_LOWEST = 1e-4
"""Share of the root mean square of the differences that stands for σ = 0."""
_NOTHING = 1e-30
_TOLERANCE = 1e-5
"""Of ln σ."""


class SigmaLikelihood(Protocol):
    """The log-likelihood of σ for some cells, up to a constant."""

    @property
    def cells(self) -> int:
        """How many cells it rests on."""

    @property
    def mean_square(self) -> float:
        """Mean square of the differences, rounding included."""

    def log(self, sigma: float) -> float:
        """Log-likelihood at a positive σ, in units of the weights."""


@dataclass(frozen=True, slots=True)
class Moments:
    """Cells whose noise is coarser than their grid.

    Attributes:
        cells: How many.
        mean_square: Mean square of their differences.
        rounding: Mean ulp²/12 of the side that was rounded after the noise was added.
    """

    cells: int
    mean_square: float
    rounding: float

    def log(self, sigma: float) -> float:
        """Log-likelihood of a Gaussian of variance σ² + rounding."""
        variance = sigma**2 + self.rounding
        return -self.cells / 2 * (float(np.log(variance)) + self.mean_square / variance)


@dataclass(frozen=True, slots=True)
class Censored:
    """Cells whose noise is about as fine as their grid, or finer.

    Attributes:
        lower: float64 (n,), lower half-way point minus the other side's value; cells are mirrored
            so that ``lower + upper`` ≤ 0, which keeps tail probabilities exact.
        upper: The same of the upper half-way point.
        mean_square: Mean square of the differences.
    """

    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    mean_square: float

    @property
    def cells(self) -> int:
        """How many."""
        return self.lower.size

    def log(self, sigma: float) -> float:
        """Sum of ln P(y | x, σ)."""
        chance = ndtr(self.upper / sigma) - ndtr(self.lower / sigma)
        return float(np.log(np.maximum(chance, _SMALLEST)).sum())


def censored(
    lower: NDArray[np.float64], upper: NDArray[np.float64], mean_square: float
) -> Censored:
    """Mirror the cells that lie above the other side's value.

    Args:
        lower: float64 (n,), lower half-way point of each stored value minus the other side's.
        upper: The same of the upper half-way point.
        mean_square: Mean square of the differences of these cells.
    """
    mirrored = lower + upper > 0
    return Censored(
        np.where(mirrored, -upper, lower), np.where(mirrored, -lower, upper), mean_square
    )


@dataclass(frozen=True, slots=True)
class SigmaFit:
    """The most likely σ.

    Attributes:
        sigma: Maximum of the likelihood; 0.0 where nothing differs.
        log: Log-likelihood there.
        is_resolved: The likelihood tells σ from 0; otherwise σ is below the resolution.
    """

    sigma: float
    log: float
    is_resolved: bool


def fit(parts: Sequence[SigmaLikelihood], scales: Sequence[float] | None = None) -> SigmaFit:
    """Find the one σ that suits all parts best.

    Args:
        parts: At least one.
        scales: Part i has noise of σ·scales[i]; 1 everywhere unless given.
    """
    joint, size = _joint(parts, scales)
    if not size:
        return SigmaFit(0.0, joint(_NOTHING), is_resolved=False)
    nothing = joint(_LOWEST * size)
    found = minimize_scalar(
        lambda ln: -joint(float(np.exp(ln))),
        bracket=(float(np.log(0.6 * size)), float(np.log(size))),
        tol=_TOLERANCE,
    )
    sigma, top = float(np.exp(found.x)), -float(found.fun)
    if sigma <= _LOWEST * size or nothing >= top - _HALF_CHI2_95:
        return SigmaFit(min(sigma, size), max(top, nothing), is_resolved=False)
    return SigmaFit(sigma, top, is_resolved=True)


def interval(
    parts: Sequence[SigmaLikelihood], fitted: SigmaFit, scales: Sequence[float] | None = None
) -> Estimate | None:
    """Profile-likelihood interval, 95 %; None where σ is below the resolution.

    Args:
        parts: As given to `fit`.
        fitted: What it returned.
        scales: As given to `fit`.
    """
    if not fitted.is_resolved:
        return None
    joint, _ = _joint(parts, scales)

    def above(ln: float) -> float:
        return joint(float(np.exp(ln))) - fitted.log + _HALF_CHI2_95

    middle = float(np.log(fitted.sigma))
    # Both ends lie 1.4/√cells away if every cell tells all it can, else farther.
    step = 2 / np.sqrt(sum(part.cells for part in parts))
    ends = []
    for side in (-1.0, 1.0):
        reach = float(side * step)
        while above(middle + reach) > 0:
            reach *= 2
        ends.append(float(np.exp(brentq(above, middle, middle + reach, xtol=_TOLERANCE))))
    return Estimate(value=fitted.sigma, low=ends[0], high=ends[1])


def scalar_p(
    parts: Sequence[SigmaLikelihood], apart: Sequence[SigmaFit], together: SigmaFit
) -> float:
    """p-value of "one σ fits all parts": likelihood ratio against a σ for each (chi-square).

    Gaussian noise is taken for granted; heavier tails lower p, so that the test abstains.

    Args:
        parts: The parts.
        apart: The fit of each of them alone.
        together: The fit of all of them.
    """
    told = [each for each, part in zip(apart, parts, strict=True) if part.cells]
    statistic = 2 * (sum(each.log for each in told) - together.log)
    return float(chi2.sf(statistic, max(len(told) - 1, 1)))


def _joint(
    parts: Sequence[SigmaLikelihood], scales: Sequence[float] | None
) -> tuple[Callable[[float], float], float]:
    """The joint log-likelihood, and the root mean square of all differences in units of σ."""
    factors = [1.0] * len(parts) if scales is None else list(scales)
    both = list(zip(parts, factors, strict=True))
    cells = sum(part.cells for part in parts)
    squares = sum(part.cells * part.mean_square / factor**2 for part, factor in both)

    def joint(sigma: float) -> float:
        return sum(part.log(sigma * factor) for part, factor in both)

    return joint, float(np.sqrt(squares / max(cells, 1)))
