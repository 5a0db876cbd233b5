"""The projection itself: named bit-exactly, balanced, and blind to row and column means."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from kinprint.sketches.linear import centre, phash, restore, store
from kinprint.sketches.projection import PUBLIC, SKETCH_NAME, Projection

SHAPES = [(8, 640), (8, 4096), (32, 160), (64, 384), (256, 32), (256, 128)]


def _matrix(rows: int, cols: int) -> np.ndarray:
    """The projection's matrix (256, R·C), found by projecting unit matrices' sums row by row."""
    columns = np.empty((256, rows, cols))
    for i in range(rows):
        for j in range(cols):
            unit = np.zeros((rows, cols))
            unit[i, j] = 1.0
            columns[:, i, j] = PUBLIC.project(unit).ravel()
    return columns


def _plain(values: np.ndarray, key: bytes) -> np.ndarray:
    """The docstring of ``projection.py``, word by word, in plain Python."""

    def bit(role: str, number: int) -> int:
        seed = hashlib.blake2b(role.encode(), digest_size=16, key=key).digest()
        philox = np.random.Philox(key=int.from_bytes(seed, "little"))
        word = int(philox.random_raw(number // 64 + 1)[-1])
        return word >> (number % 64) & 1

    rows, cols = values.shape
    r = min(rows, 16)
    k = 256 // r
    s = np.zeros((r, k))
    for j in range(cols):
        bucket, place = j % k, j // k
        sign = 1 - 2 * bit(f"columns:{k}", place // 2 * k + bucket)
        sign = -sign if place % 2 else sign
        for i in range(rows):
            row_sign = 1
            if rows > 16:
                row_sign = 1 - 2 * bit("rows:16", i // 16 // 2 * 16 + i % 16)
                row_sign = -row_sign if i // 16 % 2 else row_sign
            s[i % r, bucket] += sign * row_sign * values[i, j]
    return s / np.sqrt((rows // r) * (cols // k))


@pytest.mark.parametrize("shape", [(8, 640), (32, 160)])
def test_it_is_what_its_documentation_says(shape: tuple[int, int]) -> None:
    values = np.random.default_rng(3).standard_normal(shape)
    key = b"kinprint public key 0"
    np.testing.assert_allclose(PUBLIC.project(values), _plain(values, key), atol=1e-12)


@pytest.mark.parametrize("shape", [(8, 128), (32, 32), (256, 32)])
def test_each_cell_counts_once_with_a_balanced_sign(shape: tuple[int, int]) -> None:
    rows, cols = shape
    matrix = _matrix(rows, cols) * np.sqrt(rows * cols / 256)
    assert (np.abs(matrix).round(12).sum(axis=0) == 1).all()
    np.testing.assert_allclose(matrix.sum(axis=2), 0, atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_row_and_column_means_drop_out(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    values = rng.standard_normal(shape)
    shifted = values + 5 * rng.standard_normal((shape[0], 1)) + 5 * rng.standard_normal(shape[1])
    before, after = (centre(PUBLIC.project(each)) for each in (values, shifted))
    if shape[0] <= 16:
        np.testing.assert_allclose(before, after, atol=1e-10)
    else:
        # Row signs balance within a group, so column terms vanish before centring.
        np.testing.assert_allclose(PUBLIC.project(values), PUBLIC.project(shifted), atol=1e-10)


def test_the_sign_of_a_column_does_not_depend_on_the_width() -> None:
    values = np.random.default_rng(2).standard_normal((8, 4096))
    wide = values.copy()
    wide[:, 2048:] = 0.0
    narrow = PUBLIC.project(values[:, :2048])
    np.testing.assert_allclose(PUBLIC.project(wide) * np.sqrt(2), narrow, atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_it_keeps_the_standard_deviation(shape: tuple[int, int]) -> None:
    sketch = PUBLIC.project(0.02 * np.random.default_rng(4).standard_normal(shape))
    assert sketch.shape == (min(shape[0], 16), 256 // min(shape[0], 16))
    assert sketch.std() == pytest.approx(0.02, rel=0.2)


def test_keys_give_independent_signs() -> None:
    values = np.random.default_rng(5).standard_normal((64, 384))
    hashes = [phash(Projection("x", bytes([i])).project(values)) for i in range(20)]
    distances = [int(np.unpackbits(a ^ b).sum()) for i, a in enumerate(hashes) for b in hashes[:i]]
    assert min(distances) >= 85
    assert max(distances) <= 171


def test_a_hash_packs_signs_little_endian_and_zero_is_positive() -> None:
    sketch = np.ones((8, 32))
    sketch[0, :] = -1.0
    packed = phash(sketch)
    assert packed.dtype == np.uint8
    assert packed.tolist() == [0] * 4 + [255] * 28
    assert phash(np.zeros((16, 16))).tolist() == [255] * 32
    sketch = np.zeros((8, 32))
    sketch[0, 3], sketch[1, 3] = 1.0, -1.0
    assert phash(sketch)[4] == 0b1111_0111


def test_storage_loses_at_most_half_a_step() -> None:
    sketch = np.random.default_rng(6).standard_normal((16, 16)) * 1e-5
    ints, step = store(sketch)
    assert ints.dtype == np.int16
    assert np.abs(ints).max() == 32_767
    assert np.abs(restore(ints, float(step), 16) - sketch).max() <= float(step) * 0.51


@pytest.mark.parametrize("scale", [0.0, 1e-45, 1e300])
def test_a_sketch_without_a_normal_float32_step_is_stored_as_nothing(scale: float) -> None:
    ints, step = store(np.full((8, 32), scale))
    assert step == 0
    assert not ints.any()


def test_the_name_says_every_parameter() -> None:
    assert SKETCH_NAME == (
        "kps1-256-r256x128.64x512.32x1024.8x16384-kept16-c32.16384-min4096-far1024"
        "-pairs.philox4x64-int16-k0"
    )
    assert PUBLIC.name == SKETCH_NAME
