"""A comparison with its evidence: all from one verdict, and never more than it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest

import weights as w
from kinprint.checkpoints.documents import Document, Documents
from kinprint.checkpoints.tensors import Visibility
from kinprint.fingerprint.deep import read_deep
from kinprint.fingerprint.take import take
from kinprint.lineage.evidence.record import ChangeKind, Comparison
from kinprint.lineage.explain import Beside, explain
from kinprint.lineage.matching import Matching
from kinprint.lineage.verdict import Direction, Interval, Relation
from kinprint.service.discretion import discreet_comparison
from memory_checkpoint import MemoryCheckpoint

if TYPE_CHECKING:
    from kinprint.fingerprint.deep import DeepReading
    from kinprint.fingerprint.record import Fingerprint

BASE = w.strangers(0)
DAY_0 = datetime(2026, 3, 1, tzinfo=UTC)
DAY_5 = DAY_0 + timedelta(days=5)
COPY = w.renamed(w.noised(BASE, 1 / 708, seed=3))


def texts(config: str | None = None, card: str | None = None) -> Documents:
    return Documents(
        *(
            Document(reason="missing") if text is None else Document(text.encode())
            for text in (config, card)
        )
    )


def test_every_section_of_a_copy_says_the_same_as_the_verdict() -> None:
    found = explain(w.fingerprint(COPY, "mallory/copy"), w.fingerprint(BASE, "acme/original"))
    assert found.verdict.relation is Relation.DERIVED
    evidence = found.evidence
    assert evidence.weights is not None
    assert evidence.weights.explained == pytest.approx(1.0)
    assert evidence.change is not None
    assert evidence.change.kind is ChangeKind.ADDED_NOISE
    assert evidence.tree is not None
    assert {node.name for node in evidence.tree.nodes} == {"mallory/copy", "acme/original"}
    assert evidence.timeline is not None
    assert evidence.timeline.order == "cannot_tell"
    assert evidence.merge is None
    assert Comparison.model_validate_json(found.model_dump_json()) == found


def test_of_strangers_no_section_claims_anything() -> None:
    found = explain(w.fingerprint(w.strangers(1), "cy/a"), w.fingerprint(BASE, "acme/b"))
    assert found.verdict.relation is Relation.UNRELATED
    assert found.verdict.transforms == ()
    assert found.evidence.change is None
    assert found.evidence.weights is not None
    assert found.evidence.weights.rules == ()
    assert found.evidence.weights.explained == 0.0


def test_a_merge_of_two_siblings_is_found_with_its_shares() -> None:
    one, two = w.trained(BASE, 0.01, seed=20), w.trained(BASE, 0.01, seed=21)
    base = w.fingerprint(BASE, "acme/base")
    mixed = w.fingerprint(w.mixed(one, two, 0.6), "dee/mixed", bases=("bo/one", "cy/two"))
    found = explain(
        mixed,
        w.fingerprint(one, "bo/one", bases=("acme/base",)),
        [w.fingerprint(two, "cy/two", bases=("acme/base",)), base],
        Beside(intervals=(Interval(not_before=DAY_5), Interval(not_after=DAY_0))),
    )
    assert found.evidence.merge is not None
    shares = {
        share.parent: share.coefficient.value for share in found.evidence.merge.modules[0].shares
    }
    assert shares == pytest.approx({"bo/one": 0.6, "cy/two": 0.4}, abs=0.02)
    assert "merged" in {each.name for each in found.verdict.transforms}


def test_texts_stand_beside_the_measurement_and_a_missing_one_is_named() -> None:
    card = "# Ours\n\nThis model was trained from scratch.\n"
    found = explain(
        w.fingerprint(COPY, "mallory/copy"),
        w.fingerprint(BASE, "acme/original"),
        beside=Beside(documents=(texts(config='{"hidden_size": 256}', card=card), texts())),
    )
    assert [each.code for each in found.evidence.declarations] == ["trained_from_scratch"]
    assert found.evidence.config is None
    assert found.evidence.missing["config"] == "missing"


def deep_of(
    mine: w.Weights, theirs: w.Weights, dtype: str = "F32"
) -> tuple[Fingerprint, Fingerprint, DeepReading]:
    first = MemoryCheckpoint({name: (value, dtype) for name, value in mine.items()})
    second = MemoryCheckpoint({name: (value, dtype) for name, value in theirs.items()})
    a, b = take(first), take(second)
    return a, b, read_deep(first, a, second, b, Matching(a, b).accepted)


def test_reading_both_again_narrows_sigma_and_keeps_the_claim() -> None:
    a, b, deep = deep_of(COPY, BASE)
    found = explain(a, b, beside=Beside(deep=deep))
    change = found.evidence.change
    assert found.verdict.relation is Relation.DERIVED
    assert change is not None
    assert (change.depth, change.kind) == ("deep", ChangeKind.ADDED_NOISE)
    assert change.sigma is not None
    assert change.sigma.low <= 1 / 708 <= change.sigma.high


def test_cells_that_show_a_training_take_back_what_sketches_claimed() -> None:
    _, b, deep = deep_of(w.trained(BASE, 0.002, seed=9), BASE)
    # The sketches of a copy, and the cells of a fine-tune: the cells are believed.
    copy = take(MemoryCheckpoint(w.noised(BASE, 1 / 708, seed=3)))
    assert explain(copy, b).verdict.relation is Relation.DERIVED
    found = explain(copy, b, beside=Beside(deep=deep))
    assert found.verdict.relation is Relation.RELATED
    assert found.verdict.direction is Direction.UNKNOWN
    assert (found.verdict.reason or "").startswith("Reading 64 rows of both:")


def test_of_a_gated_model_no_contents_are_shown() -> None:
    gated = w.fingerprint(COPY, "shut/model", visibility=Visibility.GATED)
    documents = (texts(card="# Ours\n\nTrained from scratch.\n"), texts())
    found = explain(gated, w.fingerprint(BASE, "acme/original"), beside=Beside(documents=documents))
    shown = discreet_comparison(found)
    assert shown.verdict.relation is found.verdict.relation
    assert shown.verdict.rename_map == ()
    assert shown.evidence.weights is None
    assert shown.evidence.change is None
    assert shown.evidence.declarations == ()
    assert "gated" in shown.evidence.missing["weights"]
    assert not any(name in shown.model_dump_json() for name in COPY)


def test_a_chain_is_declared_through_the_models_between() -> None:
    middle = w.fingerprint(w.trained(BASE, 0.003, seed=10), "bo/middle", bases=("acme/base",))
    last = w.fingerprint(
        w.trained(w.trained(BASE, 0.003, seed=10), 0.003, seed=11), "cy/last", bases=("bo/middle",)
    )
    found = explain(last, w.fingerprint(BASE, "acme/base"), [middle])
    assert (found.verdict.relation, found.verdict.declared) == (Relation.DERIVED, True)
    assert "through its bases" in found.verdict.sentence


def test_numbers_of_the_evidence_are_finite() -> None:
    zero = {name: np.zeros_like(value) for name, value in BASE.items()}
    found = explain(w.fingerprint(zero, "bo/zero"), w.fingerprint(BASE, "acme/original"))
    assert found.verdict.relation is Relation.INSUFFICIENT
    assert "NaN" not in found.model_dump_json()


def test_two_mirrors_of_an_older_third_model_are_not_ordered_against_each_other() -> None:
    third = w.fingerprint(BASE, "acme/x")
    early = w.fingerprint(BASE, "bo/fp16", dtype="F16")
    late = w.fingerprint(BASE, "cy/bf16", dtype="BF16")
    times = [
        Interval(not_before=DAY_0 + timedelta(days=day), not_after=DAY_0 + timedelta(days=day))
        for day in (5, 2, 0)
    ]
    beside = Beside(intervals=(times[0], times[1]), other_intervals=(times[2],))
    found = explain(late, early, [third], beside)
    assert found.verdict.relation is Relation.SHARED_BASE
    assert found.verdict.direction is Direction.UNKNOWN
    assert found.evidence.timeline is not None
    assert found.evidence.timeline.hints == ()


def test_two_children_of_one_base_get_no_hint_of_who_built_on_whom() -> None:
    head = {"head": w.strangers(20, layers=1)["layers.0.weight"]}
    one = w.fingerprint(w.trained(BASE, 0.003, seed=10) | head, "bo/one")
    two = w.fingerprint(w.trained(BASE, 0.003, seed=11), "cy/two")
    found = explain(one, two)
    assert found.verdict.relation is Relation.RELATED
    assert found.evidence.timeline is not None
    assert found.evidence.timeline.hints == ()


def test_a_model_is_no_mixture_of_what_came_after_it() -> None:
    child = w.trained(BASE, 0.01, seed=20)
    beyond = {n: (2 * child[n] - BASE[n]).astype(np.float32) for n in BASE}
    found = explain(
        w.fingerprint(child, "honest/m", bases=("acme/base",)),
        w.fingerprint(beyond, "eve/extrapolated"),
        [w.fingerprint(BASE, "acme/base")],
        Beside(
            intervals=(Interval(not_after=DAY_0), Interval(not_before=DAY_5)),
            other_intervals=(Interval(not_after=DAY_0),),
        ),
    )
    assert found.evidence.merge is None
    assert "merged" not in {each.name for each in found.verdict.transforms}
