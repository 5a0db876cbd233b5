"""The claim rests on strangers being no nearer than p0 says: measured on real weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from kinprint.lineage.likelihood import stranger_pmf
from kinprint.sketches.distances import hamming
from real.strangers import all_blocks

if TYPE_CHECKING:
    from real import variants

THRESHOLDS = range(80, 111)
MIN_PAIRS = 20_000


@pytest.mark.parametrize("within", [True, False], ids=["within one model", "between two"])
def test_measured_strangers_are_nowhere_nearer_than_the_null_says(
    original: variants.Weights, stranger: variants.Weights, within: bool
) -> None:
    mine, theirs = all_blocks(original), all_blocks(stranger)
    at_most = np.cumsum(stranger_pmf())
    measured = 0
    for shape, hashes in mine.items():
        if within:
            bits = hamming(hashes, hashes)[np.triu_indices(len(hashes), 1)]
        else:
            bits = hamming(hashes, theirs[shape]).ravel()
        if len(bits) < MIN_PAIRS:
            continue
        measured += len(bits)
        folded = np.minimum(bits, 256 - bits)
        for threshold in THRESHOLDS:
            assert np.mean(folded <= threshold) <= at_most[threshold], (shape, threshold)
    assert measured > 100_000
