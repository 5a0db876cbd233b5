"""A comparison with its evidence: all from one verdict, and never more than it."""

from __future__ import annotations

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
from kinprint.lineage.verdict import Direction, Relation
from kinprint.service.discretion import discreet_comparison
from memory_checkpoint import MemoryCheckpoint

if TYPE_CHECKING:
    from kinprint.fingerprint.deep import DeepReading
    from kinprint.fingerprint.record import Fingerprint

BASE = w.strangers(0)
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
