"""A stored fingerprint that this version must reproduce to the bit.

A failure means that some parameter of the sketch drifted: fingerprints made before and after would
not compare. Undo it, or give the sketch another name and write the file again with
``python tests/unit/test_golden_fingerprint.py``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kinprint.fingerprint.file import digest_of, load, save
from kinprint.fingerprint.take import take
from memory_checkpoint import MemoryCheckpoint

GOLDEN = Path(__file__).with_name("golden.safetensors")
SHAPES = {
    "256 rows": ((300, 96), "F32"),
    "64 rows": ((70, 400), "BF16"),
    "32 rows": ((40, 1000), "F16"),
    "8 rows": ((9, 4100), "F32"),
    "transposed": ((1500, 12), "F64"),
    "tall": ((2100, 64), "F32"),
    "embedding": ((5000, 64), "BF16"),
    "experts": ((3, 64, 96), "F32"),
    "convolution": ((64, 48, 3, 3), "F8_E4M3"),
    "vector": ((384,), "F32"),
    "long vector": ((5000,), "F16"),
}
ROUNDED = ("std", "zeros", "rounding")
"""Sums whose last digit may depend on the processor."""


def _golden_checkpoint() -> MemoryCheckpoint:
    arrays = {}
    for number, (name, (shape, dtype)) in enumerate(SHAPES.items()):
        words = np.random.Philox(key=number).random_raw(int(np.prod(shape)))
        # 24-bit fractions: float64 sums of them are exact in any order.
        values = (words >> np.uint64(40)).astype(np.float64) / 2**24 - 0.5
        arrays[name] = values.reshape(shape), dtype
    return MemoryCheckpoint(arrays)


def test_it_is_reproduced() -> None:
    golden, taken = load(GOLDEN), take(_golden_checkpoint())
    assert taken.sketch_name == golden.sketch_name
    assert taken.views == golden.views
    assert taken.parameters == golden.parameters
    assert taken.bytes_read == golden.bytes_read
    assert digest_of(taken) == digest_of(golden)
    for group in ("blocks", "vectors"):
        for name, column in vars(getattr(golden, group)).items():
            again = getattr(getattr(taken, group), name)
            if name in ROUNDED:
                np.testing.assert_allclose(again, column, rtol=1e-5)
            else:
                np.testing.assert_array_equal(again, column, err_msg=f"{group}.{name}")


@pytest.mark.parametrize("group", ["blocks", "vectors"])
def test_it_covers_every_kind_of_block(group: str) -> None:
    golden = load(GOLDEN)
    if group == "blocks":
        assert set(golden.blocks.rows.tolist()) == {8, 32, 64, 256}
        assert set(golden.blocks.start.tolist()) == {0, 1024}
    else:
        assert len(golden.vectors.view) == 2


if __name__ == "__main__":
    save(take(_golden_checkpoint()), GOLDEN)
