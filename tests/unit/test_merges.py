"""Mixtures are found with their shares, and nothing honest is called a mixture."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import weights as w
from kinprint.errors import UsageError
from kinprint.index.store import Index
from kinprint.lineage.matching import Matching
from kinprint.lineage.merges.evidence import MAX_KIN, merge_evidence, merged_transform
from kinprint.lineage.merges.parents import merge_parents

if TYPE_CHECKING:
    from kinprint.lineage.evidence.record import MergeEvidence

pytestmark = pytest.mark.slow

DAY_0 = datetime(2026, 3, 1, tzinfo=UTC)
LAYERS, SIZE = 8, 128
BASE = w.strangers(0, layers=LAYERS, size=SIZE)
SIBLINGS = {f"acme/{i}": w.trained(BASE, 0.003 + 0.0005 * i, seed=10 + i) for i in range(6)}
FIRST, SECOND, *_ = SIBLINGS.values()


def combined(models: list[w.Weights], coefficients: list[float]) -> w.Weights:
    return {
        name: sum(
            c * model[name].astype(np.float64)
            for c, model in zip(coefficients, models, strict=True)
        ).astype(np.float32)
        for name in models[0]
    }


def spherical(first: w.Weights, second: w.Weights, t: float) -> w.Weights:
    mixed = {}
    for name, value in first.items():
        other = second[name]
        cosine = (value * other).sum() / np.linalg.norm(value) / np.linalg.norm(other)
        angle = np.arccos(min(cosine, 1.0))
        one, two = np.sin((1 - t) * angle), np.sin(t * angle)
        mixed[name] = (one * value + two * other) / np.sin(angle) if angle > 1e-3 else value
    return mixed


def layer(name: str) -> int:
    return int(name.split(".")[1])


def found(
    query: w.Weights,
    models: dict[str, w.Weights],
    *,
    base: str | None = None,
    dtype: str = "F32",
) -> MergeEvidence | None:
    asked = w.fingerprint(query, "me/mine", dtype=dtype)
    kin = {
        name: Matching(asked, w.fingerprint(weights, name, dtype=dtype))
        for name, weights in models.items()
    }
    return merge_evidence(asked, list(kin.values()), kin[base] if base else None)


def shares(evidence: MergeEvidence, module: int = 0) -> dict[str, float]:
    return {each.parent: each.coefficient.value for each in evidence.modules[module].shares}


@pytest.mark.parametrize("dtype", ["F32", "BF16"])
@pytest.mark.parametrize(
    "true",
    [[0.6, 0.4], [0.8, 0.2], [0.5, 0.3, 0.2], [0.4, 0.3, 0.2, 0.1], [0.3, 0.25, 0.2, 0.15, 0.1]],
)
def test_two_to_five_parents_are_found_with_their_shares(true: list[float], dtype: str) -> None:
    names = list(SIBLINGS)[: len(true)]
    query = combined([SIBLINGS[name] for name in names], true)
    evidence = found(query, {**SIBLINGS, "acme/base": BASE}, base="acme/base", dtype=dtype)
    assert evidence is not None
    assert evidence.kind == "linear"
    assert evidence.parents == tuple(names)
    assert shares(evidence) == pytest.approx(dict(zip(names, true, strict=True)), abs=0.003)
    assert evidence.modules[0].unexplained < 0.01


def test_nineteen_of_twenty_intervals_hold_the_true_share() -> None:
    inside = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        base = w.strangers(100 + seed, layers=LAYERS, size=SIZE)
        true = rng.dirichlet(np.full(2 + seed % 3, 6.0))
        parents = {
            f"p/{i}": w.trained(base, 0.003 * rng.uniform(0.7, 1.5), seed=1000 * seed + i)
            for i in range(len(true))
        }
        stored = {
            name: {key: as_bf16(value) for key, value in each.items()}
            for name, each in parents.items()
        }
        query = combined(list(stored.values()), list(true))
        evidence = found(query, stored, dtype="BF16")
        assert evidence is not None
        inside += [
            share.coefficient.low <= true[int(share.parent[-1])] <= share.coefficient.high
            for module in evidence.modules
            for share in module.shares
        ]
    assert len(inside) > 300
    assert 0.92 <= np.mean(inside) <= 0.98


def as_bf16(value: np.ndarray) -> np.ndarray:
    bits = np.ascontiguousarray(value, np.float32).view(np.uint32)
    rounded = bits + 0x7FFF + ((bits >> 16) & 1)
    return (rounded & 0xFFFF0000).view(np.float32)


@pytest.mark.parametrize("dtype", ["F32", "BF16"])
def test_task_arithmetic_names_the_base_and_what_was_added_of_each(dtype: str) -> None:
    query = combined([BASE, FIRST, SECOND], [-0.3, 0.8, 0.5])
    models = {**SIBLINGS, "acme/base": BASE}
    evidence = found(query, models, base="acme/base", dtype=dtype)
    assert evidence is not None
    assert (evidence.kind, evidence.base) == ("task_arithmetic", "acme/base")
    assert shares(evidence) == pytest.approx({"acme/0": 0.8, "acme/1": 0.5}, abs=0.005)
    assert evidence.sentence == (
        "A mixture of what acme/0 (0.80 ± 0.01) and acme/1 (0.50 ± 0.01) changed in acme/base."
    )


def test_task_arithmetic_without_its_base_is_not_guessed() -> None:
    assert found(combined([BASE, FIRST, SECOND], [-0.3, 0.8, 0.5]), SIBLINGS) is None


@pytest.mark.parametrize("dtype", ["F32", "BF16"])
def test_spherical_interpolation_is_told_from_a_linear_mixture(dtype: str) -> None:
    evidence = found(spherical(FIRST, SECOND, 0.3), SIBLINGS, dtype=dtype)
    assert evidence is not None
    assert evidence.kind == "slerp"
    assert shares(evidence) == pytest.approx({"acme/0": 0.7, "acme/1": 0.3}, abs=0.01)


def test_spherical_interpolation_of_strangers_is_found() -> None:
    other = w.strangers(7, layers=LAYERS, size=SIZE)
    evidence = found(spherical(BASE, other, 0.5), {"acme/a": BASE, "acme/b": other})
    assert evidence is not None
    assert evidence.kind == "slerp"
    assert shares(evidence) == pytest.approx({"acme/a": 0.707, "acme/b": 0.707}, abs=0.01)


@pytest.mark.parametrize("dtype", ["F32", "BF16"])
def test_a_layer_wise_mixture_says_which_layer_is_whose(dtype: str) -> None:
    deep = w.strangers(0, layers=12, size=SIZE)
    models = {f"acme/{i}": w.trained(deep, 0.004, seed=30 + i) for i in range(4)}
    query = {
        name: models["acme/1" if layer(name) % 2 else "acme/2"][name] for name in models["acme/0"]
    }
    evidence = found(query, models, dtype=dtype)
    assert evidence is not None
    assert evidence.kind == "layer_wise"
    assert set(evidence.parents) == {"acme/1", "acme/2"}
    assert "(50% of the parameters)" in evidence.sentence
    for module in range(1, 13):
        owner = "acme/1" if layer(f"{evidence.modules[module].module}.") % 2 else "acme/2"
        assert shares(evidence, module)[owner] == pytest.approx(1.0, abs=0.01)


def test_repeated_layers_are_found_under_their_new_numbers() -> None:
    deep = w.strangers(0, layers=12, size=SIZE)
    one, two = (w.trained(deep, 0.004, seed=40 + i) for i in range(2))
    stack = [(one, number) for number in range(9)] + [(two, number) for number in range(3, 12)]
    query = {
        f"layers.{place}.{kind}": model[f"layers.{number}.{kind}"]
        for place, (model, number) in enumerate(stack)
        for kind in ("weight", "norm")
    }
    evidence = found(query, {"acme/one": one, "acme/two": two})
    assert evidence is not None
    assert evidence.kind == "layer_wise"
    assert set(evidence.parents) == {"acme/one", "acme/two"}


def test_shares_that_change_from_layer_to_layer_are_given_layer_by_layer() -> None:
    query = {
        name: combined([{name: FIRST[name]}, {name: SECOND[name]}], [t, 1 - t])[name]
        for name in FIRST
        for t in [0.2 + 0.6 * layer(name) / (LAYERS - 1)]
    }
    evidence = found(query, SIBLINGS)
    assert evidence is not None
    assert evidence.kind == "linear"
    values = [shares(evidence, module)["acme/0"] for module in range(1, LAYERS + 1)]
    assert values == pytest.approx(np.linspace(0.2, 0.8, LAYERS), abs=0.005)
    whole = evidence.modules[0].shares[0].coefficient
    assert whole.high - whole.low > 0.1


def _chain() -> tuple[w.Weights, w.Weights]:
    """A model and its further training, half of it in the direction of the first."""
    q = w.trained(BASE, 0.003, seed=70)
    further = combined([q, BASE], [1.5, -0.5])
    return q, w.trained(further, 0.0026, seed=71)


def _honest() -> dict[str, tuple[w.Weights, dict[str, w.Weights]]]:
    mine = w.trained(BASE, 0.004, seed=50)
    children = {f"bo/{i}": w.trained(mine, 0.001, seed=60 + i) for i in range(12)}
    middle, later = _chain()
    twin = w.noised(BASE, 0.03, seed=1)
    twins = {f"bo/{i}": w.noised(BASE, 0.03, seed=2 + i) for i in range(4)}
    both = combined([BASE, FIRST, SECOND], [0.0, 0.5, 0.5])
    return {
        "a sibling": (mine, SIBLINGS),
        "a sibling of many": (
            mine,
            {f"bo/{i}": w.trained(BASE, 0.003, seed=200 + i) for i in range(20)},
        ),
        "a child": (w.trained(FIRST, 0.002, seed=51), SIBLINGS),
        "the parent of many": (mine, children),
        "the middle of a chain": (middle, {"bo/later": later, **SIBLINGS}),
        "a twin from one start": (twin, twins),
        "a noised copy": (w.noised(FIRST, 1 / 708), SIBLINGS),
        "a slightly noised copy": (w.noised(FIRST, 1e-5), SIBLINGS),
        "a copy": (FIRST, SIBLINGS),
        "a scaled copy": ({name: 0.9 * value for name, value in FIRST.items()}, SIBLINGS),
        "a quantised copy": (w.int8(FIRST), SIBLINGS),
        "a pruned copy": (w.pruned(FIRST, 0.3), SIBLINGS),
        "a stranger": (w.strangers(9, layers=LAYERS, size=SIZE), SIBLINGS),
        "trained on what two others were trained on": (w.trained(both, 0.002, seed=52), SIBLINGS),
        "a parent of a mixture": (
            mine,
            {**SIBLINGS, "bo/mixed": combined([mine, SECOND], [0.6, 0.4])},
        ),
        "a parent of two mixtures": (
            mine,
            {
                **SIBLINGS,
                "bo/mixed": combined([mine, SECOND], [0.5, 0.5]),
                "bo/three": combined([mine, FIRST, SECOND], [0.4, 0.3, 0.3]),
            },
        ),
        "a mixture trained a little further": (w.trained(both, 0.0002, seed=53), SIBLINGS),
        "one of two halves, frozen in turn": (
            {name: (FIRST if layer(name) < 4 else BASE)[name] for name in BASE},
            {"bo/all": {n: (FIRST if layer(n) < 4 else SECOND)[n] for n in BASE}},
        ),
    }


HONEST = _honest()


@pytest.mark.parametrize("dtype", ["F32", "BF16"])
@pytest.mark.parametrize("who", HONEST)
def test_no_mixture_is_claimed_of(who: str, dtype: str) -> None:
    query, models = HONEST[who]
    assert found(query, models, dtype=dtype) is None
    assert found(query, {**models, "acme/base": BASE}, base="acme/base", dtype=dtype) is None


def test_a_model_whose_child_changed_only_other_kinds_of_tensors_is_not_put_together() -> None:
    rng = np.random.default_rng(4)
    base = {
        f"layers.{number}.{kind}.weight": rng.normal(0, 0.05, (SIZE, cols)).astype(np.float32)
        for number in range(LAYERS)
        for kind, cols in (("attention", SIZE), ("feed_forward", 2 * SIZE))
    }
    changed = w.trained(base, 0.004, seed=80)
    query = {name: (changed if "attention" in name else base)[name] for name in base}
    further = {name: (query if "attention" in name else changed)[name] for name in base}
    assert found(query, {"acme/base": base, "bo/further": further}) is None
    by_layer = {name: (changed if layer(name) % 2 else base)[name] for name in base}
    evidence = found(by_layer, {"acme/a": base, "acme/b": changed})
    assert evidence is not None
    assert evidence.kind == "layer_wise"


def test_half_of_what_one_child_changed_is_not_a_mixture_of_two_parents() -> None:
    models = {**SIBLINGS, "acme/base": BASE}
    assert found(combined([BASE, FIRST], [0.5, 0.5]), models, base="acme/base") is None


def test_another_mixture_of_the_same_parents_is_not_taken_for_a_parent() -> None:
    models = {**SIBLINGS, "aa/other": combined([FIRST, SECOND], [0.3, 0.7])}
    evidence = found(combined([FIRST, SECOND], [0.5, 0.5]), models)
    assert evidence is not None
    assert set(evidence.parents) == {"acme/0", "acme/1"}


def test_a_mixture_is_not_claimed_if_most_of_the_model_is_from_elsewhere() -> None:
    mixed = combined([FIRST, SECOND], [0.5, 0.5])
    foreign = w.strangers(8, layers=3 * LAYERS, size=SIZE)
    query = {**mixed, **{f"other.{name}": value for name, value in foreign.items()}}
    assert found(query, SIBLINGS) is None
    assert found({f"other.{name}": value for name, value in mixed.items()}, SIBLINGS) is not None


@settings(max_examples=5, deadline=None)
@given(st.permutations(list(SIBLINGS)), st.sampled_from([0.25, 1.0, 8.0]), st.floats(0.15, 0.85))
def test_order_and_scale_of_the_models_change_nothing(
    order: list[str], scale: float, share: float
) -> None:
    query = combined([FIRST, SECOND], [share, 1 - share])
    plain = found(query, SIBLINGS)
    scaled = {name: {k: scale * v for k, v in SIBLINGS[name].items()} for name in order}
    moved = found({name: scale * value for name, value in query.items()}, scaled)
    assert plain is not None
    assert moved is not None
    assert set(moved.parents) == set(plain.parents)
    assert shares(moved) == pytest.approx(shares(plain), abs=1e-4)


def test_the_transform_carries_the_shares_and_the_tensors() -> None:
    evidence = found(combined([FIRST, SECOND], [0.6, 0.4]), SIBLINGS)
    assert evidence is not None
    transform = merged_transform(evidence)
    assert transform.name == "merged"
    assert transform.summary == evidence.sentence
    assert transform.summary == "A mixture of acme/0 (0.60 ± 0.01) and acme/1 (0.40 ± 0.01)."
    assert transform.figures["parent_1"] == "acme/0"
    assert transform.figures["coefficient_1"] == pytest.approx(0.6, abs=1e-4)
    assert len(transform.tensors) == LAYERS


def test_kin_of_another_query_is_refused() -> None:
    one, other = w.fingerprint(FIRST, "me/one"), w.fingerprint(SECOND, "me/other")
    with pytest.raises(UsageError, match="compared with the model asked about"):
        merge_evidence(one, [Matching(other, one)], None)


def test_nothing_is_claimed_without_candidates() -> None:
    assert merge_evidence(w.fingerprint(FIRST, "me/one"), [], None) is None


@pytest.fixture
def index(tmp_path):
    with Index.open(f"sqlite:///{tmp_path / 'kinprint.db'}") as opened:
        yield opened


def publish(index: Index, weights: w.Weights, repo: str, *, day: int = 0, **facts):
    at = DAY_0 + timedelta(days=day)
    fingerprint = w.fingerprint(weights, repo, created_at=at, **facts)
    index.add(fingerprint, seen_at=at)
    return fingerprint


def asked(index: Index, fingerprint) -> MergeEvidence | None:
    possible = merge_parents(index, fingerprint, index.candidates(fingerprint, limit=MAX_KIN))
    return merge_evidence(fingerprint, possible.kin, possible.base)


def test_parents_and_base_are_found_among_many_siblings_in_an_index(index) -> None:
    publish(index, BASE, "acme/base")
    for number in range(25):
        sibling = w.trained(BASE, 0.003, seed=300 + number)
        publish(index, sibling, f"bo/{number:02}", bases=("acme/base",))
    publish(index, w.strangers(3, layers=LAYERS, size=SIZE), "cy/stranger")
    parents = [w.trained(BASE, 0.003, seed=300 + number) for number in (7, 19)]
    query = w.fingerprint(combined([BASE, *parents], [-0.2, 0.7, 0.5]), "me/mixed")
    evidence = asked(index, query)
    assert evidence is not None
    assert (evidence.kind, evidence.base) == ("task_arithmetic", "acme/base")
    assert shares(evidence) == pytest.approx({"bo/07": 0.7, "bo/19": 0.5}, abs=0.002)


def test_parents_of_different_origin_are_found_in_an_index(index) -> None:
    other = w.strangers(3, layers=LAYERS, size=SIZE)
    publish(index, BASE, "acme/a")
    publish(index, other, "bo/b")
    evidence = asked(index, w.fingerprint(combined([BASE, other], [0.5, 0.5]), "me/mixed"))
    assert evidence is not None
    assert shares(evidence) == pytest.approx({"acme/a": 0.5, "bo/b": 0.5}, abs=0.002)


@pytest.mark.parametrize("known_by", ["card", "time"])
def test_an_extrapolation_of_a_model_does_not_make_it_a_mixture(index, known_by: str) -> None:
    publish(index, BASE, "acme/base")
    mine = publish(index, FIRST, "me/mine", day=1)
    beyond = combined([FIRST, BASE], [1.5, -0.5])
    if known_by == "card":
        publish(index, beyond, "bo/beyond", bases=("me/mine",))
    else:
        publish(index, beyond, "bo/beyond", day=5)
    possible = merge_parents(index, mine, index.candidates(mine, exclude_repo="me/mine"))
    assert [each.candidate.origin.repo for each in possible.kin] == ["acme/base"]
    assert merge_evidence(mine, possible.kin, possible.base) is None
