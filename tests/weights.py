"""Made-up weights, and what people do to them, for tests of the lineage rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kinprint.checkpoints.tensors import Origin, Visibility
from kinprint.fingerprint.record import Depth
from kinprint.fingerprint.take import take
from memory_checkpoint import MemoryCheckpoint

if TYPE_CHECKING:
    from datetime import datetime

    from kinprint.fingerprint.record import Fingerprint

Weights = dict[str, np.ndarray]


def strangers(seed: int, *, layers: int = 12, size: int = 256, std: float = 0.05) -> Weights:
    """Independent Gaussian matrices of one size and several scales, one norm vector each."""
    rng = np.random.default_rng(seed)
    weights: Weights = {}
    for layer in range(layers):
        weights[f"layers.{layer}.weight"] = rng.normal(
            0, std * (0.5, 1.0, 1.6)[layer % 3], (size, size)
        ).astype(np.float32)
        weights[f"layers.{layer}.norm"] = rng.normal(1, 0.1, size).astype(np.float32)
    return weights


def noised(weights: Weights, sigma: float, seed: int = 1) -> Weights:
    """N(0, sigma) on every tensor."""
    rng = np.random.default_rng(seed)
    return {
        name: (value + rng.normal(0, sigma, value.shape)).astype(np.float32)
        for name, value in weights.items()
    }


def trained(weights: Weights, strength: float, seed: int = 2, rank: int = 3) -> Weights:
    """A change along a few directions, as gradient steps leave it, rms ``strength``."""
    rng = np.random.default_rng(seed)
    return {
        name: (value + strength * _directions(rng, value.shape, rank)).astype(np.float32)
        if value.ndim == 2
        else value
        for name, value in weights.items()
    }


def _directions(rng: np.random.Generator, shape: tuple[int, ...], rank: int) -> np.ndarray:
    left, right = rng.normal(size=(shape[0], rank)), rng.normal(size=(rank, shape[1]))
    return np.asarray(left @ right / np.sqrt(rank))


def renamed(weights: Weights) -> Weights:
    """Other keys, under a foreign prefix, in another order."""
    return {f"llm.blk.{name[::-1]}": value for name, value in reversed(weights.items())}


def int8(weights: Weights) -> Weights:
    """Rounded to 255 levels a row and saved as floats again."""
    return {
        name: on_grid(value, 127) if value.ndim == 2 else value for name, value in weights.items()
    }


def on_grid(value: np.ndarray, largest: int) -> np.ndarray:
    """Each row rounded to 2·largest + 1 evenly spaced levels."""
    step = np.abs(value).max(axis=1, keepdims=True) / largest
    return np.asarray(np.round(value / step) * step, np.float32)


def pruned(weights: Weights, share: float) -> Weights:
    """The smallest ``share`` of each matrix set to zero."""
    return {
        name: np.where(np.abs(value) < np.quantile(np.abs(value), share), 0, value)
        if value.ndim == 2
        else value
        for name, value in weights.items()
    }


def mixed(first: Weights, second: Weights, share: float) -> Weights:
    """share·first + (1 − share)·second."""
    return {
        name: (share * value + (1 - share) * second[name]).astype(np.float32)
        for name, value in first.items()
    }


def fingerprint(
    weights: Weights,
    repo: str | None = None,
    *,
    dtype: str = "F32",
    bases: tuple[str, ...] = (),
    created_at: datetime | None = None,
    commit: str = "a" * 40,
    visibility: Visibility | None = None,
    depth: Depth = Depth.FULL,
) -> Fingerprint:
    """The fingerprint of made-up weights, local or published as ``repo``."""
    default = Visibility.PUBLIC if repo else Visibility.LOCAL
    origin = Origin(
        source=repo or "made-up",
        repo=repo,
        revision=commit if repo else None,
        visibility=visibility or default,
        created_at=created_at,
        declared_bases=bases,
    )
    arrays = {name: (value, dtype) for name, value in weights.items()}
    return take(MemoryCheckpoint(arrays, origin=origin), depth=depth)
