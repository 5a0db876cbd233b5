"""σ of added noise and the marks of training, on differences whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinprint.lineage.differences import Difference, top_share_z
from kinprint.lineage.matching import Pair
from kinprint.lineage.noise import noise_sigma
from kinprint.lineage.thresholds import TRAINING_Z
from kinprint.lineage.training import structure
from kinprint.lineage.verdict import Direction

PAIR = Pair(0, 0, ((0, 0),), 2, negated=False, same_bytes=False, accepted=True)
CELLS = 240
LATER = {"direction": Direction.REPO_FROM_MATCH}
EARLIER = {"direction": Direction.MATCH_FROM_REPO}


def difference(mean_square: float, *, rounding: float = 0.0, z: float = 0.0, **changes):
    facts = {
        "pair": PAIR,
        "cells": CELLS,
        "mean_square": mean_square,
        "query_rounding": rounding,
        "candidate_rounding": 0.0,
        "storage": 0.0,
        "same_dtype": True,
        "eight_bits_or_less": False,
        "gain": 1.0,
        "gain_se": 0.001,
        "reverse_gain": 1.0,
        "reverse_gain_se": 0.001,
        "cosine": 0.999,
        "same_bytes": False,
        "top_share_z": z,
    }
    return Difference(**{**facts, **changes})


def simulated(sigma: float, views: int, rng: np.random.Generator, rounding: float = 0.0):
    squares = (sigma**2 + rounding) * rng.chisquare(CELLS, views) / CELLS
    return [difference(square, rounding=rounding) for square in squares]


@pytest.mark.slow
def test_the_interval_holds_the_true_sigma_in_95_of_100_cases() -> None:
    rng = np.random.default_rng(0)
    sigma, views, rounds = 1 / 708, 39, 2_000
    hits = 0
    for _ in range(rounds):
        estimate = noise_sigma(simulated(sigma, views, rng), [0.05] * views, **LATER)
        hits += estimate.low <= sigma <= estimate.high
    assert 0.93 <= hits / rounds <= 0.97


def test_39_views_pin_sigma_down_to_two_per_cent() -> None:
    rng = np.random.default_rng(1)
    estimate = noise_sigma(simulated(1 / 708, 39, rng), [0.05] * 39, **LATER)
    assert (estimate.high - estimate.low) / 2 < 0.02 * estimate.sigma
    assert estimate.one_scalar


def test_the_suspect_s_rounding_is_taken_out_and_the_other_side_s_is_not() -> None:
    rng = np.random.default_rng(2)
    rounding = (1 / 2_000) ** 2
    found = simulated(1 / 708, 290, rng, rounding)
    right = noise_sigma(found, [0.05] * 290, **LATER)
    wrong = noise_sigma(found, [0.05] * 290, **EARLIER)
    assert right.sigma == pytest.approx(1 / 708, rel=0.01)
    assert wrong.sigma == pytest.approx(np.hypot(1 / 708, 1 / 2_000), rel=0.01)


def test_noise_in_proportion_to_each_tensor_is_not_one_scalar() -> None:
    rng = np.random.default_rng(3)
    found = [
        difference((sigma**2) * rng.chisquare(CELLS) / CELLS)
        for sigma in np.linspace(0.001, 0.002, 39)
    ]
    assert not noise_sigma(found, [0.05] * 39, **LATER).one_scalar
    stds = list(np.linspace(0.05, 0.1, 39))
    assert noise_sigma(found, stds, **LATER).proportional


def test_tensors_of_one_scale_cannot_tell_one_scalar_from_a_share() -> None:
    found = simulated(1 / 708, 39, np.random.default_rng(6))
    estimate = noise_sigma(found, [0.05] * 39, **LATER)
    assert estimate.one_scalar
    assert estimate.proportional


@settings(max_examples=50, deadline=None)
@given(st.floats(1e-6, 1.0), st.integers(6, 300), st.integers(0, 2**32 - 1))
def test_sigma_scales_with_the_weights(factor: float, views: int, seed: int) -> None:
    found = simulated(0.01, views, np.random.default_rng(seed))
    smaller = [difference(each.mean_square * factor**2) for each in found]
    stds = [0.05] * views
    big = noise_sigma(found, stds, **LATER)
    small = noise_sigma(smaller, stds, **LATER)
    assert small.sigma == pytest.approx(big.sigma * factor, rel=1e-9)
    assert small.low == pytest.approx(big.low * factor, rel=1e-6)


@pytest.mark.parametrize("shape", [(16, 16), (8, 32)])
def test_the_top_share_of_noise_is_standard_whatever_its_rows_scales(shape) -> None:
    rng = np.random.default_rng(4)
    noise = rng.normal(size=(4_000, *shape))
    uneven = noise * rng.lognormal(0, 3, (4_000, shape[0], 1))
    z = top_share_z(noise)
    assert abs(z.mean()) < 0.1
    assert z.std() == pytest.approx(1.0, abs=0.05)
    np.testing.assert_allclose(top_share_z(uneven), z, atol=1e-9)


@pytest.mark.parametrize("shape", [(16, 16), (8, 32)])
def test_one_strong_direction_stands_out(shape) -> None:
    rng = np.random.default_rng(5)
    rows = rng.normal(size=(36, shape[0], 1)) * rng.normal(size=(36, 1, shape[1]))
    change = rows + 0.5 * rng.normal(size=(36, *shape))
    z = top_share_z(change)
    assert z.sum() / 6 > TRAINING_Z


def test_a_trained_module_among_many_noised_ones_is_seen() -> None:
    quiet = [difference(1e-6) for _ in range(300)]
    found = structure([*quiet[:150], *(difference(1e-6, z=3.2) for _ in range(6)), *quiet[:150]])
    assert found.z < TRAINING_Z
    assert found.has_structure


def test_gain_one_in_the_later_side_only_counts_when_the_order_is_known() -> None:
    even_merge = [
        difference(1e-3, gain=0.5, gain_se=0.002, reverse_gain=1.0, cosine=0.71) for _ in range(39)
    ]
    found = structure(even_merge)
    assert not found.gain_is_one(Direction.REPO_FROM_MATCH)
    assert found.gain_is_one(Direction.MATCH_FROM_REPO)
    assert not found.gain_is_one(Direction.UNKNOWN)


def test_little_noise_needs_no_known_order() -> None:
    found = structure([difference(1e-6) for _ in range(39)])
    assert found.gain_is_one(Direction.UNKNOWN)


def test_with_no_known_order_the_coarser_format_did_the_rounding() -> None:
    found = simulated(1 / 708, 290, np.random.default_rng(7), (1 / 2_000) ** 2)
    unknown = noise_sigma(found, [0.05] * 290, direction=Direction.UNKNOWN)
    assert unknown == noise_sigma(found, [0.05] * 290, **LATER)
