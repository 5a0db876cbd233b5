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
    assert "a=mallory%2Fcopy" in first.evidence_url
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


def test_the_original_is_never_named_as_the_child_of_a_later_model(index) -> None:
    original = publish(index, BASE, "acme/original")
    thief = w.trained(BASE, 0.003, seed=12)
    publish(index, thief, "mallory/x", day=DAY_0 + timedelta(days=2))
    youngest = w.trained(thief, 0.003, seed=13)
    publish(index, youngest, "dee/child", day=DAY_5, bases=("mallory/x",))
    for match in ask(index, original).matches:
        assert match.relation is Relation.RELATED
        assert match.direction is Direction.UNKNOWN


def test_two_frozen_copies_of_a_declared_base_share_it(index) -> None:
    publish(index, BASE, "acme/original")
    publish(index, BASE, "bo/probe", day=DAY_0 + timedelta(days=1), bases=("acme/original",))
    two = publish(index, BASE, "cy/probe", day=DAY_5, bases=("acme/original",))
    assert relations(ask(index, two)) == {
        "acme/original": Relation.SAME_WEIGHTS,
        "bo/probe": Relation.SHARED_BASE,
    }


def test_an_author_who_moves_a_model_is_not_derived_from_its_thief(index) -> None:
    publish(index, BASE, "honest/old")
    publish(index, w.renamed(BASE), "mallory/copy", day=DAY_0 + timedelta(days=3))
    moved = publish(index, BASE, "honest/new", day=DAY_5)
    thief = next(match for match in ask(index, moved).matches if match.repo == "mallory/copy")
    assert thief.direction is not Direction.REPO_FROM_MATCH


def test_mutual_declarations_leave_the_child_declared_and_the_direction_open(index) -> None:
    publish(index, BASE, "acme/original", bases=("bo/child",))
    child = publish(index, CHILD, "bo/child", bases=("acme/original",))
    match = ask(index, child).matches[0]
    assert match.declared
    assert match.relation is Relation.DERIVED
    assert match.direction is Direction.UNKNOWN


def test_a_card_that_names_its_own_repo_declares_nothing(index) -> None:
    publish(index, BASE, "acme/original", bases=("acme/original",))
    answer = ask(index, index.fingerprint(index.find("acme/original").id))
    assert answer.verdict.findings == ()
    assert answer.coverage.ancestors_unread == {}


def test_a_child_of_an_older_revision_stays_declared(index) -> None:
    publish(index, BASE, "acme/original", commit="1" * 40)
    publish(index, w.strangers(30), "acme/original", day=DAY_0, commit="2" * 40)
    child = publish(index, CHILD, "bo/child", day=DAY_5, bases=("acme/original",))
    answer = ask(index, child)
    assert [(match.repo, match.declared) for match in answer.matches] == [("acme/original", True)]
    assert answer.verdict.findings == ()


def test_a_declared_base_that_came_later_is_a_contradiction(index) -> None:
    publish(index, CHILD, "bo/child", bases=("acme/base",))
    publish(index, BASE, "acme/base", day=DAY_5)
    child = index.fingerprint(index.find("bo/child").id)
    match = ask(index, child).matches[0]
    assert match.direction is Direction.UNKNOWN
    assert "contradiction" in {each.code for each in match.verdict.findings}
    assert match.verdict.sentence.startswith("bo/child declares acme/base")


ONE, TWO = w.trained(BASE, 0.01, seed=30), w.trained(BASE, 0.01, seed=31)


def test_a_merge_of_two_indexed_siblings_names_them_with_their_shares(index) -> None:
    publish(index, BASE, "acme/base")
    publish(index, ONE, "bo/one", bases=("acme/base",))
    publish(index, TWO, "cy/two", bases=("acme/base",))
    publish(index, w.strangers(1), "dee/stranger")
    mixed = publish(index, w.mixed(ONE, TWO, 0.7), "eve/mixed", day=DAY_5)
    found = {match.repo: match for match in ask(index, mixed).matches}
    assert {repo: match.relation for repo, match in found.items()} == {
        "bo/one": Relation.MERGED,
        "cy/two": Relation.MERGED,
        "acme/base": Relation.RELATED,
    }
    (merged,) = (each for each in found["bo/one"].transforms if each.name == "merged")
    assert merged.figures["parent_1"] == "bo/one"
    assert merged.figures["coefficient_1"] == pytest.approx(0.7, abs=0.02)
    assert found["bo/one"].direction is Direction.REPO_FROM_MATCH


def test_what_others_mixed_from_a_model_is_not_called_its_parent(index) -> None:
    """Somebody publishes q + x and q - x: q is their exact mean, but was there before."""
    publish(index, BASE, "acme/base")
    change = {name: ONE[name] - BASE[name] for name in BASE}
    original = publish(index, TWO, "cy/original", day=DAY_0)
    for repo, sign in (("eve/plus", 1), ("eve/minus", -1)):
        weights = {name: (TWO[name] + sign * change[name]).astype(np.float32) for name in TWO}
        publish(index, weights, repo, day=DAY_5)
    relations_found = relations(ask(index, original))
    assert set(relations_found.values()) <= {Relation.RELATED}


def test_siblings_are_no_mixture_of_one_another(index) -> None:
    publish(index, BASE, "acme/base")
    for seed in range(40, 44):
        publish(index, w.trained(BASE, 0.01, seed=seed), f"bo/child-{seed}", bases=("acme/base",))
    other = publish(index, w.trained(BASE, 0.01, seed=50), "cy/other", day=DAY_5)
    answer = ask(index, other)
    assert Relation.MERGED not in relations(answer).values()
    assert all("merged" not in {t.name for t in match.transforms} for match in answer.matches)


def test_children_that_froze_an_unread_base_do_not_come_from_one_another(index) -> None:
    head = w.strangers(20, layers=1)["layers.0.weight"]
    publish(index, BASE, "bo/encoder")
    classifier = publish(index, BASE | {"head": head}, "cy/classifier", day=DAY_5)
    answer = ask(index, classifier)
    (match,) = answer.matches
    assert match.relation is Relation.RELATED
    assert match.direction is Direction.UNKNOWN
