"""What the weights suggest about who came later: hints, and what each of them is worth."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

import weights as w
from kinprint.lineage.compare import compare
from kinprint.lineage.evidence.time.direction import (
    added_modules,
    direction_hints,
    residual_norms,
    rounding_lattice,
)
from kinprint.lineage.matching import Matching
from kinprint.lineage.verdict import Direction

BASE = w.strangers(40)
PARENT = w.trained(BASE, 0.003, seed=1)
CHILD = w.trained(PARENT, 0.003, seed=2)
SIBLING = w.trained(BASE, 0.004, seed=3)


def rounded(weights: w.Weights) -> w.Weights:
    """Values on the lattice of bf16, saved wide."""
    return {n: v.astype(ml_dtypes.bfloat16).astype(np.float32) for n, v in weights.items()}


def matched(
    repo: w.Weights, match: w.Weights, repo_dtype: str = "F32", match_dtype: str = "F32"
) -> Matching:
    return Matching(
        w.fingerprint(repo, "some/repo", dtype=repo_dtype),
        w.fingerprint(match, "some/match", dtype=match_dtype),
    )


def chain(repo: w.Weights, match: w.Weights, base: w.Weights = BASE):
    return residual_norms(matched(repo, match), matched(repo, base))


def both_ways(hint, repo: w.Weights, match: w.Weights) -> tuple[Direction, Direction]:
    return hint(matched(repo, match)).direction, hint(matched(match, repo)).direction


FROM_MATCH = (Direction.REPO_FROM_MATCH, Direction.MATCH_FROM_REPO)
UNKNOWN = (Direction.UNKNOWN, Direction.UNKNOWN)


@pytest.mark.parametrize("dtype", ["BF16", "F16"])
def test_a_cast_to_a_coarser_format_came_later(dtype: str) -> None:
    cast, to_be_cast = matched(BASE, BASE, repo_dtype=dtype), matched(BASE, BASE, match_dtype=dtype)
    assert rounding_lattice(cast).direction is Direction.REPO_FROM_MATCH
    assert rounding_lattice(to_be_cast).direction is Direction.MATCH_FROM_REPO


def test_values_rounded_to_bf16_and_saved_wide_again_came_later() -> None:
    assert both_ways(rounding_lattice, rounded(BASE), BASE) == FROM_MATCH


def test_a_model_on_a_quantisers_grid_came_later() -> None:
    assert both_ways(rounding_lattice, w.int8(BASE), BASE) == FROM_MATCH


def test_a_wider_format_alone_makes_nobody_the_earlier() -> None:
    coarse = rounded(BASE)
    hint = rounding_lattice(matched(coarse, coarse, match_dtype="BF16"))
    assert hint.direction is Direction.UNKNOWN
    assert "wider format" in hint.summary


def test_equal_lattices_tell_nothing() -> None:
    assert both_ways(rounding_lattice, BASE, BASE) == UNKNOWN
    assert both_ways(rounding_lattice, w.noised(BASE, 1 / 708), BASE) == UNKNOWN
    assert both_ways(rounding_lattice, rounded(PARENT), rounded(BASE)) == UNKNOWN


def test_a_coarser_side_that_is_not_the_others_rounding_tells_nothing() -> None:
    assert both_ways(rounding_lattice, rounded(w.noised(BASE, 1 / 708)), BASE) == UNKNOWN


def test_sides_that_are_each_coarser_somewhere_tell_nothing() -> None:
    half = {n: rounded({n: v})[n] if i % 4 < 2 else v for i, (n, v) in enumerate(BASE.items())}
    other = {n: v if i % 4 < 2 else rounded({n: v})[n] for i, (n, v) in enumerate(BASE.items())}
    assert both_ways(rounding_lattice, half, other) == UNKNOWN


def test_a_quantised_sibling_is_in_no_order() -> None:
    assert both_ways(rounding_lattice, w.int8(SIBLING), PARENT) == UNKNOWN


def test_noise_below_the_rounding_fools_the_lattice_and_the_hint_says_so() -> None:
    original, rng = rounded(BASE), np.random.default_rng(6)
    forged = {}
    for name, value in original.items():
        ulp = np.spacing(np.abs(value).astype(ml_dtypes.bfloat16)).astype(np.float32)
        forged[name] = value + rng.uniform(-0.499, 0.499, value.shape).astype(np.float32) * ulp
    hint = rounding_lattice(matched(forged, original))
    assert hint.direction is Direction.MATCH_FROM_REPO
    assert "adds noise smaller than the rounding" in hint.summary


def test_a_model_that_went_on_from_another_holds_its_change() -> None:
    hint = chain(CHILD, PARENT)
    assert hint.direction is Direction.REPO_FROM_MATCH
    assert "took back part of its change" in hint.summary
    assert chain(PARENT, CHILD).direction is Direction.MATCH_FROM_REPO


def test_a_noised_copy_of_a_child_holds_the_childs_change() -> None:
    assert chain(w.noised(PARENT, 0.003), PARENT).direction is Direction.REPO_FROM_MATCH


def test_siblings_of_a_base_are_in_no_order() -> None:
    assert chain(SIBLING, PARENT).direction is Direction.UNKNOWN
    assert chain(PARENT, SIBLING).direction is Direction.UNKNOWN


def test_a_small_change_beside_a_large_one_is_no_earlier_for_it() -> None:
    small = w.trained(BASE, 0.0002, seed=4)
    assert chain(SIBLING, small).direction is Direction.UNKNOWN
    assert chain(small, SIBLING).direction is Direction.UNKNOWN


def test_a_first_step_that_is_lost_beside_the_second_is_not_looked_for() -> None:
    first = w.trained(BASE, 0.0005, seed=25)
    second = w.trained(first, 0.003, seed=21)
    assert chain(second, first).direction is Direction.UNKNOWN
    assert chain(first, second).direction is Direction.UNKNOWN


def test_a_model_drawn_half_way_back_to_the_base_is_in_no_order() -> None:
    half = w.mixed(PARENT, BASE, 0.5)
    assert chain(half, PARENT).direction is Direction.UNKNOWN
    assert chain(PARENT, half).direction is Direction.UNKNOWN


def test_tensors_that_were_put_back_to_the_base_make_nobody_the_earlier() -> None:
    back = {n: BASE[n] if i % 8 < 2 else v for i, (n, v) in enumerate(PARENT.items())}
    assert chain(back, PARENT).direction is Direction.UNKNOWN
    assert chain(PARENT, back).direction is Direction.UNKNOWN


def test_without_a_change_or_a_base_nothing_is_said() -> None:
    assert chain(BASE, PARENT).direction is Direction.UNKNOWN
    assert chain(PARENT, PARENT).direction is Direction.UNKNOWN
    assert residual_norms(matched(CHILD, PARENT), None).direction is Direction.UNKNOWN
    assert chain(CHILD, PARENT, w.strangers(41)).direction is Direction.UNKNOWN


def without(weights: w.Weights, layers: int) -> w.Weights:
    return dict(list(weights.items())[: 2 * layers])


def test_a_model_with_modules_beyond_another_was_built_from_it() -> None:
    hint = added_modules(matched(BASE, without(BASE, 9)))
    assert hint.direction is Direction.REPO_FROM_MATCH
    assert "3 tensors" in hint.summary
    assert "dropped parts" in hint.summary
    assert both_ways(added_modules, BASE, without(BASE, 9)) == FROM_MATCH


def test_a_model_with_more_rows_was_built_from_the_one_with_fewer() -> None:
    rng = np.random.default_rng(7)
    longer = dict(BASE)
    longer["layers.0.weight"] = np.vstack(
        [BASE["layers.0.weight"], rng.normal(0, 0.05, (8, 256))]
    ).astype(np.float32)
    assert both_ways(added_modules, longer, BASE) == FROM_MATCH
    assert "8 rows" in added_modules(matched(longer, BASE)).summary


def test_models_that_each_have_something_of_their_own_are_in_no_order() -> None:
    other = without(BASE, 9) | {f"other.{n}": v for n, v in without(w.strangers(42), 3).items()}
    assert both_ways(added_modules, BASE, other) == UNKNOWN
    assert both_ways(added_modules, BASE, BASE) == UNKNOWN


def test_hints_never_move_the_verdict() -> None:
    verdict = compare(
        w.fingerprint(without(rounded(BASE), 9), "some/repo"), w.fingerprint(BASE, "some/match")
    ).verdict
    hints = direction_hints(matched(without(rounded(BASE), 9), BASE))
    assert {hint.kind: hint.direction for hint in hints} == {
        "rounding_lattice": Direction.REPO_FROM_MATCH,
        "residual_norms": Direction.UNKNOWN,
        "added_modules": Direction.MATCH_FROM_REPO,
    }
    assert verdict.direction is Direction.UNKNOWN
