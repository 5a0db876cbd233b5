"""What the difference of two sketches says: gain c, residual e, its σ, its top singular share.

The sketch is linear, so the sketch of (suspect − original) is the difference of the sketches.
For s′ = c·s + e, added noise keeps c = 1 and leaves e without structure; training leaves e with a
few strong directions; two trainings from one seed, and merges, pull c away from 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from kinprint.lineage.thresholds import (
    CAST_RATIO,
    GAIN_STANDARD_ERRORS,
    LOSSLESS_FACTOR,
    RESOLUTION_FACTOR,
    SAME_LATTICE_RATIO,
    TOP_SHARE_NULL,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from kinprint.fingerprint.record import Fingerprint
    from kinprint.lineage.matching import Pair


EIGHT_BITS_OR_LESS = frozenset(
    {"F8_E4M3", "F8_E5M2", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "F6_E2M3", "F6_E3M2", "F4"}
)

_BLOCKS_AT_ONCE = 2_048
"""A dozen matrices of 2 kB a block are held at a time."""


@dataclass(frozen=True)
class Difference:
    """How one block of the query differs from its partner.

    Attributes:
        pair: The matched views.
        cells: Independent numbers in the centred difference, k·(r − 1).
        mean_square: Mean square of the difference per weight, (query − candidate), centring undone.
        query_rounding: Mean ulp²/12 of the lattice that the query's values lie on.
        candidate_rounding: The same for the candidate.
        storage: Variance that storing both sketches as int16 adds.
        same_dtype: Both sides are stored in one dtype.
        eight_bits_or_less: Exactly one side is stored in a float of at most eight bits.
        gain: c of query = c·candidate + e.
        gain_se: Its standard error.
        reverse_gain: c of candidate = c·query + e.
        reverse_gain_se: Its standard error.
        cosine: Between the two centred sketches.
        same_bytes: The stored bytes of the blocks are equal.
        top_share_z: Top singular share of e after its rows are normalised, in null sds.
    """

    pair: Pair
    cells: int
    mean_square: float
    query_rounding: float
    candidate_rounding: float
    storage: float
    same_dtype: bool
    eight_bits_or_less: bool
    gain: float
    gain_se: float
    reverse_gain: float
    reverse_gain_se: float
    cosine: float
    same_bytes: bool
    top_share_z: float

    @property
    def same_lattice(self) -> bool:
        """Both sides' values lie on equally fine grids, so a cast between them loses nothing."""
        fine, coarse = sorted((self.query_rounding, self.candidate_rounding))
        return coarse <= SAME_LATTICE_RATIO * fine + self.storage

    @cached_property
    def is_rounding(self) -> bool:
        """The difference is what a cast leaves, neither more nor less."""
        if self.same_bytes:
            return True
        if self.eight_bits_or_less:
            return False
        if self.same_lattice:
            lossless = self.mean_square <= LOSSLESS_FACTOR * self.storage
            return lossless and (not self.same_dtype or self.pair.negated)
        low, high = CAST_RATIO
        coarser = max(self.query_rounding, self.candidate_rounding)
        both = self.query_rounding + self.candidate_rounding + self.storage
        return low * coarser <= self.mean_square <= high * both

    @property
    def cast_ratio(self) -> float | None:
        """Mean square over what a lossy cast leaves; None where the cast was lossless or none."""
        if self.same_bytes or self.same_lattice:
            return None
        return self.mean_square / (self.query_rounding + self.candidate_rounding + self.storage)

    @property
    def is_below_resolution(self) -> bool:
        """Too small to be told from rounding, yet not what rounding alone would leave."""
        floor = max(self.query_rounding, self.candidate_rounding, self.storage)
        return (
            not (self.is_rounding or self.eight_bits_or_less)
            and self.mean_square < RESOLUTION_FACTOR * floor
        )

    @cached_property
    def is_scaled_copy(self) -> bool:
        """The only difference is a factor: what it leaves is no more than rounding.

        Of the mean square of the difference, (c − 1)² comes from the factor and c²(1/cos² − 1)
        from everything else.
        """
        if self.is_rounding or abs(self.gain - 1) <= GAIN_STANDARD_ERRORS * self.gain_se:
            return False
        other = self.gain**2 * (1 / max(self.cosine**2, 1e-12) - 1)
        left = self.mean_square * other / ((self.gain - 1) ** 2 + other)
        rounding = max(self.query_rounding, self.candidate_rounding * self.gain**2, self.storage)
        return left < RESOLUTION_FACTOR * rounding

    @cached_property
    def is_changed(self) -> bool:
        """The values themselves changed by more than rounding or a factor."""
        return not (self.is_rounding or self.is_below_resolution or self.is_scaled_copy)


