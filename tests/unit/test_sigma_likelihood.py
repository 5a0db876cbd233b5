"""σ and its interval, on differences whose truth is known; what a stored value may have been."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinprint.checkpoints.dtypes import numpy_dtype
from kinprint.checkpoints.rounding import is_rounding_of, rounding_interval
from kinprint.lineage.evidence.change.sigma_likelihood import (
    Moments,
    SigmaLikelihood,
    censored,
    fit,
    interval,
    scalar_p,
)

FLOATS = ("BF16", "F16", "F32", "F8_E4M3", "F8_E5M2", "F8_E4M3FNUZ")
CELLS = 600


def drawn(
    rng: np.random.Generator, ulps: float, dtype: str, *, on_grid: bool
) -> tuple[SigmaLikelihood, float]:
    """Weights of one binade under noise of so many ulps, stored in a dtype."""
    step = {"BF16": 2**-7, "F16": 2**-10}[dtype] / 16
    x = rng.uniform(1 / 16, 1 / 8, CELLS)
    x = x.astype(numpy_dtype(dtype)).astype(np.float64) if on_grid else x
    y = (x + ulps * step * rng.normal(size=CELLS)).astype(numpy_dtype(dtype)).astype(np.float64)
    lower, upper = rounding_interval(y, dtype)
    return censored(lower - x, upper - x, float(((y - x) ** 2).mean())), ulps * step


@pytest.mark.parametrize(
    ("ulps", "dtype", "on_grid"),
    [(0.4, "BF16", True), (0.4, "BF16", False), (1.0, "F16", True), (5.0, "BF16", False)],
)
def test_the_interval_holds_sigma_in_95_of_100_cases(
    ulps: float, dtype: str, on_grid: bool
) -> None:
    rng = np.random.default_rng(0)
    hits, rounds = 0, 150
    for _ in range(rounds):
        part, sigma = drawn(rng, ulps, dtype, on_grid=on_grid)
        estimate = interval([part], fit([part]))
        assert estimate is not None
        hits += estimate.low <= sigma <= estimate.high
    assert 0.89 <= hits / rounds <= 0.99


def test_the_interval_of_plain_moments_holds_sigma_in_95_of_100_cases() -> None:
    rng = np.random.default_rng(1)
    hits, rounds, sigma, rounding = 0, 600, 0.01, 2e-5
    for _ in range(rounds):
        square = (sigma**2 + rounding) * rng.chisquare(CELLS) / CELLS
        part = Moments(CELLS, square, rounding)
        estimate = interval([part], fit([part]))
        assert estimate is not None
        hits += estimate.low <= sigma <= estimate.high
    assert 0.93 <= hits / rounds <= 0.97


def test_far_above_the_grid_both_forms_agree() -> None:
    part, _ = drawn(np.random.default_rng(2), 20.0, "BF16", on_grid=True)
    step = 2**-7 / 16
    plain = Moments(CELLS, part.mean_square, step**2 / 12)
    assert fit([part]).sigma == pytest.approx(fit([plain]).sigma, rel=1e-3)


def test_where_rounding_explains_all_there_is_no_interval() -> None:
    x = np.random.default_rng(3).uniform(1 / 16, 1 / 8, CELLS)
    y = x.astype(ml_dtypes.bfloat16).astype(np.float64)
    lower, upper = rounding_interval(y, "BF16")
    part = censored(lower - x, upper - x, float(((y - x) ** 2).mean()))
    fitted = fit([part])
    assert not fitted.is_resolved
    assert interval([part], fitted) is None


def test_where_nothing_differs_sigma_is_nothing() -> None:
    part = Moments(CELLS, 0.0, 0.0)
    assert fit([part]).sigma == 0.0
    assert interval([part], fit([part])) is None


def test_one_scalar_is_rejected_as_often_as_the_level_says_and_always_when_wrong() -> None:
    rng = np.random.default_rng(4)

    def p_of(sigmas: np.ndarray) -> float:
        parts = [Moments(CELLS, s**2 * rng.chisquare(CELLS) / CELLS, 0.0) for s in sigmas]
        return scalar_p(parts, [fit([part]) for part in parts], fit(parts))

    values = np.array([p_of(np.full(12, 0.01)) for _ in range(150)])
    assert 0.01 <= (values < 0.05).mean() <= 0.11
    assert p_of(np.linspace(0.01, 0.015, 12)) < 1e-6


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(FLOATS),
    st.lists(st.floats(-200, 200, allow_subnormal=False), min_size=1, max_size=8),
)
def test_a_value_lies_between_the_half_way_points_of_what_it_was_rounded_to(
    dtype: str, numbers: list[float]
) -> None:
    values = np.array(numbers)
    stored = values.astype(numpy_dtype(dtype)).astype(np.float64)
    lower, upper = rounding_interval(stored, dtype)
    assert (lower < stored).all()
    assert (stored < upper).all()
    assert ((lower <= values) & (values <= upper)).all()
    assert is_rounding_of(stored, values, dtype)


def test_a_value_one_step_off_is_no_rounding() -> None:
    values = np.array([1.0, 0.5, -0.25, 3.0])
    assert not is_rounding_of(values + np.array([0, 0, 0, 2**-6]), values, "BF16")
    assert not is_rounding_of(-values, values, "BF16")
