"""The family tree of a comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING

import weights as w
from kinprint.fingerprint.file import digest_of
from kinprint.lineage.compare import compare
from kinprint.lineage.evidence.tree import lineage_tree
from kinprint.lineage.verdict import Relation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kinprint.fingerprint.record import Fingerprint
    from kinprint.lineage.evidence.record import LineageTree

BASE = w.strangers(0)
INSTRUCT = w.trained(BASE, 0.003, seed=10)
FINE_TUNE = w.trained(INSTRUCT, 0.003, seed=11)


def tree_of(a: Fingerprint, b: Fingerprint, others: Sequence[Fingerprint] = ()) -> LineageTree:
    return lineage_tree(a, b, others, compare(a, b, others).verdict)


def lines(tree: LineageTree) -> dict[str, str | None]:
    return {
        node.name: None if node.parent is None else tree.nodes[node.parent].name
        for node in tree.nodes
    }


def chain() -> tuple[Fingerprint, ...]:
    return (
        w.fingerprint(w.int8(FINE_TUNE), "di/int8", bases=("cy/tuned",)),
        w.fingerprint(FINE_TUNE, "cy/tuned", bases=("bo/instruct",)),
        w.fingerprint(INSTRUCT, "bo/instruct", bases=("acme/base",)),
        w.fingerprint(BASE, "acme/base"),
    )


def test_a_chain_of_four_is_shown_as_one_line_with_what_was_measured_along_it() -> None:
    small, tuned, instruct, base = chain()
    tree = tree_of(small, base, [tuned, instruct])
    assert lines(tree) == {
        "di/int8": "cy/tuned",
        "cy/tuned": "bo/instruct",
        "bo/instruct": "acme/base",
        "acme/base": None,
    }
    by_name = {node.name: node for node in tree.nodes}
    assert all(node.declared for name, node in by_name.items() if name != "acme/base")
    assert "quantised" in by_name["di/int8"].transforms
    assert "fine_tuned" in by_name["cy/tuned"].transforms
    assert {node.role for node in tree.nodes} == {"repo", "match", "ancestor"}


def test_two_children_of_one_base_stand_side_by_side_under_it() -> None:
    base = w.fingerprint(BASE, "acme/base")
    one = w.fingerprint(w.trained(BASE, 0.003, seed=20), "bo/one", bases=("acme/base",))
    two = w.fingerprint(w.trained(BASE, 0.003, seed=21), "cy/two", bases=("acme/base",))
    assert lines(tree_of(one, two, [base])) == {
        "bo/one": "acme/base",
        "cy/two": "acme/base",
        "acme/base": None,
    }


def test_a_base_that_could_not_be_read_is_shown_with_its_reason() -> None:
    copy = w.fingerprint(w.noised(BASE, 1 / 708), "mallory/copy", bases=("gated/base",))
    tree = tree_of(copy, w.fingerprint(BASE, "acme/original"))
    assert lines(tree)["mallory/copy"] == "gated/base"
    (unread,) = (node for node in tree.nodes if node.name == "gated/base")
    assert unread.reason is not None
    assert "not among the compared models" in unread.reason


def test_two_cards_that_name_each_other_make_no_circle() -> None:
    one = w.fingerprint(BASE, "bo/one", bases=("cy/two",))
    two = w.fingerprint(FINE_TUNE, "cy/two", bases=("bo/one",))
    assert set(lines(tree_of(one, two)).values()) == {None}


def test_a_declared_base_that_shares_nothing_says_so_on_its_edge() -> None:
    child = w.fingerprint(BASE, "bo/child", bases=("cy/stranger",))
    tree = tree_of(child, w.fingerprint(w.strangers(5), "cy/stranger"))
    (node,) = (node for node in tree.nodes if node.name == "bo/child")
    assert (node.relation, node.declared) == (Relation.UNRELATED, True)
    assert node.reason == "Declared, but no shared weights were found."


def test_undeclared_strangers_have_no_edge_at_all() -> None:
    a, b = w.fingerprint(BASE, "bo/a"), w.fingerprint(w.strangers(6), "cy/b")
    assert digest_of(a) != digest_of(b)
    assert set(lines(tree_of(a, b)).values()) == {None}
