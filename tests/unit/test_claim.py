"""The claim is valid: strangers are claimed in less than 1e-9 of look-ups, by construction."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import binom

from kinprint.lineage.claim import claim, mixture_ln_e
from kinprint.lineage.likelihood import (
    NOT_COMPARABLE,
    fold,
    log_e_values,
    relative_pmf,
    stranger_pmf,
)
from kinprint.lineage.thresholds import LN_E_CLAIM
from kinprint.sketches.distances import HASH_BITS

FOLDED = np.arange(HASH_BITS // 2 + 1)


def folded_binomial() -> np.ndarray:
    return fold(binom.pmf(np.arange(HASH_BITS + 1), HASH_BITS, 0.5))


def test_e_of_one_view_has_mean_one_under_the_stranger_distribution() -> None:
    e_values = np.exp(log_e_values()[FOLDED])
    assert float((stranger_pmf() * e_values).sum()) == pytest.approx(1.0, abs=1e-9)


def test_e_of_one_view_has_mean_below_one_for_true_binomial_strangers() -> None:
    e_values = np.exp(log_e_values()[FOLDED])
    assert float((folded_binomial() * e_values).sum()) <= 1.0


def test_pmfs_are_distributions() -> None:
    for pmf in (stranger_pmf(), relative_pmf()):
        assert pmf.shape == (129,)
        assert pmf.sum() == pytest.approx(1.0)
        assert (pmf >= 0).all()


def test_ln_e_reproduces_the_published_table() -> None:
    measured = {20: 66.5, 40: 42.8, 64: 21.0, 80: 10.0, 96: -0.5, 104: -4.4}
    for bits, expected in measured.items():
        assert log_e_values()[bits] == pytest.approx(expected, abs=0.06)
    assert log_e_values()[NOT_COMPARABLE] == -math.inf


def test_ln_e_falls_as_the_distance_grows_wherever_it_speaks_for_a_match() -> None:
    assert (np.diff(log_e_values()[:100]) < 0).all()


def _toy_pmfs(bits: int) -> tuple[np.ndarray, np.ndarray]:
    d = np.arange(bits + 1)
    half = bits // 2

    def folded(pmf: np.ndarray) -> np.ndarray:
        out = pmf[: half + 1].copy()
        out[:half] += pmf[:half:-1]
        return out

    p0 = folded(binom.pmf(d, bits, 0.5))
    rates = np.arctan(np.geomspace(0.002, 1.5, 60)) / np.pi
    p1 = 0.99 * folded(np.mean([binom.pmf(d, bits, r) for r in rates], axis=0)) + 0.01 * p0
    return p0, p1


def _toy_expectation(statistic, views: int = 2, candidates: int = 2, bits: int = 16) -> float:
    """Exact mean of a statistic of a views x candidates table of independent stranger distances."""
    p0, p1 = _toy_pmfs(bits)
    ratio = np.log(p1 / p0)
    total = 0.0
    for distances in itertools.product(range(bits // 2 + 1), repeat=views * candidates):
        weight = math.prod(p0[d] for d in distances)
        total += weight * statistic(ratio[list(distances)].reshape(views, candidates))
    return total


def _design_e(ratios: np.ndarray) -> float:
    per_view = np.logaddexp.reduce(ratios, axis=1) - np.log(ratios.shape[1])
    return math.exp(mixture_ln_e(per_view))


def _floored_best(ratios: np.ndarray) -> float:
    """Tempting and invalid: floor each view's score, take its best candidate."""
    paid = ratios.max(axis=1) - np.log(ratios.shape[1])
    return math.exp(np.maximum(0.0, paid).sum())


def _best_assignment(ratios: np.ndarray) -> float:
    """Tempting and invalid: the best one-to-one assignment, unpaid."""
    views = range(ratios.shape[0])
    best = max(
        sum(ratios[i, j] for i, j in zip(views, order, strict=True))
        for order in itertools.permutations(range(ratios.shape[1]), ratios.shape[0])
    )
    return math.exp(best)


def test_exact_toy_mean_of_the_claim_is_at_most_one() -> None:
    assert _toy_expectation(_design_e) <= 1.0 + 1e-9


@pytest.mark.parametrize("invalid", [_floored_best, _best_assignment])
def test_exact_toy_shows_that_tempting_readings_are_invalid(invalid) -> None:
    assert _toy_expectation(invalid) > 1.2


def test_an_unfolded_ratio_at_a_folded_distance_is_invalid() -> None:
    d = np.arange(17)
    p0 = binom.pmf(d, 16, 0.5)
    rates = np.arctan(np.geomspace(0.002, 1.5, 60)) / np.pi
    p1 = 0.99 * np.mean([binom.pmf(d, 16, r) for r in rates], axis=0) + 0.01 * p0
    folded_p0, _ = _toy_pmfs(16)
    mean = float((folded_p0 * (p1 / p0)[:9]).sum())
    assert mean > 1.5


def test_a_claim_needs_three_groups_however_large_e_is() -> None:
    strong = np.full(2, 60.0)
    two = claim(strong, np.arange(2), n_revisions=1)
    assert two.above_threshold
    assert not two.holds
    three = claim(np.full(3, 60.0), np.arange(3), n_revisions=1)
    assert three.holds


def test_copies_of_one_view_count_once() -> None:
    per_view = np.full(10, 15.0)
    together = claim(per_view, np.zeros(10, np.intp), n_revisions=1)
    apart = claim(per_view, np.arange(10), n_revisions=1)
    assert together.groups == 1
    assert together.ln_e < 16
    assert apart.ln_e > 100


def test_a_larger_index_asks_for_more() -> None:
    ln_e = np.full(4, 8.0)
    alone = claim(ln_e, np.arange(4), n_revisions=1)
    crowd = claim(ln_e, np.arange(4), n_revisions=1_000_000)
    assert crowd.threshold == pytest.approx(LN_E_CLAIM + math.log(1e6))
    assert crowd.score == pytest.approx(alone.score - math.log(1e6))
    assert alone.holds
    assert not crowd.holds


def test_views_with_nothing_to_compare_only_lower_the_claim() -> None:
    some = claim(np.full(4, 30.0), np.arange(4), n_revisions=1)
    diluted = claim(np.r_[np.full(4, 30.0), np.full(300, -np.inf)], np.arange(304), n_revisions=1)
    assert diluted.groups == 304
    assert diluted.groups_for == 4
    assert diluted.ln_e < some.ln_e
    assert diluted.holds


def test_nothing_at_all_is_no_claim() -> None:
    empty = claim(np.zeros(0), np.zeros(0, np.intp), n_revisions=5)
    assert (empty.groups, empty.groups_for, empty.ln_e) == (0, 0, 0.0)
    assert not empty.holds


@given(arrays(np.float64, st.integers(1, 40), elements=st.floats(-30, 80)))
def test_the_mixture_is_monotone_in_every_view(ln_e: np.ndarray) -> None:
    raised = ln_e.copy()
    raised[0] += 1.0
    assert mixture_ln_e(raised) >= mixture_ln_e(ln_e)


@given(arrays(np.float64, st.integers(1, 40), elements=st.floats(-30, 80)))
def test_the_mixture_does_not_depend_on_the_order_of_views(ln_e: np.ndarray) -> None:
    assert mixture_ln_e(ln_e[::-1]) == pytest.approx(mixture_ln_e(ln_e), rel=1e-9, abs=1e-9)
