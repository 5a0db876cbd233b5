"""Simulates the null distributions that `kinprint.lineage.thresholds` rests on.

.venv/bin/python -m benchmarks.thresholds [--matrices 400000]
"""

from __future__ import annotations

import argparse

import ml_dtypes
import numpy as np

from benchmarks.table import print_table
from kinprint.lineage.differences import centred
from kinprint.lineage.thresholds import TOP_SHARE_NULL, TRAINING_WINDOW_VIEWS, TRAINING_WINDOW_Z

AT_ONCE = 20_000


def top_shares(r: int, matrices: int, rng: np.random.Generator) -> np.ndarray:
    """Top singular shares of row-normalised, then centred r x (256/r) Gaussian matrices."""
    shares = []
    for _ in range(-(-matrices // AT_ONCE)):
        noise = rng.standard_normal((AT_ONCE, r, 256 // r))
        rows = centred(noise / np.linalg.norm(noise, axis=2, keepdims=True))
        values = np.linalg.eigvalsh(rows @ rows.transpose(0, 2, 1))
        shares.append(values[:, -1] / values.sum(axis=1))
    return np.concatenate(shares)[:matrices]


def singular_share_table(matrices: int, rng: np.random.Generator) -> None:
    """Mean and sd of the share, and tails of combined z over 6, 36 and 300 views."""
    head = ["r", "mean", "sd", "in use", "views", "z 99 %", "z 99.9 %", "z 99.99 %", "runs over"]
    table: list[list[object]] = []
    for r in TOP_SHARE_NULL:
        shares = top_shares(r, matrices, rng)
        z = (shares - shares.mean()) / shares.std()
        for views in (TRAINING_WINDOW_VIEWS, 36, 300):
            drawn = rng.choice(z, (20_000, views))
            pooled = drawn.sum(axis=1) / np.sqrt(views)
            windows = np.lib.stride_tricks.sliding_window_view(
                drawn, TRAINING_WINDOW_VIEWS, axis=1
            ).sum(axis=2) / np.sqrt(TRAINING_WINDOW_VIEWS)
            over = float((windows.max(axis=1) > TRAINING_WINDOW_Z).mean())
            row = [r, f"{shares.mean():.5f}", f"{shares.std():.5f}", TOP_SHARE_NULL[r], views]
            row += [f"{q:.2f}" for q in np.quantile(pooled, [0.99, 0.999, 0.9999])]
            table.append([*row, f"{over:.1e}"])
    print_table("Top singular share of noise", head, table)


def distinct_values_table(rng: np.random.Generator) -> None:
    """Distinct values in Gaussian rows under each number format."""
    table: list[list[object]] = []
    for cells in (128, 256, 512, 1_024):
        rows = rng.normal(0, 0.05, (200, cells)).astype(np.float32)
        formats = {
            "bf16": rows.astype(ml_dtypes.bfloat16),
            "int8": np.round(rows / np.abs(rows).max(axis=1, keepdims=True) * 127),
            "fp8": rows.astype(ml_dtypes.float8_e4m3fn),
            "int4": np.round(
                (groups := rows.reshape(-1, 32)) / np.abs(groups).max(axis=1, keepdims=True) * 7
            ).reshape(rows.shape),
        }
        table.append([cells, *(_distinct(each.astype(np.float32)) for each in formats.values())])
    head = ["cells", "bf16", "int8", "fp8", "int4"]
    print_table("Distinct values a row (in groups of 32)", head, table)


def _distinct(rows: np.ndarray) -> str:
    by_row = np.median([len(np.unique(row)) for row in rows])
    by_group = np.median([len(np.unique(row)) for row in rows.reshape(-1, 32)])
    return f"{by_row:.0f} ({by_group:.0f})"


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--matrices", type=int, default=400_000)
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    singular_share_table(arguments.matrices, rng)
    distinct_values_table(rng)


if __name__ == "__main__":
    main()
