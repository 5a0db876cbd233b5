"""Modules by where they come from, and the whole section of what the weights say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import weights as w
from kinprint.lineage.compare import compare
from kinprint.lineage.evidence.weights.modules import module_origins
from kinprint.lineage.evidence.weights.weights import weights_evidence
from kinprint.lineage.matching import Matching
from kinprint.lineage.verdict import Relation
from kinprint.lineage.wording import name_of
from synthetic_fingerprints import relative, synthetic


def drawn(seed, names, size=256):
    rng = np.random.default_rng(seed)
    return {name: rng.normal(0, 0.05, (size, size)).astype(np.float32) for name in names}


def tower(prefix, layers=4):
    return [f"{prefix}.{layer}.{part}.weight" for layer in range(layers) for part in ("q", "up")]


SIGLIP = drawn(1, tower("vision_model.encoder.layers"))
LLAMA = drawn(2, ["model.embed.weight", *tower("model.layers"), "lm_head.weight"])
PROJECTOR = drawn(3, ["projector.0.weight", "projector.2.weight"])


def vlm(vision=SIGLIP, language=LLAMA, projector=PROJECTOR):
    return {
        **{f"vpm.{name}": value for name, value in vision.items()},
        **{f"llm.{name}": value for name, value in language.items()},
        **projector,
    }


NOISY = vlm(language=w.noised(LLAMA, 0.003))
PRINTS = {
    "noisy": w.fingerprint(NOISY, "acme/noisy"),
    "siglip": w.fingerprint(SIGLIP, "goo/siglip"),
    "llama": w.fingerprint(LLAMA, "meta/llama"),
    "vlm": w.fingerprint(vlm(), "acme/vlm"),
    "stranger": w.fingerprint(drawn(9, SIGLIP), "some/one"),
}


def origins(weights, main, *others, relation=None):
    repo = w.fingerprint(weights)
    found = module_origins(
        Matching(repo, PRINTS[main]),
        [(name, Matching(repo, PRINTS[name])) for name in others],
        relation=relation,
    )
    return {each.module: each for each in found}


def brief(found):
    return {name: (each.origin, each.relation.value) for name, each in found.items()}


def test_a_vlm_is_told_by_its_parts() -> None:
    language = w.trained(LLAMA, 0.005)
    found = origins(vlm(language=language, projector=drawn(7, PROJECTOR)), "llama", "siglip")
    assert brief(found) == {
        "vpm": ("siglip", "same_weights"),
        "llm": ("meta/llama", "related"),
        "projector": (None, "insufficient"),
    }
    assert found["vpm"].tensors == 8
    assert found["llm"].parameters == 10 * 256 * 256
    assert [each.matched for each in found.values()] == [1.0, 1.0, 0.0]
    assert found["vpm"].median_bits == 0


def test_too_few_tensors_claim_nothing_by_themselves() -> None:
    found = origins(vlm(), "vlm")
    assert brief(found) == {
        "vpm": ("acme/vlm", "same_weights"),
        "llm": ("acme/vlm", "same_weights"),
        "projector": ("acme/vlm", "insufficient"),
    }
    assert found["projector"].matched == 1.0


def test_the_nearest_source_is_named_and_of_equals_the_smaller_one() -> None:
    assert brief(origins(NOISY, "noisy", "llama", "siglip", "stranger")) == {
        "vpm": ("siglip", "same_weights"),
        "llm": ("acme/noisy", "same_weights"),
        "projector": ("acme/noisy", "insufficient"),
    }


@pytest.mark.parametrize(
    ("whole", "said"),
    [
        (Relation.DERIVED, "derived"),
        (Relation.RELATED, "related"),
        (Relation.SHARED_BASE, "shared_base"),
        (Relation.SHARES_PARTS, "related"),
        (Relation.SAME_WEIGHTS, "related"),
        (None, "related"),
    ],
)
def test_a_changed_module_is_never_said_to_be_more_than_the_whole(whole, said) -> None:
    found = origins(NOISY, "llama", relation=whole)
    assert found["llm"].relation == said
    others = origins(NOISY, "siglip", "llama", relation=whole)
    assert others["llm"].relation == "related"


@pytest.mark.parametrize("whole", [Relation.UNRELATED, Relation.INSUFFICIENT])
def test_a_match_that_is_not_claimed_is_no_origin(whole) -> None:
    assert brief(origins(vlm(), "vlm", relation=whole)) == {
        "vpm": (None, "unrelated"),
        "llm": (None, "unrelated"),
        "projector": (None, "insufficient"),
    }


def test_a_stranger_is_no_origin() -> None:
    assert {each.origin for each in origins(vlm(), "stranger").values()} == {None}


def test_a_plain_model_is_one_module() -> None:
    assert brief(origins(LLAMA, "llama")) == {"": ("meta/llama", "same_weights")}
    renamed = {f"a.b.{name}": value for name, value in LLAMA.items()}
    assert brief(origins(renamed, "llama")) == {"": ("meta/llama", "same_weights")}


def test_a_new_head_on_a_known_body_is_shown_apart() -> None:
    found = origins({**LLAMA, **drawn(5, ["lm_head.weight"])}, "llama")
    assert brief(found) == {
        "model": ("meta/llama", "same_weights"),
        "lm_head": (None, "insufficient"),
    }


def test_a_module_of_which_only_some_tensors_match_shares_parts() -> None:
    half = {**LLAMA, **drawn(6, tower("model.layers", 1))}
    found = origins(half, "llama")
    assert brief(found) == {"": ("meta/llama", "shares_parts")}
    assert found[""].matched == pytest.approx(0.8)


def test_what_is_said_of_the_only_module_is_what_the_verdict_says() -> None:
    assert brief(origins(LLAMA, "llama", relation=Relation.SHARED_BASE)) == {
        "": ("meta/llama", "shared_base")
    }


def test_a_repeated_layer_comes_from_where_the_layer_comes_from() -> None:
    again = {
        f"model.layers.4.{part}.weight": LLAMA[f"model.layers.1.{part}.weight"]
        for part in ("q", "up")
    }
    found = origins({**LLAMA, **again}, "llama")
    assert found[""].matched == 1.0
    assert found[""].relation is Relation.SHARES_PARTS


def test_layers_are_never_shown_as_modules() -> None:
    layers = {name: LLAMA[name] for name in tower("model.layers")}
    found = origins({**layers, **drawn(6, tower("model.layers", 1))}, "llama")
    assert list(found) == [""]
    assert found[""].matched == pytest.approx(0.75)


def test_names_without_structure_are_one_module() -> None:
    flat = {f"p{number:03d}": value for number, value in enumerate(vlm().values())}
    assert list(origins(flat, "vlm")) == [""]


def test_every_evidence_tensor_is_in_one_module() -> None:
    found = origins(vlm(), "llama", "siglip")
    assert sum(each.tensors for each in found.values()) == 20


def section(a, b, others=()):
    matching = Matching(a, b)
    verdict = compare(a, b).verdict
    evidence = weights_evidence(
        matching,
        verdict.rename_map,
        [(name_of(each), Matching(a, each)) for each in others],
        relation=verdict.relation,
    )
    return evidence, verdict


def test_both_sides_are_shown_tensor_by_tensor_in_checkpoint_order() -> None:
    base = {**w.strangers(0, layers=4), "eye": np.eye(256), "tiny": np.ones((3, 3))}
    repo = {"new": drawn(4, ["new"])["new"], **{f"x.{n}": base[n] for n in reversed(list(base))}}
    evidence, _ = section(w.fingerprint(repo), w.fingerprint(base))
    assert [cell.name for cell in evidence.repo_tensors] == list(repo)
    assert [cell.name for cell in evidence.match_tensors] == list(base)
    for cell in evidence.repo_tensors:
        if cell.partner is not None:
            partner = evidence.match_tensors[cell.partner]
            assert cell.name == f"x.{partner.name}"
            assert evidence.repo_tensors[partner.partner] == cell
            assert cell.hamming_bits == partner.hamming_bits == 0
    standing = {cell.name: cell.standing for cell in evidence.repo_tensors}
    assert standing["x.eye"] == "generated"
    assert standing["x.tiny"] == "not_compared"
    assert standing["x.layers.0.norm"] == "support"
    assert standing["x.layers.0.weight"] == standing["new"] == "evidence"
    assert evidence.unmatched_repo == ("new",)
    assert evidence.unmatched_match == ()
    matched = 4 * (256 * 256 + 256)
    assert evidence.explained == pytest.approx(matched / (matched + 2 * 256 * 256 + 9))
    (rule,) = evidence.rules
    assert (rule.repo_pattern, rule.match_pattern, rule.tensors) == ("x.{…}", "{…}", 8)


def test_a_repeated_tensor_is_no_unmatched_one() -> None:
    base = w.strangers(0, layers=4)
    repo = {**base, "layers.4.weight": base["layers.1.weight"]}
    evidence, _ = section(w.fingerprint(repo), w.fingerprint(base))
    assert evidence.unmatched_repo == ()
    assert evidence.explained == 1.0
    cell = next(cell for cell in evidence.repo_tensors if cell.name == "layers.4.weight")
    assert evidence.match_tensors[cell.partner].name == "layers.1.weight"
    assert "repeated" in evidence.stacks[0].order


def test_a_tensor_that_the_match_repeats_is_shown_beside_the_one_it_was_paired_with() -> None:
    base = w.strangers(0, layers=4)
    match = {**base, "layers.4.weight": base["layers.1.weight"]}
    evidence, verdict = section(w.fingerprint(base), w.fingerprint(match))
    for pair in verdict.rename_map:
        (cell,) = (cell for cell in evidence.repo_tensors if cell.name == pair.repo_tensor)
        assert evidence.match_tensors[cell.partner].name == pair.match_tensor
    assert evidence.match_tensors[-1].partner is not None
    assert evidence.unmatched_match == ()


def test_without_a_rename_map_nothing_is_said_to_correspond() -> None:
    llama = PRINTS["llama"]
    evidence = weights_evidence(Matching(llama, llama), ())
    assert (evidence.explained, evidence.stacks) == (0, ())
    assert [each.origin for each in evidence.modules] == [None]


def test_where_nothing_is_claimed_nothing_corresponds() -> None:
    evidence, verdict = section(PRINTS["llama"], PRINTS["stranger"])
    assert verdict.relation is Relation.UNRELATED
    assert evidence.explained == 0
    assert {cell.partner for cell in (*evidence.repo_tensors, *evidence.match_tensors)} == {None}
    assert (evidence.rules, evidence.exceptions, evidence.stacks) == ((), (), ())
    assert len(evidence.unmatched_repo) == 10
    assert [each.origin for each in evidence.modules] == [None]


def test_a_model_without_evidence_has_an_empty_section() -> None:
    nothing = w.fingerprint({"bias": np.ones(4, np.float32)})
    evidence, _ = section(nothing, nothing)
    assert evidence.modules == ()
    assert evidence.explained == 0


@pytest.mark.slow
def test_twenty_thousand_tensors_with_hostile_names_are_shown_in_passing() -> None:
    rng = np.random.default_rng(0)
    base = synthetic(rng, views=200)
    hostile = [
        "7" * 900 + ".{}",
        "a.b" * 200 + "{}",
        "{{}}.[{}].{{…}}",
        "layers.{}.٣.x" + "9" * 500,
    ]
    names = [hostile[i % 4].format(i) for i in range(20_000)]
    filler = [replace(base.views[0], name=name, note="block too small") for name in names[200:]]
    views = [replace(view, name=name) for view, name in zip(base.views, names, strict=False)]
    repo = replace(base, views=(*views, *filler), parameters=10**9)
    evidence, _ = section(repo, relative(rng, repo, "acme/copy", hamming_bits=20))
    assert sum(rule.tensors for rule in evidence.rules) + len(evidence.exceptions) == 200
    assert len(evidence.repo_tensors) == 20_000
    assert sum(each.tensors for each in evidence.modules) == 200
    assert len(evidence.modules) <= 24
