"""Is a block a formula's? Such matrices match between strangers and are no evidence.

A block is generated where it equals, or correlates above one half with, an entry of ``FORMULAS``
evaluated at the same cells; both sides doubly centred, as the hash sees them. Trained weights pass
three cheap gates (nothing sparse, spiked or smooth) and never reach the list.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from kinprint.sketches.formulas import FORMULAS

if TYPE_CHECKING:
    from numpy.typing import NDArray

CORRELATION = 0.5
VECTOR_CORRELATION = 0.9999
"""Vectors must be a formula's nearly exactly: any slow trend correlates with a ramp."""

_GATE_ROWS = 4
_GATE_COLS = 512
_SPARSE = 0.3
_SPIKE_STDS = 4.0
_SPIKE_SHARE = 0.15
"""Largest cell over rms, in roots of C: 1 for an identity, 0.18 for bilinear kernels of 16 x 16."""
_LAGS = (1, 2, 4)
_SMOOTH = 0.15
"""Lagged correlation of the gate's sample; four standard errors for independent weights."""
_PROBED_ROWS = 32
_PROBED_COLS = 128
_LEAST_CELLS = 4
"""An entry must rest on so many cells: one outlier then correlates by at most a half."""
_ADDITIVE = 1e-5
"""Share of variance left by double centring below which only rounding is left."""


@dataclass(frozen=True, slots=True)
class Suspicion:
    """Why a block is worth comparing with the list."""

    is_sparse: bool
    is_spiked: bool
    is_smooth: bool


def suspicions(values: NDArray[np.floating[Any]]) -> list[Suspicion]:
    """Look at the first rows of blocks of one shape.

    Args:
        values: Float (n, R, C), finite.
    """
    sample = values[:, :_GATE_ROWS, :_GATE_COLS]
    cells = sample.astype(np.float64).reshape(len(values), -1)
    energy = np.vecdot(cells, cells)
    spike = max(_SPIKE_STDS, _SPIKE_SHARE * math.sqrt(values.shape[2]))
    peak = np.maximum(cells.max(axis=1), -cells.min(axis=1))
    is_spiked = peak >= spike * np.sqrt(energy / cells.shape[1])
    lags = (*_LAGS, sample.shape[2])
    alike = [abs(np.vecdot(cells[:, :-lag], cells[:, lag:])) for lag in lags]
    is_smooth = np.max(alike, axis=0) > _SMOOTH * energy
    return [
        Suspicion(
            is_sparse=bool(np.count_nonzero(cells[i]) < (1 - _SPARSE) * cells.shape[1]),
            is_spiked=bool(is_spiked[i]),
            is_smooth=bool(is_smooth[i]),
        )
        for i in range(len(values))
    ]


def generator_of(
    values: NDArray[np.floating[Any]],
    *,
    start: int = 0,
    shape: tuple[int, int] | None = None,
    suspicion: Suspicion | None = None,
) -> str | None:
    """Return the name of the formula that gives a block's values, or None.

    Args:
        values: Float (R, C), finite and not constant, or (1, n) for a vector.
        start: Row of the view at which the block starts.
        shape: Rows and columns of the whole view; the block's where not given.
        suspicion: Of this block, if it is known already.
    """
    if len(values) == 1:
        return _vector_generator(values[0])
    rows, cols = shape or values.shape
    suspicion = suspicion or suspicions(values[None])[0]
    if suspicion.is_sparse or suspicion.is_spiked:
        name = _diagonal(values, start, rows, cols)
        if name is not None:
            return name
    if suspicion.is_sparse or suspicion.is_smooth:
        return _listed(values, start, rows, cols)
    return None


def _diagonal(values: NDArray[np.floating[Any]], start: int, rows: int, cols: int) -> str | None:
    """Compare with formulas whose rows have few cells that are not zero."""
    cells = values.astype(np.float64).ravel()
    cells -= cells.mean()
    length = float(np.linalg.norm(cells))
    for name, places, weights in _diagonal_entries(values.shape, start, rows, cols):
        if abs(float(cells[places] @ weights)) > CORRELATION * length:
            return name
    return None


