"""What the aligned cells of one matched view say: σ, gain, singular values, zeros and levels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtr, ndtri

from kinprint.checkpoints.rounding import is_rounding_of, rounding_interval
from kinprint.lineage.differences import EIGHT_BITS_OR_LESS
from kinprint.lineage.evidence.change.edge import Spectrum, rank_share, spectrum
from kinprint.lineage.evidence.change.sigma_likelihood import (
    Moments,
    SigmaFit,
    SigmaLikelihood,
    censored,
    fit,
)
from kinprint.lineage.thresholds import CENSORED_ABOVE_ULP, PRUNED_ZEROS
from kinprint.lineage.transforms import is_on_grid
from kinprint.sketches.statistics import statistics_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kinprint.fingerprint.deep import AlignedBlock, Cut

CENSORED_CELLS = 8_192
"""Cells of a block that enter its censored likelihood; 39 blocks pin σ down to ±0.3 %."""

_NEARLY_ALL = 0.999
_NEGLIGIBLE = 1e-3
"""Rounding below this share of the mean square needs no allowance in singular values."""


@dataclass(frozen=True, slots=True)
class BlockChange:
    """How the cells of one matched view differ.

    Attributes:
        query_view: Index into the query's views.
        std: Standard deviation of the earlier side's cells.
        cells: Number of cells.
        mean_square: Mean square of the difference.
        rounding: Mean ulp²/12 of the later side.
        parts: Likelihood of σ, of the smaller and of the larger weights.
        apart: The most likely σ of each.
        fitted: The most likely σ of both together.
        is_censored: The likelihood is the interval-censored one.
        spectrum: Singular values of the difference, rounding allowed for.
        excess_kurtosis: Of its cells; 0 for Gaussian noise.
        rank_share: How many directions explain it, as a share of all it could use.
        extra_zeros: Share of exact zeros of the query less that of the candidate.
        query_on_grid: The query's values lie on a coarse grid.
        candidate_on_grid: The candidate's do.
    """

    query_view: int
    std: float
    cells: int
    mean_square: float
    rounding: float
    parts: tuple[SigmaLikelihood, SigmaLikelihood]
    apart: tuple[SigmaFit, SigmaFit]
    fitted: SigmaFit
    is_censored: bool
    spectrum: Spectrum
    excess_kurtosis: float
    rank_share: float
    extra_zeros: float
    query_on_grid: bool
    candidate_on_grid: bool


@dataclass(frozen=True, slots=True)
class BlockGain:
    """Least-squares c both ways, with standard errors, and the cosine of the two sides."""

    gain: float
    gain_se: float
    reverse_gain: float
    reverse_gain_se: float
    cosine: float


def is_untouched(block: AlignedBlock) -> bool:
    """Whether the cells are equal, or one side is the other rounded to its format."""
    mine, theirs = block.query, block.candidate
    if np.array_equal(mine.values, theirs.values):
        return True
    return _is_cast(mine, theirs) or _is_cast(theirs, mine)


def gain_of(block: AlignedBlock) -> BlockGain:
    """Regress each side on the other, without an offset."""
    mine, theirs = _flat(block.query.values), _flat(block.candidate.values)
    product, mine_energy, their_energy = (
        float(a @ b) for a, b in ((mine, theirs), (mine, mine), (theirs, theirs))
    )
    gain, gain_se = _gain(product, mine_energy, their_energy, mine.size)
    reverse, reverse_se = _gain(product, their_energy, mine_energy, mine.size)
    lengths = float(np.sqrt(mine_energy * their_energy))
    return BlockGain(gain, gain_se, reverse, reverse_se, product / lengths if lengths else 0.0)


def block_change(
    block: AlignedBlock, *, later_is_query: bool, dtypes: tuple[str, str]
) -> BlockChange:
    """Describe a block whose cells differ.

    Args:
        block: Aligned cells, not all equal.
        later_is_query: Which side was rounded last.
        dtypes: Stored dtypes of the query and of the candidate.
    """
    later, earlier = (
        (block.query, block.candidate) if later_is_query else (block.candidate, block.query)
    )
    x, y = np.asarray(earlier.values, np.float64), np.asarray(later.values, np.float64)
    difference = y - x
    mean_square = float((difference**2).mean())
    parts, is_censored = sigma_parts(x, y, later)
    fitted = fit(parts)
    mine, theirs = (statistics_of(cut.values[None])[0] for cut in (block.query, block.candidate))
    extra_zeros = mine.zeros - theirs.zeros
    residuals = _residuals(x, y, later, fitted, seed=block.query_view)
    if abs(extra_zeros) > PRUNED_ZEROS:
        # What was cut away has the structure of the weights themselves, which is not training's.
        residuals = np.where((x == 0) != (y == 0), 0.0, residuals)
    on_grid = [
        is_on_grid(
            dtype,
            cols=x.shape[1],
            zeros=fact.zeros,
            levels=fact.levels,
            group_levels=fact.group_levels,
        )
        for dtype, fact in zip(dtypes, (mine, theirs), strict=True)
    ]
    return BlockChange(
        query_view=block.query_view,
        std=float(x.std()),
        cells=x.size,
        mean_square=mean_square,
        rounding=later.rounding,
        parts=parts,
        apart=(fit(parts[:1]), fit(parts[1:])),
        fitted=fitted,
        is_censored=is_censored,
        spectrum=spectrum(residuals),
        excess_kurtosis=_excess_kurtosis(residuals),
        rank_share=rank_share(difference, rounding=later.rounding),
        extra_zeros=extra_zeros,
        query_on_grid=on_grid[0],
        candidate_on_grid=on_grid[1],
    )


def _is_cast(rounded: Cut, other: Cut) -> bool:
    lattice = rounded.lattice
    if lattice is None or lattice in EIGHT_BITS_OR_LESS:
        return False
    return is_rounding_of(rounded.values, other.values, lattice)


def _flat(values: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    return np.asarray(values, np.float64).reshape(-1)


def _gain(product: float, response: float, regressor: float, cells: int) -> tuple[float, float]:
    if not regressor:
        return 0.0, float("inf")
    gain = product / regressor
    left = max(response - gain * product, 0.0)
    return float(gain), float(np.sqrt(left / max(cells - 1, 1) / regressor))


def sigma_parts(
    x: NDArray[np.float64], y: NDArray[np.float64], later: Cut
) -> tuple[tuple[SigmaLikelihood, SigmaLikelihood], bool]:
    """Return the likelihoods of small and of large weights, and whether they are censored.

    Added noise does not look at what it is added to; what quantisers, truncation and factors
    leave does.

    Args:
        x: float64 (rows, cols), the earlier side.
        y: float64 (rows, cols), the later side.
        later: The later side's cut, which knows its rounding.
    """
    sizes = np.abs(x)
    large = sizes > np.median(sizes)
    sample = _sample(x.size)
    squares = (y - x) ** 2
    if later.lattice is None:
        return _moments(squares, large, {False: later.rounding, True: later.rounding}), False
    lower, upper = rounding_interval(y.reshape(-1)[sample], later.lattice)
    ulps, large_sample = upper - lower, large.reshape(-1)[sample]
    variance = float(squares.mean()) - later.rounding
    reach = CENSORED_ABOVE_ULP * float(np.quantile(ulps, _NEARLY_ALL))
    if variance > reach**2:
        rounding = {half: _mean(ulps[large_sample == half] ** 2) / 12 for half in (False, True)}
        return _moments(squares, large, rounding), False
    at = x.reshape(-1)[sample]
    parts = [
        censored(
            lower[half] - at[half], upper[half] - at[half], _mean(squares.reshape(-1)[sample][half])
        )
        for half in (~large_sample, large_sample)
    ]
    return (parts[0], parts[1]), True


def _moments(
    squares: NDArray[np.float64], large: NDArray[np.bool_], rounding: dict[bool, float]
) -> tuple[Moments, Moments]:
    small, big = (
        Moments(int(half.sum()), _mean(squares[half]), rounding[is_large])
        for half, is_large in ((~large, False), (large, True))
    )
    return small, big


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if values.size else 0.0


def _excess_kurtosis(residuals: NDArray[np.float64]) -> float:
    square = float((residuals**2).mean())
    return float((residuals**4).mean()) / square**2 - 3 if square else 0.0


def _sample(cells: int) -> NDArray[np.intp]:
    """The same cells each time; at random, since even steps would favour some columns."""
    if cells <= CENSORED_CELLS:
        return np.arange(cells)
    return np.random.default_rng(0).choice(cells, CENSORED_CELLS, replace=False)


def _residuals(
    x: NDArray[np.float64], y: NDArray[np.float64], later: Cut, fitted: SigmaFit, *, seed: int
) -> NDArray[np.float64]:
    """The difference, or where rounding matters what is standard normal under noise of this σ.

    A stored value stands for an interval; one of its points is drawn at random by its chance
    (randomised quantile residuals: Dunn and Smyth, JCGS 5, 1996), so that coarse grids, which
    are coarser in some columns than in others, do not pass for directions.
    """
    difference = y - x
    negligible = later.rounding <= _NEGLIGIBLE * float((difference**2).mean())
    if later.lattice is None or negligible or not fitted.sigma:
        return difference
    lower, upper = (ndtr((end - x) / fitted.sigma) for end in rounding_interval(y, later.lattice))
    drawn = lower + np.random.default_rng(seed).random(x.shape) * (upper - lower)
    return np.asarray(ndtri(np.clip(drawn, 1e-12, 1 - 1e-12)), np.float64)
