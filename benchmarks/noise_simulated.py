"""Changes whose truth is known, for ``benchmarks/noise.py``: stored noise, and Adam's steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kinprint.checkpoints.dtypes import numpy_dtype

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrices = dict[str, NDArray[np.float32]]

VIEWS = 8
SHAPE = (64, 128)
STDS = (0.02, 0.04, 0.08)


def base_weights(seed: int) -> Matrices:
    """Gaussian matrices of several scales; their directions play no part in a change."""
    rng = np.random.default_rng(seed)
    return {
        f"layers.{view}.weight": rng.normal(0, STDS[view % 3], SHAPE).astype(np.float32)
        for view in range(VIEWS)
    }


def stored(weights: Matrices, dtype: str) -> Matrices:
    """Rounded to a dtype."""
    return {name: v.astype(numpy_dtype(dtype)).astype(np.float32) for name, v in weights.items()}


def noised(weights: Matrices, sigma: float, rng: np.random.Generator) -> Matrices:
    """N(0, σ) on every matrix, not rounded any further than to float32."""
    return {
        name: (v + sigma * rng.standard_normal(v.shape)).astype(np.float32)
        for name, v in weights.items()
    }


@dataclass(frozen=True)
class Course:
    """How one simulated child was trained.

    Attributes:
        rate: Learning rate.
        steps: Updates.
        tokens: Outer products that one gradient adds up, its rank.
        directions: Directions that persist from step to step, per matrix.
        persistence: Their share of the gradient's rms; the rest is drawn anew each step.
        decay: Weight decay per step, times the rate (AdamW).
        signs: Only the sign of the averaged gradient counts (Lion).
    """

    rate: float
    steps: int
    tokens: int
    directions: int
    persistence: float
    decay: float
    signs: bool


def drawn_course(rng: np.random.Generator) -> Course:
    """A course as people run them, log-uniform in rate, steps and batch."""
    return Course(
        rate=float(10 ** rng.uniform(-6, -3)),
        steps=int(np.exp(rng.uniform(0, np.log(60)))),
        tokens=int(np.exp(rng.uniform(np.log(4), np.log(256)))),
        directions=int(rng.integers(1, 9)),
        persistence=float(rng.uniform(0, 0.8)),
        decay=float(rng.choice([0.0, 0.01, 0.1])),
        signs=bool(rng.random() < 0.2),
    )


def trained(weights: Matrices, course: Course, rng: np.random.Generator) -> Matrices:
    """Adam (Kingma and Ba 2015) on gradients of low rank, as a linear layer's are.

    A layer's gradient is the sum over tokens of (error at its output) ⊗ (its input). Inputs and
    errors of real layers have uneven spectra: both are drawn with scales that fall as 1/√rank.
    """
    return {name: _trained(value, course, rng) for name, value in weights.items()}


def _trained(
    value: NDArray[np.float32], course: Course, rng: np.random.Generator
) -> NDArray[np.float32]:
    rows, cols = value.shape
    outputs = rng.standard_normal((rows, rows)) / np.sqrt(1 + np.arange(rows))
    inputs = rng.standard_normal((cols, cols)) / np.sqrt(1 + np.arange(cols))
    kept = rng.standard_normal((rows, course.directions)) @ rng.standard_normal(
        (course.directions, cols)
    )
    kept /= kept.std()
    weight = value.astype(np.float64)
    mean, square = np.zeros_like(weight), np.zeros_like(weight)
    for step in range(1, course.steps + 1):
        errors = outputs @ rng.standard_normal((rows, course.tokens))
        fresh = errors @ (inputs @ rng.standard_normal((cols, course.tokens))).T
        fresh /= fresh.std()
        gradient = course.persistence * kept + np.sqrt(1 - course.persistence**2) * fresh
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        if course.signs:
            update = np.sign(mean)
        else:
            update = mean / (1 - 0.9**step) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
        weight -= course.rate * (update + course.decay * weight)
    return weight.astype(np.float32)
