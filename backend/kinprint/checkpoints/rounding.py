"""Which numbers a stored value may have been before it was rounded to its float format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np

from kinprint.checkpoints.dtypes import numpy_dtype

if TYPE_CHECKING:
    from numpy.typing import NDArray


def rounding_interval(
    values: NDArray[np.floating[Any]], dtype: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the half-way points to the neighbours below and above each value.

    Whatever lies between them was rounded to the value, ties aside. At powers of two the lower
    half is shorter than the upper one.

    Args:
        values: Finite values that the dtype holds exactly, any shape.
        dtype: A float dtype of at least eight bits.

    Returns:
        Two float64 arrays of the values' shape. Beyond the largest finite value the interval is
        taken to be symmetric.

    Raises:
        ValueError: The dtype is packed or holds no floats.
    """
    stored = np.asarray(values, np.float64).astype(numpy_dtype(dtype))
    exact = stored.astype(np.float64)
    largest = _largest(dtype)
    below = np.nextafter(stored, -largest).astype(np.float64)
    above = np.nextafter(stored, largest).astype(np.float64)
    below = np.where(below < exact, below, 2 * exact - above)
    above = np.where(above > exact, above, 2 * exact - below)
    return (exact + below) / 2, (exact + above) / 2


def is_rounding_of(
    stored: NDArray[np.floating[Any]], values: NDArray[np.floating[Any]], dtype: str
) -> bool:
    """Say whether every stored number is a value rounded to the dtype, to nearest or towards zero.

    Args:
        stored: Finite numbers that the dtype holds exactly.
        values: What they may have been before, same shape.
        dtype: A float dtype of at least eight bits.

    Raises:
        ValueError: The dtype is packed or holds no floats.
    """
    target = numpy_dtype(dtype)
    wide, original = np.asarray(stored, np.float64), np.asarray(values, np.float64)
    with np.errstate(over="ignore"):
        nearest = np.asarray(values).astype(target)
        if np.array_equal(nearest.astype(np.float64), wide):
            return True
        again = wide.astype(target)
    largest = _largest(dtype)
    outwards = np.nextafter(again, np.where(original < 0, -largest, largest))
    beyond = np.abs(outwards.astype(np.float64))
    shortened = (np.abs(wide) <= np.abs(original)) & (np.abs(original) < beyond)
    return bool((shortened & (wide * original >= 0)).all())


def _largest(dtype: str) -> Any:
    """The largest finite number of a dtype; some 8-bit floats have no infinity."""
    info: Any = ml_dtypes.finfo(numpy_dtype(dtype))  # type: ignore[no-untyped-call]
    return info.max
