"""Mechanical or training? Pooled over all changed blocks, and over runs of neighbouring ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kinprint.lineage.thresholds import (
    GAIN_STANDARD_ERRORS,
    GAIN_TOLERANCE,
    MIN_MECHANICAL_VIEWS,
    TRAINING_WINDOW_VIEWS,
    TRAINING_WINDOW_Z,
    TRAINING_Z,
    UNDIRECTED_COSINE,
)
from kinprint.lineage.verdict import Direction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kinprint.lineage.differences import Difference


@dataclass(frozen=True)
class Gain:
    """Pooled c of s′ = c·s + e, with its standard error, and how far off it may always be."""

    value: float
    standard_error: float
    tolerance: float = GAIN_TOLERANCE

    @property
    def is_one(self) -> bool:
        """Whether c = 1 within its error, or within the tolerance."""
        off = abs(self.value - 1)
        return off <= max(self.tolerance, GAIN_STANDARD_ERRORS * self.standard_error)


@dataclass(frozen=True)
class Structure:
    """Whether the changed values carry the marks of training.

    Attributes:
        changed: Number of changed blocks.
        z: Combined z of their top singular shares.
        window_z: Largest combined z of six consecutive changed blocks.
        gain: c of the query on the candidate.
        reverse_gain: c of the candidate on the query.
        cosine: Mean cosine of the changed blocks with their originals.
    """

    changed: int
    z: float
    window_z: float
    gain: Gain
    reverse_gain: Gain
    cosine: float

    @property
    def has_structure(self) -> bool:
        """A few directions carry more of the difference than noise ever gives them."""
        return self.z > TRAINING_Z or self.window_z > TRAINING_WINDOW_Z

    def gain_is_one(self, direction: Direction) -> bool:
        """Whether the side that came later is the other plus something unrelated to it.

        Where nobody knows which side came later, either may be, but only under little noise: an
        even merge of two models looks from one of them like that model with a lot of noise.
        """
        if direction is Direction.REPO_FROM_MATCH:
            return self.gain.is_one
        if direction is Direction.MATCH_FROM_REPO:
            return self.reverse_gain.is_one
        either = self.gain.is_one or self.reverse_gain.is_one
        return either and self.cosine >= UNDIRECTED_COSINE

    @property
    def enough_views(self) -> bool:
        """Whether noise could be told from training at all."""
        return self.changed >= MIN_MECHANICAL_VIEWS


def structure(changed: Sequence[Difference]) -> Structure:
    """Pool z and c over the changed differences, in the order of the query's views."""
    z, window_z = pool_z([each.top_share_z for each in changed])
    return Structure(
        changed=len(changed),
        z=z,
        window_z=window_z,
        gain=pool_gains([each.gain for each in changed], [each.gain_se for each in changed]),
        reverse_gain=pool_gains(
            [each.reverse_gain for each in changed], [each.reverse_gain_se for each in changed]
        ),
        cosine=float(np.mean([each.cosine for each in changed])) if changed else 1.0,
    )


def pool_z(scores: Sequence[float]) -> tuple[float, float]:
    """Combine z of neighbouring blocks: over all of them, and the largest over six in a row."""
    z = np.array(scores, np.float64)
    width = TRAINING_WINDOW_VIEWS
    windows = (
        np.lib.stride_tricks.sliding_window_view(z, width).sum(axis=1) / np.sqrt(width)
        if len(z) >= width
        else np.zeros(1)
    )
    return float(z.sum() / np.sqrt(max(len(z), 1))), float(windows.max())


def pool_gains(gains: Sequence[float], standard_errors: Sequence[float]) -> Gain:
    """Mean weighted by inverse variance."""
    if not gains:
        return Gain(1.0, float("inf"))
    weights = 1 / np.square(np.maximum(standard_errors, 1e-12))
    return Gain(float(np.average(gains, weights=weights)), float(1 / np.sqrt(weights.sum())))
