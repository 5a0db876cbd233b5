"""The answer to "whose weights are these?", from an index in a real database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

import weights as w
from kinprint.checkpoints.tensors import Visibility
from kinprint.index.store import Index
from kinprint.lineage.similar import similar
from kinprint.lineage.verdict import Direction, Relation, Similar

DAY_0 = datetime(2026, 3, 1, tzinfo=UTC)
DAY_5 = DAY_0 + timedelta(days=5)
SIGMA = 1 / 708
BASE = w.strangers(0)
CHILD = w.trained(BASE, 0.003, seed=10)


@pytest.fixture
def index(tmp_path):
    with Index.open(f"sqlite:///{tmp_path / 'kinprint.db'}") as opened:
        yield opened


def publish(index: Index, weights: w.Weights, repo: str, *, day: datetime = DAY_0, **facts):
    fingerprint = w.fingerprint(weights, repo, created_at=day, **facts)
    index.add(fingerprint, seen_at=day)
    return fingerprint


def ask(index: Index, fingerprint) -> Similar:
    return similar(index, fingerprint, checked_at=DAY_5, evidence_base_url="http://127.0.0.1:8765")


def relations(answer: Similar) -> dict[str, Relation]:
    return {match.repo: match.relation for match in answer.matches}


def test_the_re_enacted_case(index) -> None:
    publish(index, BASE, "acme/original")
    publish(index, CHILD, "bo/child", day=DAY_0 + timedelta(days=1), bases=("acme/original",))
    publish(index, w.strangers(1), "cy/stranger")
    copy = publish(index, w.renamed(w.noised(BASE, SIGMA)), "mallory/copy", day=DAY_5, dtype="BF16")
    answer = ask(index, copy)
    assert relations(answer) == {
        "acme/original": Relation.DERIVED,
        "bo/child": Relation.SHARED_BASE,
    }
    first = answer.matches[0]
    assert first.repo == "acme/original"
    assert first.direction is Direction.REPO_FROM_MATCH
    assert not first.declared
    assert first.first.not_after == DAY_0
    assert answer.verdict == first.verdict
    sibling = answer.matches[1]
    assert sibling.explained_by == "acme/original"
    assert {each.name for each in sibling.transforms} == {"renamed", "cast"}
    assert "repo=mallory%2Fcopy" in first.evidence_url
    assert answer.review == "unreviewed measurement"


def test_an_honest_child_is_derived_and_declared(index) -> None:
    publish(index, BASE, "acme/original")
    child = publish(index, CHILD, "bo/child", day=DAY_5, bases=("acme/original",))
    answer = ask(index, child)
    assert relations(answer) == {"acme/original": Relation.DERIVED}
    assert answer.matches[0].declared
    assert answer.verdict.sentence == (
        "bo/child declares acme/original as its base, and its weights confirm it."
    )


def test_the_original_is_told_of_its_child_but_is_not_derived_from_it(index) -> None:
    original = publish(index, BASE, "acme/original")
    publish(index, CHILD, "bo/child", day=DAY_5, bases=("acme/original",))
    match = ask(index, original).matches[0]
    assert match.direction is Direction.MATCH_FROM_REPO
    assert match.declared


def test_a_stranger_is_left_alone_and_the_small_index_says_so(index) -> None:
    publish(index, BASE, "acme/original")
    stranger = publish(index, w.strangers(1), "cy/stranger")
    answer = ask(index, stranger)
    assert answer.matches == ()
    assert answer.verdict.relation is Relation.UNRELATED
    assert answer.coverage.models == 2
    assert answer.coverage.small
    assert "kinprint index bootstrap" in (answer.coverage.advice or "")


def test_two_undeclared_children_of_an_unindexed_base_are_never_more_than_related(index) -> None:
    publish(index, CHILD, "bo/one")
    two = publish(index, w.trained(BASE, 0.003, seed=11), "cy/two", day=DAY_5)
    answer = ask(index, two)
    assert relations(answer) == {"bo/one": Relation.RELATED}
    assert "common base" in (answer.verdict.reason or "")


def test_children_whose_declared_base_is_unread_say_which(index) -> None:
    publish(index, CHILD, "bo/one", bases=("gated/base",))
    two = publish(index, w.trained(BASE, 0.003, seed=11), "cy/two", bases=("gated/base",))
    answer = ask(index, two)
    assert relations(answer) == {"bo/one": Relation.RELATED}
    assert "gated/base" in (answer.verdict.reason or "")
    assert "gated/base" in answer.coverage.ancestors_unread


def test_siblings_whose_base_is_indexed_share_it(index) -> None:
    publish(index, BASE, "acme/original")
    publish(index, CHILD, "bo/one", bases=("acme/original",))
    two = publish(
        index, w.trained(BASE, 0.003, seed=11), "cy/two", bases=("acme/original",), day=DAY_5
    )
    assert relations(ask(index, two)) == {
        "acme/original": Relation.DERIVED,
        "bo/one": Relation.SHARED_BASE,
    }


def test_a_noisy_copy_of_a_child_is_traced_to_the_child(index) -> None:
    publish(index, BASE, "acme/original")
    publish(index, CHILD, "bo/child", bases=("acme/original",))
    copy = publish(index, w.renamed(w.noised(CHILD, SIGMA)), "mallory/copy", day=DAY_5)
    answer = ask(index, copy)
    assert answer.matches[0].repo == "bo/child"
    assert answer.matches[0].relation is Relation.DERIVED
    assert answer.matches[0].explained_by is None


def test_a_declared_base_without_shared_weights_is_a_finding(index) -> None:
    publish(index, BASE, "acme/original")
    liar = publish(index, w.strangers(3), "dee/liar", bases=("acme/original",))
    answer = ask(index, liar)
    assert answer.verdict.relation is Relation.UNRELATED
    assert [each.code for each in answer.verdict.findings] == ["declared_base_not_measured"]


def test_without_a_proven_order_the_direction_is_unknown(index) -> None:
    publish(index, BASE, "acme/original", day=DAY_5)
    copy = publish(index, w.renamed(w.noised(BASE, SIGMA)), "mallory/copy", day=DAY_0)
    index.add(copy, seen_at=DAY_5)
    match = ask(index, copy).matches[0]
    assert match.direction is not Direction.REPO_FROM_MATCH


def test_a_private_model_is_a_query_and_never_enters_the_index(index) -> None:
    publish(index, BASE, "acme/original")
    before = index.size()
    private = w.fingerprint(w.noised(BASE, SIGMA), "eve/secret", visibility=Visibility.PRIVATE)
    answer = ask(index, private)
    assert relations(answer) == {"acme/original": Relation.DERIVED}
    assert index.size() == before
    assert index.find("eve/secret") is None


def test_too_little_to_compare_is_insufficient_never_clean(index) -> None:
    publish(index, BASE, "acme/original")
    tiny = w.fingerprint({"bias": np.ones(9, np.float32)}, "flo/tiny")
    answer = ask(index, tiny)
    assert answer.verdict.relation is Relation.INSUFFICIENT
    assert answer.matches == ()


def test_an_empty_index_answers(tmp_path) -> None:
    with Index.open(f"sqlite:///{tmp_path / 'empty.db'}") as empty:
        answer = ask(empty, w.fingerprint(BASE, "acme/original"))
    assert answer.verdict.relation is Relation.UNRELATED
    assert answer.coverage.models == 0