def differences(
    query: Fingerprint, candidate: Fingerprint, pairs: Sequence[Pair]
) -> tuple[Difference, ...]:
    """Return the differences of all comparable blocks of the matched pairs, in their order."""
    blocks = [(pair, i, j) for pair in pairs for i, j in pair.blocks]
    if not blocks:
        return ()
    mine = np.array([i for _, i, _ in blocks])
    other = np.array([j for _, _, j in blocks])
    signs = np.array([-1.0 if pair.negated else 1.0 for pair, _, _ in blocks])
    found: dict[int, Difference] = {}
    for r in (8, 16):
        chosen = np.flatnonzero(np.minimum(query.blocks.rows[mine], 16) == r)
        for first in range(0, len(chosen), _BLOCKS_AT_ONCE):
            some = chosen[first : first + _BLOCKS_AT_ONCE]
            numbers = _numbers(
                sketches(query, mine[some], r),
                sketches(candidate, other[some], r) * signs[some, None, None],
            )
            for row, each in zip(some.tolist(), numbers, strict=True):
                pair, i, j = blocks[row]
                found[row] = _difference(query, candidate, pair, i, j, each)
    return tuple(found[row] for row in sorted(found))


def sketches(fingerprint: Fingerprint, blocks: NDArray[np.intp], r: int) -> NDArray[np.float64]:
    """Return uncentred sketches S, float64 (n, r, 256/r), in units of the weights.

    Args:
        fingerprint: Where the blocks lie.
        blocks: intp (n,), rows of its ``BlockColumns``, all of one r.
        r: Rows of their sketches, 8 or 16.
    """
    steps = fingerprint.blocks.step[blocks].astype(np.float64)
    return fingerprint.blocks.sketch[blocks].reshape(len(blocks), r, -1) * steps[:, None, None]


def centred(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Subtract the mean row of each sketch, float64 (n, r, k): doubly centred blocks."""
    return np.asarray(rows - rows.mean(axis=1, keepdims=True))


def top_share_z(residuals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Top singular share of differences, standardised by its Gaussian null.

    Rows are normalised first, else int8 per row reads as training, and centred afterwards, so
    that the scales of the rows drop out exactly. The singular values of noise follow Marchenko
    and Pastur (1967); at r ≤ 16 the null is simulated rather than asymptotic.

    Args:
        residuals: float64 (n, r, k) with r 8 or 16, uncentred.

    Returns:
        z, float64 (n,); 0.0 where a row is zero, so that nothing can be normalised.
    """
    norms = np.linalg.norm(residuals, axis=2, keepdims=True)
    whole = norms.all(axis=(1, 2))
    rows = centred(residuals / np.where(norms > 0, norms, 1.0))
    values = np.linalg.eigvalsh(rows @ rows.transpose(0, 2, 1))
    total = values.sum(axis=1)
    mean, sd = TOP_SHARE_NULL[residuals.shape[1]]
    share = np.divide(values[:, -1], total, out=np.full(len(total), mean), where=total > 0)
    return np.where(whole, (share - mean) / sd, 0.0)


@dataclass(frozen=True)
class _Numbers:
    """What is computed of one difference, all blocks at a time."""

    cells: int
    mean_square: float
    gain: float
    gain_se: float
    reverse_gain: float
    reverse_gain_se: float
    cosine: float
    top_share_z: float


def _numbers(query: NDArray[np.float64], candidate: NDArray[np.float64]) -> list[_Numbers]:
    _, r, k = query.shape
    mine, other = centred(query), centred(candidate)
    cells = k * (r - 1)
    mean_square = ((mine - other) ** 2).sum(axis=(1, 2)) / cells
    product = (mine * other).sum(axis=(1, 2))
    energy, other_energy = (mine**2).sum(axis=(1, 2)), (other**2).sum(axis=(1, 2))
    gain, gain_se = _gain(product, energy, other_energy, cells)
    reverse_gain, reverse_gain_se = _gain(product, other_energy, energy, cells)
    lengths = np.sqrt(energy * other_energy)
    cosine = np.divide(product, lengths, out=np.zeros_like(product), where=lengths > 0)
    columns = (mean_square, gain, gain_se, reverse_gain, reverse_gain_se, cosine)
    z = top_share_z(query - candidate)
    return [
        _Numbers(cells, *(float(value) for value in row)) for row in zip(*columns, z, strict=True)
    ]


def _gain(
    product: NDArray[np.float64],
    response: NDArray[np.float64],
    regressor: NDArray[np.float64],
    cells: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Least-squares c of response = c·regressor + e from the two energies and their product."""
    safe = np.where(regressor > 0, regressor, 1.0)
    gain = product / safe
    left = np.maximum(response - gain * product, 0.0)
    return gain, np.where(regressor > 0, np.sqrt(left / max(cells - 1, 1) / safe), np.inf)


def _difference(
    query: Fingerprint, candidate: Fingerprint, pair: Pair, i: int, j: int, numbers: _Numbers
) -> Difference:
    dtype, other_dtype = query.views[pair.query].dtype, candidate.views[pair.candidate].dtype
    return Difference(
        pair=pair,
        query_rounding=float(query.blocks.rounding[i]),
        candidate_rounding=float(candidate.blocks.rounding[j]),
        storage=float(query.blocks.step[i] ** 2 + candidate.blocks.step[j] ** 2) / 12,
        same_dtype=dtype == other_dtype,
        eight_bits_or_less=(dtype in EIGHT_BITS_OR_LESS) != (other_dtype in EIGHT_BITS_OR_LESS),
        same_bytes=query.blocks.digest[i].tobytes() == candidate.blocks.digest[j].tobytes(),
        **vars(numbers),
    )
