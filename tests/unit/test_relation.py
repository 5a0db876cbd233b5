"""What is said of two models, without an index: the rules that protect an honest author."""

from __future__ import annotations

import numpy as np
import pytest

import weights as w
from kinprint.fingerprint.take import take
from kinprint.lineage.compare import compare
from kinprint.lineage.verdict import CLAIMS, Direction, Relation, Transform, Verdict
from memory_checkpoint import MemoryCheckpoint

BASE = w.strangers(0)
SIGMA = 1 / 708


@pytest.fixture(scope="module")
def base():
    return w.fingerprint(BASE, "acme/original")


def verdict_of(weights: w.Weights, base, **facts) -> Verdict:
    return compare(w.fingerprint(weights, "mallory/upload", **facts), base).verdict


def transform(verdict: Verdict, name: str) -> Transform:
    found = {each.name: each for each in verdict.transforms}
    assert name in found, sorted(found)
    return found[name]


def test_an_identical_copy_is_the_same_weights(base) -> None:
    verdict = verdict_of(BASE, base)
    assert verdict.relation is Relation.SAME_WEIGHTS
    assert verdict.shared_fraction == 1.0
    assert verdict.transforms == ()


def test_renamed_keys_change_nothing_and_the_rename_map_is_right(base) -> None:
    verdict = verdict_of(w.renamed(BASE), base)
    assert verdict.relation is Relation.SAME_WEIGHTS
    assert transform(verdict, "renamed").figures["renamed"] == len(BASE)
    assert {(line.repo_tensor, line.match_tensor) for line in verdict.rename_map} == {
        (f"llm.blk.{name[::-1]}", name) for name in BASE
    }


@pytest.mark.parametrize("dtype", ["BF16", "F16", "F64"])
def test_a_cast_is_the_same_weights(base, dtype: str) -> None:
    verdict = verdict_of(BASE, base, dtype=dtype)
    assert verdict.relation is Relation.SAME_WEIGHTS
    assert transform(verdict, "cast").figures == {f"F32 → {dtype}": 12}


def test_a_copy_rounded_to_bf16_and_saved_wide_again_is_the_same_weights(base) -> None:
    import ml_dtypes

    rounded = {n: v.astype(ml_dtypes.bfloat16).astype(np.float32) for n, v in BASE.items()}
    assert verdict_of(rounded, base).relation is Relation.SAME_WEIGHTS


def test_the_llama3_v_case_noise_renaming_and_bf16(base) -> None:
    verdict = verdict_of(w.renamed(w.noised(BASE, SIGMA)), base, dtype="BF16")
    assert verdict.relation is Relation.DERIVED
    assert verdict.direction is Direction.UNKNOWN
    figures = transform(verdict, "noised").figures
    assert figures["sigma_low"] <= SIGMA <= figures["sigma_high"]
    assert figures["one_scalar"] == 1
    assert "stolen" not in verdict.sentence
    assert (
        transform(verdict, "renamed").figures["renamed"]
        == transform(verdict, "renamed").figures["matched"]
    )


@pytest.mark.parametrize("strength", [0.0005, 0.002, 0.01])
def test_undeclared_training_is_related_never_derived(base, strength: float) -> None:
    verdict = verdict_of(w.trained(BASE, strength), base)
    assert verdict.relation is Relation.RELATED
    assert "training" in (verdict.reason or "")


def test_declared_training_is_derived_and_said_to_be_declared(base) -> None:
    verdict = verdict_of(w.trained(BASE, 0.002), base, bases=("Acme/Original",))
    assert verdict.relation is Relation.DERIVED
    assert verdict.declared
    assert verdict.direction is Direction.REPO_FROM_MATCH
    assert transform(verdict, "fine_tuned").figures["z"] > 5
    assert "declares" in verdict.sentence


def test_two_undeclared_children_of_one_unread_base_are_at_most_related() -> None:
    one = w.fingerprint(w.trained(BASE, 0.002, seed=10), "bo/one")
    two = w.fingerprint(w.trained(BASE, 0.002, seed=11), "cy/two")
    assert compare(one, two).verdict.relation is Relation.RELATED


