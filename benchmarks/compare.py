"""Comparing two fingerprints of 300 views, and starting the command line."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors.numpy import save_file

from benchmarks.table import print_table
from kinprint.checkpoints.local import LocalCheckpoint
from kinprint.fingerprint.take import take
from kinprint.lineage.compare import compare
from kinprint.lineage.explain import explain

if TYPE_CHECKING:
    from collections.abc import Callable

    from kinprint.fingerprint.record import Fingerprint

VIEWS = 300
SHAPE = (64, 1024)
STD = 0.05
SIGMA = 1 / 708
REPEATS = 9


def main() -> None:
    """Print both figures, each beside what it cannot be faster than."""
    original, copy, stranger = _fingerprints()
    phash = original.blocks.phash
    bare = _seconds(lambda: np.bitwise_count(phash[:, None] ^ phash[None]).sum(axis=2))
    rows = [("all pairs of hashes, nothing else", bare)]
    for label, other in (("a copy under noise", copy), ("a stranger", stranger)):
        relation = compare(other, original).verdict.relation.value
        rows.append((f"{label}: {relation}", _seconds(partial(compare, other, original))))
        rows.append((f"{label}, with all evidence", _seconds(partial(explain, other, original))))
    print_table(
        f"Comparing two fingerprints of {VIEWS} views, best of {REPEATS}",
        ("what", "ms", "times the bare distances"),
        [(name, f"{1e3 * s:.1f}", f"{s / bare:.1f}") for name, s in rows],
    )
    python = _seconds(lambda: _run(sys.executable, "-c", "pass"))
    kinprint = _seconds(lambda: _run(str(Path(sys.executable).with_name("kinprint")), "--help"))
    print_table(
        f"Starting the command line, best of {REPEATS}",
        ("what", "s", "times Python alone"),
        [
            ("python -c pass", f"{python:.3f}", "1.0"),
            ("kinprint --help", f"{kinprint:.3f}", f"{kinprint / python:.1f}"),
        ],
    )


def _fingerprints() -> tuple[Fingerprint, Fingerprint, Fingerprint]:
    chance = np.random.default_rng(1)

    def fresh(std: float) -> dict[str, np.ndarray]:
        return {
            f"layer.{i}": (std * chance.standard_normal(SHAPE)).astype(np.float32)
            for i in range(VIEWS)
        }

    original, noise = fresh(STD), fresh(SIGMA)
    # Tensors of one std would leave open whether the noise is one scalar or follows them.
    for number, name in enumerate(original):
        original[name] *= np.float32(0.5 + number % 3)
    copy = {f"h.{name}": tensor + noise[name] for name, tensor in original.items()}
    return _read(original), _read(copy), _read(fresh(STD))


def _read(weights: dict[str, np.ndarray]) -> Fingerprint:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.safetensors"
        save_file(weights, file)
        with closing(LocalCheckpoint(file)) as checkpoint:
            return take(checkpoint)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _seconds(work: Callable[[], object]) -> float:
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)
