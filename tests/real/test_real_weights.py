"""What is said of real trained weights, and of what people do to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch
from demo.cast import SIGMA, Cast, foreign_name

from kinprint.lineage.compare import compare
from kinprint.lineage.verdict import CLAIMS, Relation
from real import variants
from real.reading import fingerprint_of_folder

if TYPE_CHECKING:
    from kinprint.fingerprint.record import Fingerprint
    from kinprint.lineage.verdict import Transform, Verdict
    from real.reading import Read

Make = Callable[[variants.Weights], variants.Weights]

UNTOUCHED: dict[str, tuple[Make, set[str]]] = {
    "saved again": (dict, set()),
    "renamed to another scheme": (variants.renamed, {"renamed"}),
    "renamed to numbers": (variants.opaquely_renamed, {"renamed"}),
    "cast to bf16": (lambda w: variants.cast_to(w, torch.bfloat16), {"cast"}),
    "cast to fp16": (lambda w: variants.cast_to(w, torch.float16), {"cast"}),
    "eight words added": (lambda w: variants.with_longer_vocabulary(w, 8), {"vocab_extended"}),
}
CHANGED_MECHANICALLY: dict[str, tuple[Make, str]] = {
    "noise of 1/708": (lambda w: variants.noised(w, SIGMA), "noised"),
    "noise of 10 %": (lambda w: variants.noised_by_share(w, 0.1), "noised"),
    "noise of 30 %": (lambda w: variants.noised_by_share(w, 0.3), "noised"),
    "int8 per row": (variants.int8_per_row, "quantised"),
    "int4 in groups of 32": (variants.int4_in_groups, "quantised"),
    "30 % pruned": (lambda w: variants.pruned(w, 0.3), "pruned"),
    "50 % pruned": (lambda w: variants.pruned(w, 0.5), "pruned"),
}


def transform(verdict: Verdict, name: str) -> Transform:
    return next(each for each in verdict.transforms if each.name == name)


def names_of_transforms(verdict: Verdict) -> set[str]:
    return {each.name for each in verdict.transforms}


def published(fingerprint: Fingerprint, repo: str, *, bases: tuple[str, ...] = ()) -> Fingerprint:
    fact = fingerprint.origin.model_copy(update={"repo": repo, "declared_bases": bases})
    return replace(fingerprint, origin=fact)


def test_the_hidden_copy_is_found_with_its_rename_map_and_its_noise(
    cast: Cast, original_print: Fingerprint
) -> None:
    verdict = compare(fingerprint_of_folder(cast.copy), original_print).verdict
    assert verdict.relation is Relation.DERIVED
    assert names_of_transforms(verdict) == {"renamed", "cast", "noised"}
    evidence = [pair for pair in verdict.rename_map if not pair.support]
    assert len(evidence) == 39
    assert all(pair.repo_tensor == foreign_name(pair.match_tensor) for pair in evidence)
    figures = transform(verdict, "noised").figures
    low, sigma, high = (float(figures[key]) for key in ("sigma_low", "sigma", "sigma_high"))
    assert low <= SIGMA <= high
    assert sigma * 0.98 <= low
    assert high <= sigma * 1.02


@pytest.mark.parametrize("variant", UNTOUCHED)
def test_untouched_values_are_the_same_weights_whatever_they_are_called(
    variant: str, original: variants.Weights, original_print: Fingerprint, read: Read
) -> None:
    make, expected = UNTOUCHED[variant]
    verdict = compare(read(make(original)), original_print).verdict
    assert verdict.relation is Relation.SAME_WEIGHTS
    assert names_of_transforms(verdict) == expected


@pytest.mark.parametrize("variant", CHANGED_MECHANICALLY)
def test_changes_are_named_and_only_noise_of_one_scalar_is_more_than_related(
    variant: str, original: variants.Weights, original_print: Fingerprint, read: Read
) -> None:
    make, expected = CHANGED_MECHANICALLY[variant]
    verdict = compare(read(make(original)), original_print).verdict
    one_scalar = variant == "noise of 1/708"
    assert verdict.relation is (Relation.DERIVED if one_scalar else Relation.RELATED)
    assert names_of_transforms(verdict) == {expected}


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_noise_in_proportion_to_each_tensor_is_measured_as_such(
    share: float, original: variants.Weights, original_print: Fingerprint, read: Read
) -> None:
    verdict = compare(read(variants.noised_by_share(original, share)), original_print).verdict
    figures = transform(verdict, "noised").figures
    assert float(figures["sigma_relative"]) == pytest.approx(share, rel=0.1)
    assert figures["one_scalar"] == 0


def test_a_model_without_two_of_its_layers_may_share_them_with_a_third(
    original: variants.Weights, original_print: Fingerprint, read: Read
) -> None:
    verdict = compare(read(variants.without_layers(original, (2, 4))), original_print).verdict
    assert verdict.relation is Relation.RELATED
    assert names_of_transforms(verdict) == {"renamed"}


def test_half_a_model_mixed_with_a_stranger_is_no_copy(
    original: variants.Weights,
    stranger: variants.Weights,
    original_print: Fingerprint,
    read: Read,
) -> None:
    verdict = compare(read(variants.merged(original, stranger, 0.5)), original_print).verdict
    assert verdict.relation is Relation.RELATED


@pytest.mark.parametrize("declared", [True, False])
def test_an_honest_child_is_derived_if_it_says_so_and_otherwise_only_related(
    declared: bool, child_print: Fingerprint, original_print: Fingerprint
) -> None:
    parent = published(original_print, "acme/parent")
    bases = ("acme/parent",) if declared else ()
    verdict = compare(published(child_print, "birch/child", bases=bases), parent).verdict
    assert verdict.relation is (Relation.DERIVED if declared else Relation.RELATED)
    assert verdict.declared is declared
    assert "fine_tuned" in names_of_transforms(verdict)


@pytest.mark.parametrize("make", [variants.shuffled, variants.redrawn])
def test_a_stranger_with_the_same_statistics_is_left_alone(
    make: Make,
    original: variants.Weights,
    original_print: Fingerprint,
    read: Read,
) -> None:
    verdict = compare(read(make(original)), original_print).verdict
    assert verdict.relation is Relation.UNRELATED
    assert verdict.ln_e < 0


@pytest.mark.parametrize("make", [dict, variants.renamed])
def test_an_independently_trained_model_of_the_same_shape_is_left_alone(
    make: Make,
    stranger: variants.Weights,
    original_print: Fingerprint,
    child_print: Fingerprint,
    read: Read,
) -> None:
    other = read(make(stranger))
    for known in (original_print, child_print):
        verdict = compare(other, known).verdict
        assert verdict.relation not in CLAIMS
        assert verdict.ln_e < 0