def test_two_quantised_children_of_one_unread_base_are_at_most_related() -> None:
    eight = w.fingerprint(w.int8(BASE), "bo/eight")
    finer = w.fingerprint({n: w.on_grid(v, 100) if v.ndim == 2 else v for n, v in BASE.items()})
    assert compare(eight, finer).verdict.relation is Relation.RELATED


def test_a_known_older_base_that_explains_everything_is_named(base) -> None:
    one = w.fingerprint(w.trained(BASE, 0.002, seed=10), "bo/one", bases=("acme/original",))
    two = w.fingerprint(w.trained(BASE, 0.002, seed=11), "cy/two", bases=("acme/original",))
    verdict = compare(two, one, others=[base]).verdict
    assert verdict.relation is Relation.SHARED_BASE
    assert verdict.explained_by == "acme/original"
    assert "acme/original" in verdict.sentence


def test_a_noisy_copy_of_a_child_is_not_explained_by_the_base(base) -> None:
    child = w.trained(BASE, 0.003, seed=10)
    original = w.fingerprint(child, "bo/child", bases=("acme/original",))
    copy = w.fingerprint(w.renamed(w.noised(child, SIGMA)), "mallory/copy")
    verdict = compare(copy, original, others=[base]).verdict
    assert verdict.relation is Relation.DERIVED
    assert verdict.explained_by is None


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7])
def test_a_merge_with_a_stranger_is_at_most_related_from_both_sides(base, share: float) -> None:
    merged = w.fingerprint(w.mixed(BASE, w.strangers(9), share), "dee/merge")
    assert compare(merged, base).verdict.relation in {Relation.RELATED, Relation.UNRELATED}
    assert compare(base, merged).verdict.relation in {Relation.RELATED, Relation.UNRELATED}


@pytest.mark.parametrize("correlation", [0.3, 0.44, 0.7])
def test_two_trainings_from_one_start_are_at_most_related(base, correlation: float) -> None:
    twin = w.mixed(BASE, w.strangers(8), correlation)
    scale = np.sqrt(correlation**2 + (1 - correlation) ** 2)
    twin = {name: value / np.float32(scale) for name, value in twin.items()}
    assert verdict_of(twin, base).relation in {Relation.RELATED, Relation.UNRELATED}


def test_int8_is_quantised_and_related_since_it_could_hide_a_light_training(base) -> None:
    verdict = verdict_of(w.int8(BASE), base)
    assert verdict.relation is Relation.RELATED
    assert "can hide a light training" in (verdict.reason or "")
    assert transform(verdict, "quantised").figures["side"] == "repo"
    assert {each.name for each in verdict.transforms} == {"quantised"}


@pytest.mark.parametrize("change", [w.int8, lambda weights: w.pruned(weights, 0.5)])
def test_a_coarse_change_that_is_declared_is_derived(base, change) -> None:
    verdict = verdict_of(change(BASE), base, bases=("acme/original",))
    assert verdict.relation is Relation.DERIVED
    assert verdict.declared


@pytest.mark.parametrize("strength", [0.0003, 0.002])
@pytest.mark.parametrize(
    "change",
    [
        w.int8,
        lambda weights: w.pruned(weights, 0.3),
        lambda weights: {n: w.on_grid(v, 7) if v.ndim == 2 else v for n, v in weights.items()},
        lambda weights: {
            n: v * (1 + 0.1 * np.random.default_rng(3).normal(size=v.shape).astype(np.float32))
            for n, v in weights.items()
        },
    ],
    ids=["int8", "pruned", "int4", "noise in proportion"],
)
def test_a_coarsely_changed_sibling_of_an_unread_base_is_at_most_related(change, strength) -> None:
    one = w.fingerprint(change(w.trained(BASE, strength, seed=10)), "bo/one")
    two = w.fingerprint(w.trained(BASE, strength, seed=11), "cy/two")
    for verdict in (compare(one, two).verdict, compare(two, one).verdict):
        assert verdict.relation is Relation.RELATED


