"""Least squares of a query's blocks on those of its possible parents, and what it leaves.

All sums over blocks weigh a block by 1/variance of its weights, so that tensors of every scale
count alike. The sketch is linear: coefficients of sketches are coefficients of weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import t as student

from kinprint.lineage.differences import top_share_z
from kinprint.lineage.thresholds import LOSSLESS_FACTOR, MERGE_CENTRED_NULL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from kinprint.lineage.merges.alignment import Aligned

Z_95 = 1.959964
"""Half the width of a 95 % interval in standard errors."""


@dataclass(frozen=True)
class Excess:
    """What a model of the blocks leaves above rounding and storage, relative to the weights.

    Attributes:
        mean: Mean over the blocks of (residual variance − floor) / variance of the weights.
        sd: Its standard deviation, from the degrees of freedom alone.
    """

    mean: float
    sd: float


@dataclass(frozen=True)
class Fit:
    """One set of coefficients for some blocks.

    Attributes:
        coefficients: float64 (P,).
        covariance: float64 (P, P); of rank P − 1 where the coefficients sum to 1.
        excess: What it leaves.
    """

    coefficients: NDArray[np.float64]
    covariance: NDArray[np.float64]
    excess: Excess


def excess(
    aligned: Aligned, residual: NDArray[np.float64], fitted: NDArray[np.float64] | float
) -> Excess:
    """Pool the residuals of all blocks.

    A block whose residual is below half its floor was copied, not rounded anew (240 degrees of
    freedom fall that low by chance in < 1e-7): it has no excess, neither above nor below zero.

    Args:
        aligned: B blocks.
        residual: float64 (B, 256).
        fitted: Degrees of freedom spent on each block, (B,) or one for all.
    """
    freedom = np.maximum(aligned.cells - fitted, 1.0)
    mean_square = (residual**2).sum(axis=1) / freedom
    above = np.where(mean_square < aligned.floor / 2, 0.0, mean_square - aligned.floor)
    spread = np.maximum(mean_square, aligned.floor) * np.sqrt(2 / freedom)
    count = max(len(above), 1)
    return Excess(
        mean=float((above / aligned.variance).sum() / count),
        sd=float(np.sqrt(((spread / aligned.variance) ** 2).sum()) / count),
    )


def block_residuals(
    aligned: Aligned, *, affine: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fit every block with coefficients of its own.

    Args:
        aligned: P models, of which each block has all.
        affine: Let the coefficients sum to 1.

    Returns:
        The residuals, float64 (B, 256), and the degrees of freedom spent, float64 (B,).
    """
    left, fitted = aligned.mine.copy(), np.zeros(len(aligned.mine))
    directions = _differences(aligned)
    first = aligned.theirs[0]
    if affine:
        left -= first
    else:
        directions = np.concatenate([first[None], directions])
    basis: list[NDArray[np.float64]] = []
    for each in directions:
        unit, found = orthonormal(each, basis, aligned)
        basis.append(unit)
        fitted += found
        left -= (left * unit).sum(axis=1, keepdims=True) * unit
    return left, fitted


def orthonormal(
    directions: NDArray[np.float64], basis: Sequence[NDArray[np.float64]], aligned: Aligned
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return unit vectors orthogonal to the basis, block by block; zero where nothing is left.

    Args:
        directions: float64 (..., B, 256).
        basis: Unit or zero vectors, float64 (B, 256) each, orthogonal to one another.
        aligned: The blocks; what is not above their floor is no direction.
    """
    left = directions
    for _ in range(2):  # twice is enough (Kahan): once loses digits where parents are near
        for unit in basis:
            left = left - (left * unit).sum(axis=-1, keepdims=True) * unit
    square = (left**2).sum(axis=-1)
    found = square > LOSSLESS_FACTOR * aligned.floor * aligned.cells
    scale = np.where(found, np.sqrt(np.where(found, square, 1.0)), np.inf)
    return left / scale[..., None], found


def fit(aligned: Aligned, *, affine: bool, robust: bool = False) -> Fit:
    """Fit one set of coefficients to all blocks.

    Args:
        aligned: P models, of which each block has all.
        affine: Let the coefficients sum to 1.
        robust: Take the covariance from how much the blocks disagree (Liang and Zeger, 1986,
            clusters = blocks) rather than from the residuals alone.
    """
    models = len(aligned.names)
    left, fitted = block_residuals(aligned, affine=affine)
    noise = np.maximum((left**2).sum(axis=1) / (aligned.cells - fitted), aligned.floor)
    first, directions = aligned.theirs[0], _differences(aligned)
    response = aligned.mine - first if affine else aligned.mine
    columns = directions if affine else np.concatenate([first[None], directions])
    weighted = columns / noise[None, :, None]
    normal = np.einsum("pbc,qbc->pq", weighted, columns)
    inverse = np.linalg.pinv(normal, hermitian=True)
    solution = inverse @ np.einsum("pbc,bc->p", weighted, response)
    residual = response - np.einsum("p,pbc->bc", solution, columns)
    freedom = max(float(aligned.cells.sum()) - len(solution), 1.0)
    dispersion = float(((residual**2).sum(axis=1) / noise).sum()) / freedom
    covariance = inverse * max(dispersion, 1.0)
    blocks = len(aligned.mine)
    if robust and blocks > len(solution) + 1:
        scores = np.einsum("pbc,bc->pb", weighted, residual)
        between = inverse @ (scores @ scores.T) @ inverse * blocks / (blocks - len(solution))
        # Few blocks tell their spread badly: Student's interval, at the width of a normal one.
        between *= (student.ppf(0.975, blocks - len(solution)) / Z_95) ** 2
        covariance = between if np.trace(between) > np.trace(covariance) else covariance
    # Columns were (first, p − first …): turn their coefficients into those of the models.
    turn = np.zeros((models, len(solution)))
    turn[1:, -(models - 1) :] = np.eye(models - 1)
    turn[0, -(models - 1) :] = -1.0
    offset = np.zeros(models)
    if affine:
        offset[0] = 1.0
    else:
        turn[0, 0] = 1.0
    return Fit(
        coefficients=offset + turn @ solution,
        covariance=turn @ covariance @ turn.T,
        excess=excess(aligned, residual, len(solution) / max(blocks, 1)),
    )


def structure_z(aligned: Aligned, residual: NDArray[np.float64]) -> float:
    """Combined z of the top singular shares: training leaves structure, rounding none."""
    rows = np.minimum(aligned.query.blocks.rows[aligned.blocks], 16)
    z = np.zeros(len(residual))
    for r in np.unique(rows):
        chosen = np.flatnonzero(rows == r)
        mean, sd = MERGE_CENTRED_NULL[int(r)]
        shares = top_share_z(residual[chosen].reshape(len(chosen), int(r), -1))
        z[chosen] = (shares - mean) / sd
    return float(z.sum() / np.sqrt(max(len(z), 1)))


def _differences(aligned: Aligned) -> NDArray[np.float64]:
    """Each model minus the first, float64 (P − 1, B, 256): near parents stay well conditioned."""
    return np.asarray(aligned.theirs[1:] - aligned.theirs[:1])
