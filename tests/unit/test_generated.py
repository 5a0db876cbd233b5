"""Matrices that code computes are found; trained or random ones are not."""

from __future__ import annotations

import numpy as np
import pytest

from kinprint.fingerprint.take import take
from kinprint.sketches.blocks import blocks_of
from kinprint.sketches.formulas import FORMULAS, Formula
from kinprint.sketches.generated import generator_of
from memory_checkpoint import MemoryCheckpoint

SINUSOID = next(each for each in FORMULAS if each.name == "sinusoid")
HADAMARD = next(each for each in FORMULAS if each.name == "hadamard")
SHAPES = {"mel": (128, 257), "rotary": (4096, 128), "sinusoid": (197, 768)}
ENTRIES = [
    pytest.param(formula, entry, id=f"{formula.name}-{entry}")
    for formula in FORMULAS
    for entry in formula.entries()
]


def _matrix(formula: Formula, entry: tuple[object, ...], rows: int, cols: int) -> np.ndarray:
    cells = formula.cell(np.arange(rows)[:, None], np.arange(cols)[None, :], rows, cols, *entry)
    return np.broadcast_to(cells, (rows, cols)).astype(np.float32)


def _found(whole: np.ndarray) -> list[str | None]:
    """What is said of each of a matrix's blocks that is not constant."""
    blocks = [
        (block.start, whole[block.start : block.start + block.rows, : block.cols])
        for block in blocks_of(*whole.shape)
    ]
    return [
        generator_of(values, start=start, shape=whole.shape)
        for start, values in blocks
        if values.std() > 0
    ]


@pytest.mark.parametrize(("formula", "entry"), ENTRIES)
def test_every_entry_is_found(formula: Formula, entry: tuple[object, ...]) -> None:
    taps = {"dirac": lambda n: n, "bilinear": lambda n: n * n}.get(formula.name)
    shape = (64, 64 * taps(entry[0])) if taps else SHAPES.get(formula.name, (512, 384))
    assert None not in _found(_matrix(formula, entry, *shape))


@pytest.mark.parametrize("formula", FORMULAS, ids=lambda formula: formula.name)
def test_every_formula_is_found_turned(formula: Formula) -> None:
    entry = next(iter(formula.entries()))
    whole = _matrix(formula, entry, *SHAPES.get(formula.name, (64, 576)))
    assert None not in _found(np.ascontiguousarray(whole.T))


@pytest.mark.parametrize(
    ("name", "whole"),
    [
        ("identity", np.eye(384)),
        ("sinusoid", _matrix(SINUSOID, (False, 0, 10_000.0, 0), 512, 384)),
        ("hadamard", _matrix(HADAMARD, (), 512, 512)),
        ("mask", np.tril(np.ones((1024, 1024)))),
    ],
)
def test_noise_does_not_hide_a_formula(name: str, whole: np.ndarray) -> None:
    noise = np.random.default_rng(1).standard_normal(whole.shape)
    noisy = whole + 0.1 * whole.std() * noise
    fingerprint = take(MemoryCheckpoint({"w": noisy}))
    assert fingerprint.views[0].generated == name
    assert len(fingerprint.blocks.view) == 0


@pytest.mark.parametrize(
    "whole",
    [
        np.arange(512.0)[:, None] + np.zeros(384),
        np.arange(384.0) + np.zeros((512, 1)),
        np.arange(512 * 384.0).reshape(512, 384),
        np.random.default_rng(2).standard_normal(384) + np.zeros((512, 1)),
    ],
)
def test_a_row_plus_a_column_vanishes_under_centring(whole: np.ndarray) -> None:
    assert take(MemoryCheckpoint({"w": whole})).views[0].generated == "row plus column"


def test_tables_of_tall_views_are_found_where_their_block_lies() -> None:
    table = _matrix(SINUSOID, (False, 0, 10_000.0, 0), 8_192, 256)
    fingerprint = take(MemoryCheckpoint({"positions": table}))
    assert fingerprint.views[0].generated == "sinusoid"


@pytest.mark.parametrize(
    ("name", "vector"),
    [
        ("range", np.arange(512.0)),
        ("range", 1 - np.linspace(1e-4, 0.02, 1000)),
        ("rotary frequencies", 10_000.0 ** (-np.arange(64) / 64)),
        ("rotary frequencies", 500_000.0 ** (-np.arange(0, 128, 2) / 128)),
        ("hann window", np.hanning(401)[:-1]),
    ],
)
def test_vectors_of_formulas_are_found(name: str, vector: np.ndarray) -> None:
    fingerprint = take(MemoryCheckpoint({"v": vector}))
    assert fingerprint.views[0].generated == name
    assert len(fingerprint.vectors.view) == 0


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("shape", [(64, 384), (8, 4096), (256, 64), (32, 1024)])
def test_random_and_pruned_weights_are_kept(seed: int, shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(seed)
    values = rng.standard_normal(shape)
    pruned = np.where(rng.random(shape) < 0.9, 0.0, values)
    low_rank = rng.standard_normal((shape[0], 2)) @ rng.standard_normal((2, shape[1]))
    outliers = values * np.where(rng.random(shape[1]) < 0.01, 20.0, 1.0)
    for each in (values, pruned, low_rank, outliers):
        assert generator_of(each) is None


@pytest.mark.parametrize("seed", range(3))
def test_single_outliers_do_not_look_like_a_formula(seed: int) -> None:
    values = np.random.default_rng(seed).standard_normal((8, 4096))
    for place in range(8):
        spiked = values.copy()
        spiked[place, place] = 1_000.0
        assert generator_of(spiked) is None


def test_a_smooth_trained_table_is_kept() -> None:
    rng = np.random.default_rng(3)
    walk = np.cumsum(rng.standard_normal((512, 384)), axis=0)
    fingerprint = take(MemoryCheckpoint({"positions": walk}))
    assert fingerprint.views[0].generated is None
    assert len(fingerprint.blocks.view) == 1