def test_pruning_is_told_by_its_zeros(base) -> None:
    verdict = verdict_of(w.pruned(BASE, 0.5), base)
    assert verdict.relation is Relation.RELATED
    assert transform(verdict, "pruned").figures["zeros"] == pytest.approx(0.5, abs=0.01)


def test_training_hidden_in_part_of_a_noised_model_is_still_seen(base) -> None:
    half = {n: v for n, v in w.trained(BASE, 0.01).items() if int(n.split(".")[1]) < 6}
    weights = w.noised(BASE, SIGMA) | half
    assert verdict_of(weights, base).relation is Relation.RELATED


def test_light_noise_under_the_format_s_rounding_is_not_called_anything_more(base) -> None:
    verdict = verdict_of(w.noised(BASE, 1e-5), base, dtype="BF16")
    assert verdict.relation in {Relation.RELATED, Relation.SAME_WEIGHTS}


def test_few_changed_tensors_cannot_carry_a_claim_of_noise(base) -> None:
    noised = w.noised(BASE, SIGMA)
    few = BASE | {name: noised[name] for name in list(BASE)[:6]}
    verdict = verdict_of(few, base)
    assert verdict.relation is Relation.RELATED
    assert "Only 3 changed" in (verdict.reason or "")


def test_rows_added_to_a_tensor_are_reported(base) -> None:
    extended = dict(BASE)
    extended["layers.0.weight"] = np.vstack(
        [BASE["layers.0.weight"], np.ones((8, 256), np.float32)]
    )
    verdict = verdict_of(extended, base)
    assert verdict.relation is Relation.SAME_WEIGHTS
    assert transform(verdict, "vocab_extended").figures["rows_added"] == 8


def test_a_negated_tensor_is_matched_and_marked(base) -> None:
    negated = BASE | {"layers.0.weight": -BASE["layers.0.weight"]}
    verdict = verdict_of(negated, base)
    marked = [line.repo_tensor for line in verdict.rename_map if line.negated]
    assert marked == ["layers.0.weight"]


def test_a_whole_model_inside_a_larger_stranger_is_a_shared_part(base) -> None:
    tower = {f"tower.{name}": value for name, value in BASE.items()}
    verdict = verdict_of(w.strangers(5, layers=20) | tower, base)
    assert verdict.relation is Relation.SHARES_PARTS
    assert verdict.shared_fraction == pytest.approx(12 / 32)
    assert verdict.direction is Direction.UNKNOWN


def test_some_layers_in_a_larger_stranger_may_both_be_a_third_models(base) -> None:
    tower = {f"tower.{n}": v for n, v in BASE.items() if int(n.split(".")[1]) < 4}
    verdict = verdict_of(w.strangers(5, layers=20) | tower, base)
    assert verdict.relation is Relation.RELATED
    assert "A common base that nobody declared" in (verdict.reason or "")


@pytest.mark.parametrize("seed", range(3))
def test_strangers_are_never_claimed(base, seed: int) -> None:
    verdict = verdict_of(w.strangers(100 + seed), base)
    assert verdict.relation is Relation.UNRELATED
    assert verdict.relation not in CLAIMS
    assert verdict.rename_map == ()


def test_shuffled_values_and_equal_statistics_are_strangers(base) -> None:
    rng = np.random.default_rng(4)
    shuffled = {n: rng.permutation(v.ravel()).reshape(v.shape) for n, v in BASE.items()}
    assert verdict_of(shuffled, base).relation is Relation.UNRELATED


def test_too_few_evidence_tensors_are_insufficient_never_clean(base) -> None:
    tiny = {"a": BASE["layers.0.weight"], "b": BASE["layers.1.weight"]}
    verdict = verdict_of(tiny, base)
    assert verdict.relation is Relation.INSUFFICIENT
    assert "Too few views" in (verdict.reason or "")
    nothing = verdict_of({"bias": np.ones(8, np.float32)}, base)
    assert nothing.relation is Relation.INSUFFICIENT
    assert "No tensor of mallory/upload can be evidence" in (nothing.reason or "")


