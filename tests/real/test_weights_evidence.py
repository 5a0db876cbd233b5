"""What is shown of real weights that were renamed, cut, repeated and reordered layer by layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from demo.cast import SIGMA, foreign_name, original_folder

from kinprint.lineage.compare import compare
from kinprint.lineage.evidence.weights.layer_transforms import layer_transforms
from kinprint.lineage.evidence.weights.weights import weights_evidence
from kinprint.lineage.matching import Matching
from kinprint.lineage.verdict import Relation
from real import variants
from real.reading import fingerprint_of_folder

if TYPE_CHECKING:
    from collections.abc import Callable

    from kinprint.fingerprint.record import Fingerprint
    from kinprint.lineage.evidence.record import WeightsEvidence
    from kinprint.lineage.verdict import Transform
    from real.reading import Read


@pytest.fixture(scope="module")
def known() -> Fingerprint:
    return fingerprint_of_folder(original_folder())


def shown(
    repo: Fingerprint, match: Fingerprint
) -> tuple[WeightsEvidence, dict[str, Transform], Relation]:
    matching = Matching(repo, match)
    verdict = compare(repo, match).verdict
    evidence = weights_evidence(matching, verdict.rename_map, relation=verdict.relation)
    transforms = layer_transforms(evidence.stacks, matching)
    return evidence, {each.name: each for each in transforms}, verdict.relation


def with_layers(weights: variants.Weights, layers: tuple[int, ...]) -> variants.Weights:
    """The original's layers in the order given, numbered anew."""
    rest = {name: tensor for name, tensor in weights.items() if ".layer." not in name}
    stack = {
        name.replace(f".layer.{old}.", f".layer.{new}."): tensor.clone()
        for new, old in enumerate(layers)
        for name, tensor in weights.items()
        if f".layer.{old}." in name
    }
    return {**rest, **stack}


LAYERS: dict[str, tuple[tuple[int, ...], tuple[str, ...], dict[str, int], dict[str, str]]] = {
    "four of six kept": (
        (0, 1, 3, 5),
        ("in_order", "dropped"),
        {"dropped": 2},
        {
            "encoder.layer.{n=0…1}.{…}": "encoder.layer.{n}.{…}",
            "encoder.layer.2.{…}": "encoder.layer.3.{…}",
            "encoder.layer.3.{…}": "encoder.layer.5.{…}",
        },
    ),
    "one repeated": (
        (0, 1, 2, 2, 3, 4, 5),
        ("in_order", "repeated"),
        {"repeated": 1, "places": 2},
        {},
    ),
    "reversed": (
        (5, 4, 3, 2, 1, 0),
        ("moved",),
        {"moved": 5},
        {f"encoder.layer.{n}.{{…}}": f"encoder.layer.{5 - n}.{{…}}" for n in range(6)},
    ),
}


@pytest.mark.parametrize("change", LAYERS)
def test_layers_are_told_by_what_is_in_them(
    change: str, original: variants.Weights, known: Fingerprint, read: Read
) -> None:
    layers, order, figures, rules = LAYERS[change]
    evidence, transforms, _ = shown(read(with_layers(original, layers)), known)
    (stack,) = evidence.stacks
    assert stack.repo_stack == stack.match_stack == "encoder.layer.{n}"
    assert (stack.repo_layers, stack.match_layers) == (len(layers), 6)
    assert stack.pairs == tuple(enumerate(layers))
    assert stack.order == order
    (transform,) = transforms.values()
    assert {name: transform.figures[name] for name in figures} == figures
    told = {rule.repo_pattern: rule.match_pattern for rule in evidence.rules}
    assert {pattern: told.get(pattern) for pattern in rules} == rules
    assert evidence.unmatched_repo == ()


def test_another_scheme_under_a_foreign_prefix_is_told_in_a_few_rules(
    original: variants.Weights, known: Fingerprint, read: Read
) -> None:
    renamed = read(variants.renamed(original))
    evidence, transforms, relation = shown(renamed, known)
    assert relation is Relation.SAME_WEIGHTS
    told = {rule.repo_pattern: rule.match_pattern for rule in evidence.rules}
    query = "omni.llm.blocks.{n}.attn.q_proj.{…}"
    assert told[query] == "encoder.layer.{n}.attention.self.query.{…}"
    assert len(told) <= 16
    assert transforms == {}
    (stack,) = evidence.stacks
    assert (stack.repo_stack, stack.order) == ("omni.llm.blocks.{n}", ("in_order",))
    assert [(each.module, each.relation) for each in evidence.modules] == [
        ("", Relation.SAME_WEIGHTS)
    ]
    for cell in evidence.repo_tensors:
        if cell.partner is not None and cell.standing == "evidence":
            assert cell.name == foreign_name(evidence.match_tensors[cell.partner].name)
    assert evidence.explained > 0.99


def test_a_shortened_copy_in_another_scheme_and_under_noise_is_still_told(
    original: variants.Weights, known: Fingerprint, read: Read
) -> None:
    kept = with_layers(original, (0, 1, 3, 5))
    evidence, transforms, relation = shown(
        read(variants.noised(variants.renamed(kept), SIGMA)), known
    )
    told = {rule.repo_pattern: rule.match_pattern for rule in evidence.rules}
    first = "omni.llm.blocks.{n=0…1}.attn.q_proj.{…}"
    assert told[first] == "encoder.layer.{n}.attention.self.query.{…}"
    second = "omni.llm.blocks.2.attn.q_proj.{…}"
    assert told[second] == "encoder.layer.3.attention.self.query.{…}"
    (stack,) = evidence.stacks
    assert stack.pairs == ((0, 0), (1, 1), (2, 3), (3, 5))
    assert transforms["layers_dropped"].figures["dropped"] == 2
    assert [each.relation for each in evidence.modules] == [relation]
    assert len(evidence.exceptions) <= 8


def test_a_prefix_alone_is_one_rule(
    original: variants.Weights, known: Fingerprint, read: Read
) -> None:
    prefixed = read({f"llm.{name}": tensor for name, tensor in original.items()})
    evidence, _, _ = shown(prefixed, known)
    assert (evidence.rules[0].repo_pattern, evidence.rules[0].match_pattern) == ("llm.{…}", "{…}")
    assert sum(rule.tensors for rule in evidence.rules[1:]) + len(evidence.exceptions) == 0


@pytest.mark.parametrize("make", [variants.shuffled, variants.redrawn])
def test_a_stranger_with_the_same_statistics_shows_nothing_in_common(
    make: Callable[[variants.Weights], variants.Weights],
    original: variants.Weights,
    known: Fingerprint,
    read: Read,
) -> None:
    evidence, transforms, relation = shown(read(make(original)), known)
    assert relation is Relation.UNRELATED
    assert (evidence.rules, evidence.stacks, transforms, evidence.explained) == ((), (), {}, 0.0)
    assert {each.origin for each in evidence.modules} == {None}
