"""Layers: in order, dropped, added, repeated, moved; told by what is in them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinprint.lineage.evidence.weights.counterparts import counterparts
from kinprint.lineage.evidence.weights.layer_transforms import layer_transforms
from kinprint.lineage.evidence.weights.layers import layer_stacks, moved_layers
from kinprint.lineage.matching import Matching
from synthetic_fingerprints import flip_bits, synthetic

PARTS = ("q", "k", "v", "o", "up", "down")
RNG = np.random.default_rng(0)
POOL = synthetic(RNG, views=240)
"""Views i and i + 240k of any model made below hold the same values if they name the same i."""


def model(layers, pattern="model.layers.{}.{}.weight", *, bits=0, extra=()):
    """A model whose layer k holds the values of pool layer ``layers[k]``."""
    names = [
        (pattern.format(number, part), layer * len(PARTS) + place)
        for number, layer in enumerate(layers)
        for place, part in enumerate(PARTS)
    ]
    return of_pool([*names, *extra], bits=bits)


def of_pool(names, *, bits=0):
    rows = np.array([row for _, row in names], np.intp)
    columns = {key: column[rows].copy() for key, column in vars(POOL.blocks).items()}
    columns["view"] = np.arange(len(rows), dtype=np.int32)
    columns["phash"] = flip_bits(RNG, columns["phash"], bits)
    views = tuple(replace(POOL.views[row], name=name) for name, row in names)
    return replace(
        POOL,
        views=views,
        blocks=replace(POOL.blocks, **columns),
        parameters=sum(view.rows * view.cols for view in views),
    )


def told(repo, match):
    matching = Matching(repo, match)
    stacks = layer_stacks(matching, counterparts(matching))
    return stacks, {each.name: each for each in layer_transforms(stacks, matching)}


ORIGINAL = model(range(6))


@pytest.mark.parametrize(
    ("layers", "order", "transforms"),
    [
        (range(6), ("in_order",), {}),
        ([0, 1, 3, 5], ("in_order", "dropped"), {"layers_dropped": ("dropped", 2)}),
        ([0, 1, 2, 2, 3, 4, 5], ("in_order", "repeated"), {"layers_repeated": ("repeated", 1)}),
        ([0, 1, 2, 3, 1, 2, 3, 4, 5], ("in_order", "repeated"), {"layers_repeated": ("places", 6)}),
        ([5, 4, 3, 2, 1, 0], ("moved",), {"layers_reordered": ("moved", 5)}),
        ([0, 4, 1, 2, 3, 5], ("moved",), {"layers_reordered": ("moved", 1)}),
        ([0, 1, 2, 3, 4, 5, 20, 21], ("in_order", "added"), {}),
        ([0, 1, 2, 20, 21, 22], ("in_order", "dropped", "added"), {}),
        (
            [3, 0, 0, 1, 20],
            ("dropped", "added", "repeated", "moved"),
            {
                "layers_dropped": ("dropped", 3),
                "layers_repeated": ("repeated", 1),
                "layers_reordered": ("moved", 1),
            },
        ),
    ],
)
@pytest.mark.parametrize("bits", [0, 40])
def test_what_became_of_the_layers_is_told(layers, order, transforms, bits) -> None:
    repo = model(layers, "llm.h.{}.{}.w", bits=bits)
    (stack,), found = told(repo, ORIGINAL)
    assert (stack.repo_stack, stack.match_stack) == ("llm.h.{n}", "model.layers.{n}")
    assert (stack.repo_layers, stack.match_layers) == (len(list(layers)), 6)
    assert stack.pairs == tuple((here, there) for here, there in enumerate(layers) if there < 6)
    assert stack.order == order
    assert {name: (each, found[name].figures[each]) for name, (each, _) in transforms.items()} == (
        transforms
    )
    assert set(found) == set(transforms)


def test_a_layer_that_the_match_repeats_is_matched_to_two() -> None:
    (stack,), found = told(ORIGINAL, model([0, 1, 2, 3, 4, 5, 1]))
    assert (1, 1) in stack.pairs
    assert (1, 6) in stack.pairs
    assert "repeated" in stack.order
    assert found["layers_repeated"].figures["side"] == "match"
    assert set(found["layers_repeated"].tensors) == {
        f"model.layers.1.{part}.weight" for part in PARTS
    }


def test_a_repeated_layer_names_all_its_tensors() -> None:
    _, found = told(model([0, 1, 2, 3, 4, 5, 2]), ORIGINAL)
    assert set(found["layers_repeated"].tensors) == {
        f"model.layers.{layer}.{part}.weight" for layer in (2, 6) for part in PARTS
    }


def test_two_towers_are_two_stacks_each_with_its_own_numbers() -> None:
    vision = [
        (f"vision.encoder.{number}.{part}.w", (10 + number) * 6 + place)
        for number in range(4)
        for place, part in enumerate(PARTS)
    ]
    repo = model([0, 1, 2, 3, 4, 5], "llm.layers.{}.{}.w", extra=vision)
    match = model([1, 0, 2, 3, 4, 5], extra=vision[:18])
    stacks, found = told(repo, match)
    assert [(s.repo_stack, s.match_stack, s.order) for s in stacks] == [
        ("llm.layers.{n}", "model.layers.{n}", ("moved",)),
        ("vision.encoder.{n}", "vision.encoder.{n}", ("in_order", "added")),
    ]
    assert set(found) == {"layers_reordered"}


def test_one_stack_under_two_names_has_dropped_nothing() -> None:
    first = [(f"enc.{n}.{p}.w", n * 6 + i) for n in range(3) for i, p in enumerate(PARTS)]
    second = [(f"dec.{n}.{p}.w", (n + 3) * 6 + i) for n in range(3) for i, p in enumerate(PARTS)]
    stacks, found = told(of_pool([*first, *second]), ORIGINAL)
    assert [stack.order for stack in stacks] == [("in_order",), ("in_order",)]
    assert found == {}


def test_tied_layers_on_both_sides_are_no_repetition() -> None:
    tied = model([0, 1, 1, 1, 2])
    (stack,), found = told(tied, tied)
    assert stack.pairs == tuple((layer, layer) for layer in range(5))
    assert stack.order == ("in_order",)
    assert found == {}


def test_numbers_that_count_tensors_are_no_layers() -> None:
    names = [(f"x{number}.w", number) for number in range(36)]
    assert told(of_pool(names), ORIGINAL) == ((), {})


def test_two_numbered_halves_of_a_projector_are_no_stack() -> None:
    names = [
        (f"projector.{number}.{part}", number * 6 + i)
        for number in (0, 2)
        for i, part in enumerate(PARTS)
    ]
    assert told(of_pool(names), of_pool(names)) == ((), {})


def test_a_constant_number_before_the_layers_is_part_of_the_stacks_name() -> None:
    (stack,), _ = told(model(range(4), "net2.h{}.{}"), ORIGINAL)
    assert stack.repo_stack == "net2.h{n}"


def test_tensors_moved_between_layers_move_no_layer() -> None:
    names = [(f"l.{n}.{p}", n * 6 + i) for n in range(6) for i, p in enumerate(PARTS)]
    names[0], names[30] = (names[0][0], names[30][1]), (names[30][0], names[0][1])
    (stack,), found = told(of_pool(names), ORIGINAL)
    assert stack.order == ("in_order",)
    assert found == {}


def test_layers_of_which_one_tensor_is_left_are_other_layers() -> None:
    names = [
        (f"l.{n}.{p}", n * 6 + i if i == 0 else 100 + n * 6 + i)
        for n in range(6)
        for i, p in enumerate(PARTS)
    ]
    assert told(of_pool(names), ORIGINAL) == ((), {})


def test_layers_mixed_of_two_halves_are_neither_of_the_two() -> None:
    names = [(f"l.{n}.{p}", (n ^ (i % 2)) * 6 + i) for n in range(6) for i, p in enumerate(PARTS)]
    assert told(of_pool(names), ORIGINAL) == ((), {})


def test_layers_that_the_match_repeats_elsewhere_have_not_moved() -> None:
    assert moved_layers([(0, 0), (1, 1), (1, 3), (2, 2)]) == ()


def test_strangers_have_no_layers_in_common() -> None:
    assert told(model(range(10, 16)), ORIGINAL) == ((), {})


def test_sentences_speak_of_the_match_and_this_model() -> None:
    _, found = told(model([1, 0, 0, 3]), ORIGINAL)
    assert [each.summary for each in found.values()] == [
        "Layers of the match have no counterpart in this model: 3 of 6 (model.layers.{n}).",
        "This model holds layers of the match more than once: 1 of them, in 2 places.",
        (
            "By the numbers in their names, layers stand in another order than in the match: "
            "1 of 3 (model.layers.{n})."
        ),
    ]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 8), max_size=9))
def test_moved_layers_are_the_fewest_whose_absence_leaves_the_order(layers: list[int]) -> None:
    pairs = list(enumerate(layers))
    moved = moved_layers(pairs)

    def in_order(kept: set[int]) -> bool:
        last = -1
        for there in sorted(kept):
            places = [here for here, other in pairs if other == there and here >= last]
            if not places:
                return False
            last = min(places)
        return True

    whole = set(layers)
    assert in_order(whole - set(moved))
    assert not moved or not any(in_order(whole - (set(moved) - {one})) for one in moved)


def test_twenty_thousand_layers_are_ordered_in_passing() -> None:
    count = 20_000
    pairs = [(i, i * 7919 % count) for i in range(count)]
    assert 0 < count - len(moved_layers(pairs)) < 1_000