def test_insufficient_says_what_became_of_the_tensors(base) -> None:
    size = (256, 256)
    broken = {f"nan.{n}": np.full(size, np.nan, np.float32) for n in range(3)}
    broken |= {"zero": np.zeros(size, np.float32), "eye": np.eye(256, dtype=np.float32)}
    reason = verdict_of(broken, base).reason or ""
    assert "3 × not finite" in reason
    assert "1 × all zero" in reason
    assert "1 × follows a formula (identity)" in reason


def test_the_verdict_survives_a_round_trip_through_json(base) -> None:
    verdict = verdict_of(w.noised(BASE, SIGMA), base)
    assert Verdict.model_validate_json(verdict.model_dump_json()) == verdict


@pytest.mark.parametrize("factor", [0.99, 0.998])
def test_a_fine_tune_with_weight_decay_is_not_called_the_same_weights(base, factor) -> None:
    decayed = {n: v * np.float32(factor) for n, v in w.trained(BASE, 0.0005).items()}
    assert verdict_of(decayed, base).relation is Relation.RELATED


def test_a_factor_alone_is_the_same_weights(base) -> None:
    doubled = {n: v * 2 if v.ndim == 2 else v for n, v in BASE.items()}
    verdict = verdict_of(doubled, base)
    assert verdict.relation is Relation.SAME_WEIGHTS
    assert transform(verdict, "scaled").figures["factor_low"] == pytest.approx(2)


def test_all_tensors_negated_are_the_same_weights(base) -> None:
    assert verdict_of({n: -v for n, v in BASE.items()}, base).relation is Relation.SAME_WEIGHTS


def test_a_training_smaller_than_the_cast_that_hides_it_is_not_the_same_weights(base) -> None:
    fine = w.fingerprint(w.noised(BASE, 4e-5), "bo/fine")
    verdict = compare(fine, w.fingerprint(BASE, "acme/original", dtype="BF16")).verdict
    assert verdict.relation is Relation.RELATED
    assert "number format resolves" in (verdict.reason or "")


def test_a_new_head_on_a_shared_frozen_model_is_not_the_same_weights(base) -> None:
    one = w.strangers(20, layers=1)
    headed = BASE | {"head": one["layers.0.weight"]}
    other = BASE | {"head": w.strangers(21, layers=1)["layers.0.weight"]}
    verdict = compare(w.fingerprint(headed, "bo/one"), w.fingerprint(other, "cy/two")).verdict
    assert verdict.relation is Relation.RELATED
    assert verdict.direction is Direction.UNKNOWN


def test_a_base_published_again_and_its_child_with_a_head_are_no_more_than_related(base) -> None:
    headed = BASE | {"head": w.strangers(20, layers=1)["layers.0.weight"]}
    verdict = compare(w.fingerprint(headed, "cy/classifier"), base).verdict
    assert verdict.relation is Relation.RELATED
    assert "A common base that nobody declared" in (verdict.reason or "")


def test_a_chain_does_not_make_the_youngest_a_base_of_both() -> None:
    thief = w.trained(BASE, 0.002, seed=10)
    original = w.fingerprint(BASE, "acme/original")
    child = w.fingerprint(w.trained(thief, 0.002, seed=11), "dee/child", bases=("mallory/x",))
    middle = w.fingerprint(thief, "mallory/x")
    verdict = compare(original, child, others=[middle]).verdict
    assert verdict.relation is Relation.RELATED


def test_light_noise_on_a_model_stored_partly_in_fp8_is_answered(base) -> None:
    names = [name for name, value in BASE.items() if value.ndim == 2]
    arrays = {
        name: (value, "F8_E4M3" if name in names[:5] else "F32")
        for name, value in w.noised(BASE, 2e-5).items()
    }
    suspect = take(MemoryCheckpoint(arrays))
    assert compare(suspect, base).verdict.relation is Relation.RELATED