@lru_cache(maxsize=16)
def _diagonal_entries(
    block: tuple[int, int], start: int, rows: int, cols: int
) -> tuple[tuple[str, NDArray[np.intp], NDArray[np.float64]], ...]:
    """(Name, flat indices of the cells that are not zero, their values at unit length)."""
    i = np.arange(block[0])[:, None] + start
    j = np.arange(block[1])[None, :]
    found = []
    for formula in FORMULAS:
        for entry in formula.entries() if formula.diagonal else ():
            straight = formula.cell(i, j, rows, cols, *entry)
            turned = formula.cell(j, i, cols, rows, *entry)
            for cells in (straight.ravel(), turned.ravel()):
                places = np.flatnonzero(cells)
                if len(places) >= _LEAST_CELLS:
                    weights = cells[places] / np.linalg.norm(cells[places])
                    found.append((formula.name, places, weights))
    return tuple(found)


def _listed(values: NDArray[np.floating[Any]], start: int, rows: int, cols: int) -> str | None:
    """Compare evenly spaced cells with every other formula."""
    i = _spread(len(values), _PROBED_ROWS)
    j = _spread(values.shape[1], _PROBED_COLS)
    raw = values[np.ix_(i, j)].astype(np.float64)
    probed = _centred(raw)
    energy = float((probed**2).sum())
    if energy <= _ADDITIVE * float(((raw - raw.mean()) ** 2).sum()):
        return "row plus column"
    names, entries = _entries(i.tobytes(), j.tobytes(), start, rows, cols)
    correlations = np.abs(entries @ probed.ravel()) / np.sqrt(energy)
    best = int(correlations.argmax())
    return names[best] if correlations[best] > CORRELATION else None


@lru_cache(maxsize=8)
def _entries(
    i_raw: bytes, j_raw: bytes, start: int, rows: int, cols: int
) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    """Names and unit-length centred cells, float32 (entries, n·m), of the listed formulas."""
    i = np.frombuffer(i_raw, np.int64)[:, None] + start
    j = np.frombuffer(j_raw, np.int64)[None, :]
    names: list[str] = []
    found: list[NDArray[np.float64]] = []
    for formula in FORMULAS:
        if formula.diagonal:
            continue
        for entry in formula.entries():
            straight = formula.cell(i, j, rows, cols, *entry)
            turned = formula.cell(j, i, cols, rows, *entry)
            for cells in (straight, turned):
                centred = _centred(np.broadcast_to(cells, (len(i), j.shape[1])))
                length = float(np.linalg.norm(centred))
                if np.isfinite(length) and length > 0:
                    unit = centred.ravel() / length
                    if 1 / float((unit**4).sum()) >= _LEAST_CELLS:
                        names.append(formula.name)
                        found.append(unit)
    return tuple(names), np.array(found, np.float32)


def _vector_generator(values: NDArray[np.floating[Any]]) -> str | None:
    """Compare a vector with a ramp, rotary frequencies and a Hann window."""
    names, entries = _vector_entries(values.size)
    centred = values.astype(np.float64) - float(values.mean(dtype=np.float64))
    length = float(np.linalg.norm(centred))
    correlations = np.abs(entries @ centred)
    best = int(correlations.argmax())
    return names[best] if correlations[best] > VECTOR_CORRELATION * length else None


@lru_cache(maxsize=16)
def _vector_entries(n: int) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Names and centred values of unit length, float64 (entries, n), of the vectors' formulas."""
    j = np.arange(n, dtype=np.float64)
    formulas = [("range", j)]
    formulas += [("hann window", np.cos(2 * np.pi * j / m)) for m in (n, max(n - 1, 1))]
    formulas += [("rotary frequencies", base ** (-j / n)) for base in (1e4, 5e5, 1e6, 1e7)]
    centred = [cells - cells.mean() for _, cells in formulas]
    units = [cells / (float(np.linalg.norm(cells)) or 1.0) for cells in centred]
    return tuple(name for name, _ in formulas), np.array(units)


def _spread(size: int, most: int) -> NDArray[np.int64]:
    """At most ``most`` indices below ``size``, evenly spaced, ascending."""
    return np.unique(np.linspace(0, size - 1, min(size, most)).astype(np.int64))


def _centred(cells: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    wide = cells.astype(np.float64)
    wide -= wide.mean(axis=1, keepdims=True)
    wide -= wide.mean(axis=0, keepdims=True)
    return wide
