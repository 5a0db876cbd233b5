"""Properties that every sketch must have, whatever the weights."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinprint.checkpoints.dtypes import rounding_variance
from kinprint.fingerprint.file import digest_of
from kinprint.fingerprint.take import take
from kinprint.sketches.blocks import blocks_of
from kinprint.sketches.linear import centre, phash, restore
from kinprint.sketches.projection import PUBLIC
from kinprint.sketches.vectors import vector_phash
from memory_checkpoint import NUMPY_DTYPES, MemoryCheckpoint

if TYPE_CHECKING:
    import random

    from kinprint.fingerprint.record import Fingerprint

SHAPES = st.sampled_from([(8, 640), (8, 1024), (32, 160), (32, 1024), (64, 384), (256, 64)])
SEEDS = st.integers(0, 2**32 - 1)
FEW = settings(max_examples=25, deadline=None)


def _normal(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def _model(seed: int) -> dict[str, np.ndarray]:
    return {
        "a": _normal(seed, 96, 96),
        "b": _normal(seed + 1, 80, 128),
        "c": _normal(seed + 2, 40, 200),
        "d": 1 + _normal(seed + 3, 96),
        "e": _normal(seed + 4, 2100, 64),
        "f": _normal(seed + 5, 700, 16),
        "g": _normal(seed + 6, 4, 64, 128),
    }


def _content(fingerprint: Fingerprint) -> list[tuple[bytes, ...]]:
    """What the fingerprint says of the weights, without names and order."""
    rows = [
        tuple(
            np.ascontiguousarray(column[row]).tobytes()
            for name, column in vars(columns).items()
            if name != "view"
        )
        for columns in (fingerprint.blocks, fingerprint.vectors)
        for row in range(len(columns.view))
    ]
    return sorted(rows)


@FEW
@given(shape=SHAPES, seeds=st.tuples(SEEDS, SEEDS), a=st.floats(-3, 3), b=st.floats(-3, 3))
def test_the_sketch_of_a_sum_is_the_sum_of_the_sketches(
    shape: tuple[int, int], seeds: tuple[int, int], a: float, b: float
) -> None:
    x, y = (_normal(seed, *shape) for seed in seeds)
    np.testing.assert_allclose(
        PUBLIC.project(a * x + b * y),
        a * PUBLIC.project(x) + b * PUBLIC.project(y),
        atol=1e-12,
    )


@FEW
@given(shape=SHAPES, seed=SEEDS, dtype=st.sampled_from(["BF16", "F16", "F8_E4M3", "F8_E5M2"]))
def test_a_cast_moves_the_sketch_by_its_rounding_alone(
    shape: tuple[int, int], seed: int, dtype: str
) -> None:
    exact = _normal(seed, *shape).astype(np.float32)
    cast = exact.astype(NUMPY_DTYPES[dtype]).astype(np.float32)
    moved = centre(PUBLIC.project(cast) - PUBLIC.project(exact))
    mean_square = float((moved**2).sum()) / (moved.size - moved.shape[1])
    # Chi-square of 224 or 240 degrees of freedom: 0.45 to 1.6 holds but once in 1e9.
    assert 0.45 <= mean_square / rounding_variance(cast, dtype) <= 1.6


@FEW
@given(shape=SHAPES, seed=SEEDS)
def test_float32_and_float64_of_the_same_numbers_agree(shape: tuple[int, int], seed: int) -> None:
    values = _normal(seed, *shape).astype(np.float32)
    np.testing.assert_array_equal(PUBLIC.project(values), PUBLIC.project(values.astype(np.float64)))


@FEW
@given(seed=SEEDS, shape=SHAPES, more=st.integers(1, 50))
def test_rows_appended_past_the_block_change_nothing(
    seed: int, shape: tuple[int, int], more: int
) -> None:
    rows, cols = shape[0] + 70, shape[1]
    values = _normal(seed, rows + more, cols)
    if blocks_of(rows, cols) != blocks_of(rows + more, cols):
        return
    before = take(MemoryCheckpoint({"w": values[:rows]}))
    after = take(MemoryCheckpoint({"w": values}))
    assert _content(before) == _content(after)


@FEW
@given(seed=SEEDS, shape=SHAPES)
def test_a_negated_copy_has_the_opposite_hash(seed: int, shape: tuple[int, int]) -> None:
    sketch = PUBLIC.project(_normal(seed, *shape))
    assert (phash(sketch) ^ phash(-sketch) == 255).all()


@FEW
@given(seed=SEEDS, shape=SHAPES, exponent=st.integers(-40, 40))
def test_a_power_of_two_changes_only_the_step(
    seed: int, shape: tuple[int, int], exponent: int
) -> None:
    values = _normal(seed, *shape)
    plain = take(MemoryCheckpoint({"w": values})).blocks
    scaled = take(MemoryCheckpoint({"w": values * 2.0**exponent})).blocks
    np.testing.assert_array_equal(plain.sketch, scaled.sketch)
    np.testing.assert_array_equal(plain.phash, scaled.phash)
    np.testing.assert_array_equal(plain.step * np.float32(2.0**exponent), scaled.step)
    np.testing.assert_allclose(plain.std * 2.0**exponent, scaled.std, rtol=1e-5)


@FEW
@given(seed=SEEDS, order=st.randoms(use_true_random=False), files=st.integers(1, 4))
def test_names_order_and_shards_do_not_matter(seed: int, order: random.Random, files: int) -> None:
    model = _model(seed)
    names = list(model)
    order.shuffle(names)
    shuffled = {f"other.{i}": model[name] for i, name in enumerate(names)}
    before = take(MemoryCheckpoint(model))
    after = take(MemoryCheckpoint(shuffled, files=files))
    assert _content(before) == _content(after)
    assert digest_of(before) == digest_of(after)


@pytest.mark.parametrize("threads", [2, 4])
def test_threads_do_not_matter(threads: int) -> None:
    models = [_model(100 * seed) for seed in range(6)]
    alone = [_content(take(MemoryCheckpoint(model))) for model in models]
    with ThreadPoolExecutor(threads) as pool:
        together = list(pool.map(lambda model: _content(take(MemoryCheckpoint(model))), models))
    assert alone == together


@FEW
@given(seed=SEEDS, n=st.integers(64, 16_384))
def test_vectors_hash_alike_when_shifted_and_unlike_when_strangers(seed: int, n: int) -> None:
    vector = _normal(seed, n)
    plain, shifted = vector_phash(vector), vector_phash(vector + 3.0)
    assert int(np.unpackbits(plain ^ shifted).sum()) <= 2
    stranger = vector_phash(_normal(seed + 1, n))
    assert 40 <= int(np.unpackbits(plain ^ stranger).sum()) <= 216


def test_the_stored_sketch_gives_the_hash_again() -> None:
    blocks = take(MemoryCheckpoint(_model(7))).blocks
    for row in range(len(blocks.view)):
        r = min(int(blocks.rows[row]), 16)
        again = phash(restore(blocks.sketch[row], float(blocks.step[row]), r))
        assert int(np.unpackbits(again ^ blocks.phash[row]).sum()) <= 2
