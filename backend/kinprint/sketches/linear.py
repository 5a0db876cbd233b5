"""What is kept of a projected block: int16 numbers with one step, and the signs of the centred."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kinprint.sketches.blocks import SKETCH_SIZE

if TYPE_CHECKING:
    from numpy.typing import NDArray

LARGEST = 32_767
_SMALLEST_STEP = float(np.finfo(np.float32).tiny)
_LARGEST_STEP = float(np.finfo(np.float32).max) / LARGEST


def centre(sketch: NDArray[np.float64]) -> NDArray[np.float64]:
    """Subtract the mean row of S, float64 (..., r, k), which removes the block's column means.

    Row means drop out of S by the balance of its signs, so the block is then doubly centred.
    """
    centred: NDArray[np.float64] = sketch - sketch.mean(axis=-2, keepdims=True)
    return centred


def phash(sketch: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return the signs of the centred S, row-major, as uint8 (..., 32), first sign in bit 0.

    Args:
        sketch: float64 (..., r, k), uncentred and unrounded. Zero counts as positive (bit 1).
    """
    signs = (centre(sketch) >= 0).reshape(*sketch.shape[:-2], SKETCH_SIZE)
    return np.packbits(signs, axis=-1, bitorder="little")


def store(sketch: NDArray[np.float64]) -> tuple[NDArray[np.int16], NDArray[np.float32]]:
    """Round S to int16 with one step.

    float16 would lose σ below 1.5e-4 and overflow on scaled tensors.

    Args:
        sketch: float64 (..., r, k), finite.

    Returns:
        int16 (..., 256), row-major, and float32 (...), the step max|s| / 32767; all zero where
        that is no normal float32.
    """
    flat = sketch.reshape(*sketch.shape[:-2], SKETCH_SIZE)
    exact = np.abs(flat).max(axis=-1) / LARGEST
    is_stored = (exact >= _SMALLEST_STEP) & (exact <= _LARGEST_STEP)
    step = np.where(is_stored, exact, 0.0).astype(np.float32)
    units = np.where(is_stored, step, np.inf)[..., None]
    return np.rint(flat / units).astype(np.int16), step


def restore(ints: NDArray[np.int16], step: float, r: int) -> NDArray[np.float64]:
    """Return S as float64 (r, 256/r) from its stored int16 (256,) and step."""
    return ints.reshape(r, -1).astype(np.float64) * float(step)
