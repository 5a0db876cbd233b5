"""Blocks and vectors, as read, become rows of a fingerprint's columns, or reasons why not."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from kinprint.sketches.digests import digest
from kinprint.sketches.generated import generator_of, suspicions
from kinprint.sketches.linear import phash, store
from kinprint.sketches.projection import PUBLIC
from kinprint.sketches.statistics import Statistics, statistics_of
from kinprint.sketches.vectors import vector_phash

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from kinprint.fingerprint.cells import Cells, ReadCells

    Job = tuple[Cells, Sequence[bytes]]

NOT_FINITE = "not finite"
ALL_ZERO = "all zero"
CONSTANT = "constant"
OUT_OF_RANGE = "values too small or too large for float32"
_SMALLEST, _LARGEST = 1e-33, 1e33

_WAITING = 32
"""Blocks held back to find others of their shape; bounds the memory."""
_BATCH_CELLS = 131_072
"""Cells hashed together: those of the largest block. Measured: twice as fast as one by one."""


@dataclass(frozen=True, slots=True)
class Hashed:
    """What became of one block or vector.

    Attributes:
        row: Its columns (see ``columns.py``) but for ``view``; None if it was not hashed.
        note: Why it was not (``not finite``, ``all zero``, ``constant`` …), else None.
        generated: Name of the formula that gives its values, else None.
    """

    row: Mapping[str, object] | None = None
    note: str | None = None
    generated: str | None = None


def hash_all(jobs: Iterable[Job]) -> Iterator[Hashed]:
    """Hash blocks and vectors as their bytes come, and yield the results in their order.

    Blocks of one shape are hashed together, which spares most of Python's share of the time; what
    becomes of each does not depend on its company.
    """
    # glibc returns freed megabytes to the system at once, and faulting them in again costs more
    # than the hashing; freeing one larger block raises the sizes at which it does so.
    np.empty(_BATCH_CELLS * 16)
    source = iter(jobs)
    while waiting := list(islice(source, _WAITING)):
        done = [Hashed()] * len(waiting)
        for numbers in _batches(waiting):
            hashed = _hash_batch([waiting[number] for number in numbers])
            for number, each in zip(numbers, hashed, strict=True):
                done[number] = each
        yield from done


def _batches(waiting: Sequence[Job]) -> Iterator[list[int]]:
    """Yield the numbers of jobs of one shape and dtype, few enough for the cache."""
    alike: dict[tuple[object, ...], list[int]] = {}
    for number, (cells, _) in enumerate(waiting):
        key = cells.rows, cells.cols, cells.view.tensor.dtype
        alike.setdefault(key, []).append(number)
    for numbers in alike.values():
        cells = waiting[numbers[0]][0]
        size = max(1, _BATCH_CELLS // (cells.rows * cells.cols))
        for first in range(0, len(numbers), size):
            yield numbers[first : first + size]


def _hash_batch(batch: Sequence[Job]) -> list[Hashed]:
    reads = [cells.decode(parts) for cells, parts in batch]
    values = np.stack([read.values for read in reads])
    facts = statistics_of(values)
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is noted below
        doubts = suspicions(values)
        rows = _vector_rows(values) if values.shape[1] == 1 else _block_rows(values)
    done: list[Hashed] = []
    for place, (cells, _) in enumerate(batch):
        block, fact, row = values[place], facts[place], rows[place]
        note = _flaw(block, fact, is_sketched=row is not None)
        if note is None:
            shape = cells.view.rows, cells.view.cols
            generator = generator_of(block, start=cells.start, shape=shape, suspicion=doubts[place])
            if generator is None and row is not None:
                done.append(Hashed(row | _facts(cells, reads[place], fact)))
                continue
            note = OUT_OF_RANGE if generator is None else None
            done.append(Hashed(note=note, generated=generator))
        else:
            done.append(Hashed(note=note))
    return done


def _flaw(values: NDArray[np.floating[Any]], fact: Statistics, *, is_sketched: bool) -> str | None:
    """Why values are no evidence; what the sketch shows to be sound is not looked at again."""
    largest = 1.0 if is_sketched else float(np.abs(values).max())
    if not math.isfinite(largest):
        return NOT_FINITE
    if fact.zeros == 1.0:
        return ALL_ZERO
    if fact.levels == 1 and (values == values[0, 0]).all():
        return CONSTANT
    if largest < _SMALLEST or not fact.std <= _LARGEST:
        return OUT_OF_RANGE
    return None


def _block_rows(values: NDArray[np.floating[Any]]) -> list[dict[str, object] | None]:
    """Sketch, step and signs of each block; None where the sketch is zero or not finite."""
    sketches = PUBLIC.project(values)
    is_finite: NDArray[np.bool_] = np.asarray(np.isfinite(sketches).all(axis=(1, 2)))
    hashes = phash(sketches)
    ints, steps = store(np.where(is_finite[:, None, None], sketches, 0.0))
    return [
        {"sketch": ints[i], "step": steps[i], "phash": hashes[i]} if steps[i] else None
        for i in range(len(values))
    ]


def _vector_rows(values: NDArray[np.floating[Any]]) -> list[dict[str, object] | None]:
    """Signs of each vector; None where it is not finite, or too small or too large."""
    largest = np.abs(values).max(axis=(1, 2))
    is_hashed = (largest >= _SMALLEST) & (largest <= _LARGEST)
    hashes = vector_phash(np.where(is_hashed[:, None], values[:, 0], 0.0))
    return [
        {"phash": signs} if kept else None for signs, kept in zip(hashes, is_hashed, strict=True)
    ]


def _facts(cells: Cells, read: ReadCells, fact: Statistics) -> dict[str, object]:
    return {
        "start": cells.start,
        "rows": cells.rows,
        "cols": cells.cols,
        "digest": digest(read.raw),
        "std": fact.std,
        "zeros": fact.zeros,
        "rounding": read.rounding,
        "levels": fact.levels,
        "group_levels": fact.group_levels,
    }
