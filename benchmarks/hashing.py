"""How fast bytes become hashes on one core, next to sha256 and xxh3-128 of the same bytes."""

from __future__ import annotations

import hashlib
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xxhash
from threadpoolctl import threadpool_limits

from benchmarks.checkpoint_8b import make_checkpoint
from benchmarks.table import print_table
from kinprint.checkpoints.local import LocalCheckpoint
from kinprint.fingerprint.hashing import hash_all
from kinprint.fingerprint.take import cells_of
from kinprint.sketches.linear import phash, store
from kinprint.sketches.projection import PUBLIC
from kinprint.views import views_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from kinprint.fingerprint.cells import Cells

REPEATS = 5
TOGETHER = 4
"""Blocks hashed at a time: what the fingerprint does with 8 x 4,096 cells."""


def main() -> None:
    """Measure the blocks of the 8B-shaped checkpoint, all in memory before the clock starts."""
    with tempfile.TemporaryDirectory() as folder:
        root = make_checkpoint(Path(folder) / "checkpoint")
        with closing(LocalCheckpoint(root)) as checkpoint:
            wanted = [cells for view in views_of(checkpoint.tensors) for cells in cells_of(view)]
            parts = [list(checkpoint.read(cells.spans())) for cells in wanted]
    raw = [part for group in parts for part in group]
    nbytes = sum(map(len, raw))

    blocks = [
        np.stack([cells.decode(part).values for cells, part in batch])
        for batch in _batches(wanted, parts)
    ]
    block_bytes = sum(
        len(part)
        for cells, group in zip(wanted, parts, strict=True)
        for part in group
        if not cells.view.is_vector
    )

    def kinprint_hash() -> None:
        for values in blocks:
            sketch = PUBLIC.project(values)
            phash(sketch)
            store(sketch)

    def kinprint_all() -> None:
        for _ in hash_all(zip(wanted, parts, strict=True)):
            pass

    rates = {
        "Kinprint's hash (sketch and signs of decoded blocks)": _rate(kinprint_hash, block_bytes),
        "all that a fingerprint keeps (decode, statistics, formulas, digests)": _rate(
            kinprint_all, nbytes
        ),
        "sha256": _rate(lambda: [hashlib.sha256(part).digest() for part in raw], nbytes),
        "xxh3-128": _rate(lambda: [xxhash.xxh3_128_digest(part) for part in raw], nbytes),
    }
    base = rates["sha256"]
    print_table(
        f"Hashing {nbytes / 1e6:.1f} MB in {len(raw)} blocks, one core, best of {REPEATS}",
        ("what", "GB/s", "times sha256"),
        [(name, f"{rate / 1e9:.2f}", f"{rate / base:.2f}") for name, rate in rates.items()],
    )


def _batches(
    wanted: Sequence[Cells], parts: Sequence[Sequence[bytes]]
) -> Iterator[list[tuple[Cells, Sequence[bytes]]]]:
    """Yield the matrices' blocks four at a time, those of one shape together."""
    alike: dict[tuple[int, int], list[tuple[Cells, Sequence[bytes]]]] = {}
    for cells, group in zip(wanted, parts, strict=True):
        if not cells.view.is_vector:
            alike.setdefault((cells.rows, cells.cols), []).append((cells, group))
    for jobs in alike.values():
        for first in range(0, len(jobs), TOGETHER):
            yield jobs[first : first + TOGETHER]


def _rate(work: Callable[[], object], nbytes: int) -> float:
    """Bytes a second of processor time, best of a few runs."""
    times = []
    with threadpool_limits(1):
        for _ in range(REPEATS):
            start = time.process_time()
            work()
            times.append(time.process_time() - start)
    return nbytes / min(times)
