"""Plain facts about a block's cells that tell rounding, pruning and quantisation apart later."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEVEL_ROWS = 4
LEVEL_COLS = 512
GROUP_COLS = 32
GROUPED_COLS = 128
_RUN = 512
"""Values summed in their own precision before sums are added in float64; divides R·C."""
_CANCELLATION = 1e-3
"""Below this variance over mean square, float32 sums would leave few digits of the variance."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """Facts about one block.

    Attributes:
        std: Standard deviation of its cells; NaN if one is not finite or too large to square.
        zeros: Share of exact zeros.
        levels: Median over the first four rows of the number of distinct values among the row's
            first 512 columns.
        group_levels: The same over the aligned groups of 32 columns among the first 128 columns
            of those rows (a shorter last group is left out).
    """

    std: float
    zeros: float
    levels: int
    group_levels: int


def statistics_of(values: NDArray[np.floating[Any]]) -> list[Statistics]:
    """Return the facts of blocks, or of vectors, of one shape.

    Args:
        values: Float (n, R, C), as decoded.
    """
    sample = values[:, :LEVEL_ROWS, :LEVEL_COLS]
    grouped_cols = min(sample.shape[2], GROUPED_COLS) // GROUP_COLS * GROUP_COLS
    grouped = sample[:, :, :grouped_cols].reshape(len(values), -1, GROUP_COLS)
    levels, group_levels = _median_distinct(sample), _median_distinct(grouped)
    kept = values != 0
    size = values[0].size
    return [
        Statistics(
            std=std,
            zeros=1.0 - int(np.count_nonzero(kept[i])) / size,
            levels=levels[i],
            group_levels=group_levels[i],
        )
        for i, std in enumerate(_stds(values))
    ]


def _stds(values: NDArray[np.floating[Any]]) -> list[float]:
    size = values[0].size
    if size % _RUN:
        return [_exact_std(each) for each in values]
    runs = values.reshape(len(values), -1, _RUN)
    with np.errstate(over="ignore", invalid="ignore"):
        means = np.vecdot(runs, np.ones(_RUN, values.dtype)).sum(axis=1, dtype=np.float64) / size
        squares = np.vecdot(runs, runs).sum(axis=1, dtype=np.float64) / size
        variances = squares - means * means
        is_safe = np.isfinite(variances) & (variances > _CANCELLATION * squares)
    return [
        math.sqrt(variances[i]) if is_safe[i] else _exact_std(values[i]) for i in range(len(values))
    ]


def _exact_std(values: NDArray[np.floating[Any]]) -> float:
    with np.errstate(over="ignore", invalid="ignore"):
        return float(values.astype(np.float64).std())


def _median_distinct(rows: NDArray[np.floating[Any]]) -> list[int]:
    """Median over the rows (n, rows, cols) of each block of the number of distinct values."""
    ordered = np.sort(rows, axis=2)
    changes = (ordered[:, :, 1:] != ordered[:, :, :-1]).sum(axis=2)
    changes.sort(axis=1)
    middle = (changes.shape[1] - 1) // 2
    return [1 + int(each) for each in changes[:, middle]]
