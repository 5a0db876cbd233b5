"""What is drawn says what is in the record, whatever the record holds."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

import report_cases as cases
from kinprint.lineage.evidence.record import (
    Estimate,
    LineageTree,
    TensorCell,
    Timeline,
    TreeNode,
    WeightsEvidence,
)
from kinprint.lineage.verdict import Side
from kinprint.report.plots.columns import (
    bands,
    groups,
    labelled,
    left_column,
    right_column,
)
from kinprint.report.plots.distances import distances_plot
from kinprint.report.plots.palette import NEARNESS, PALETTE, nearness_of
from kinprint.report.plots.sigma import MAX_MARKS, sigma_plot
from kinprint.report.plots.tensor_map import tensor_map
from kinprint.report.plots.timeline import timeline_plot
from kinprint.report.plots.tree import depths, sound_parents, tree_plot
from kinprint.report.texts.language import language_of

ENGLISH = language_of("en")


def layers(names: list[str], partners: list[int | None] | None = None) -> list[TensorCell]:
    partners = partners or [None] * len(names)
    return [
        TensorCell(
            name=name,
            rows=4,
            cols=4,
            standing="evidence",
            partner=partner,
            hamming_bits=None if partner is None else 1,
        )
        for name, partner in zip(names, partners, strict=True)
    ]


def drawn(mine: list[TensorCell], other: list[TensorCell]):
    left = left_column(mine)
    return bands(left, right_column(other, left))


def test_layer_10_stands_below_layer_2() -> None:
    placed = left_column(layers(["m.10.w", "m.2.w", "m.0.w"]))
    assert [each.cell.name for each in placed.values()] == ["m.0.w", "m.2.w", "m.10.w"]


def test_a_copy_in_another_order_of_names_is_drawn_without_crossings() -> None:
    mine = layers(["b.0.q", "b.0.k", "b.1.q", "b.1.k", "head.w.w"], [3, 4, 1, 2, 0])
    other = layers(["out.x.w", "l.1.a", "l.1.z", "l.0.a", "l.0.z"], [4, 2, 3, 0, 1])
    found = drawn(mine, other)
    assert sorted(each.left_top for each in found) == pytest.approx(
        sorted(each.right_top for each in found)
    )
    assert all(each.left_top == pytest.approx(each.right_top) for each in found)


def test_swapped_layers_cross() -> None:
    mine = layers(["b.0.w", "b.1.w"], [1, 0])
    first, second = drawn(mine, layers(["l.0.w", "l.1.w"], [1, 0]))
    assert first.left_top < second.left_top
    assert first.right_top > second.right_top


def test_neighbours_of_one_layer_become_one_band_and_layers_stay_apart() -> None:
    names = [f"l.{layer}.{part}" for layer in range(3) for part in "kqv"]
    partners = list(range(9))
    found = drawn(layers(names, partners), layers(names, partners))
    assert [each.tensors for each in found] == [3, 3, 3]


def test_layers_too_low_to_label_are_labelled_as_a_stack() -> None:
    found = groups(left_column(layers([f"l.{layer}.w" for layer in range(12)])))
    assert [each.label for each in labelled(found, 0.01)] == [f"l.{n}" for n in range(12)]
    assert [each.label for each in labelled(found, 0.5)] == ["l.0 … 11"]


@given(st.lists(st.text(alphabet="ab.0129٣²", min_size=1, max_size=8), min_size=1, max_size=20))
def test_columns_are_full_whatever_the_names(names: list[str]) -> None:
    cells = layers(names)
    left = left_column(cells)
    right = right_column(cells, left)
    for placed in (left, right):
        assert sorted(placed) == list(range(len(names)))
        edges = list(placed.values())
        assert edges[0].top == 0
        assert edges[-1].bottom == pytest.approx(1)
        assert all(each.bottom == following.top for each, following in pairwise(edges))


@given(st.integers(0, 128))
def test_every_distance_has_one_class(bits: int) -> None:
    assert bits <= nearness_of(bits).up_to_bits
    nearer = [each.up_to_bits for each in NEARNESS if each.up_to_bits < bits]
    assert len(nearer) == NEARNESS.index(nearness_of(bits))


def test_a_doubtful_band_is_told_without_colours() -> None:
    def dash(bits: int) -> list[int]:
        cells = tuple(
            cell.model_copy(update={"hamming_bits": bits}) for cell in layers(["a.w"], [0])
        )
        weights = WeightsEvidence(
            repo_tensors=cells,
            match_tensors=cells,
            rules=(),
            exceptions=(),
            explained=1.0,
            stacks=(),
            modules=(),
            unmatched_repo=(),
            unmatched_match=(),
        )
        spec = tensor_map(weights, "a", "b", ENGLISH).spec
        return spec["data"][0]["values"][0]["dash"]

    assert dash(3) == []
    assert dash(90)
    assert dash(120)
    assert dash(90) != dash(120)


def test_the_histogram_counts_every_tensor() -> None:
    spec = distances_plot([0, 3, 4, 127, 128], ENGLISH).spec
    bars = spec["layer"][1]["data"]["values"]
    assert {each["low"]: each["share"] for each in bars} == {0: 0.4, 4: 0.2, 124: 0.4}
    strangers = [each["share"] for each in spec["layer"][0]["data"]["values"]]
    assert sum(strangers) == pytest.approx(1)


def test_many_sigmas_are_drawn_as_few_marks_that_hide_no_extreme() -> None:
    estimates = [Estimate(value=1, low=0.9, high=1.1)] * 2_000
    estimates[777] = Estimate(value=9, low=0.1, high=20)
    spec = sigma_plot(estimates, None, ENGLISH).spec
    values = spec["layer"][0]["data"]["values"]
    assert len(values) <= MAX_MARKS
    assert max(each["high"] for each in values) == 20
    assert min(each["low"] for each in values) == 0.1


def test_equal_sigmas_do_not_look_scattered() -> None:
    estimates = [Estimate(value=1 + k / 1e4, low=1, high=1.001) for k in range(9)]
    low, high = sigma_plot(estimates, None, ENGLISH).spec["layer"][0]["encoding"]["y"]["scale"][
        "domain"
    ]
    assert high - low > 0.19


@given(st.lists(st.none() | st.integers(-3, 12), max_size=10))
def test_a_tree_is_a_tree_whatever_its_parents_are(parents: list[int | None]) -> None:
    nodes = [
        TreeNode(name=f"n{k}", parent=parent, role="relative") for k, parent in enumerate(parents)
    ]
    sound = sound_parents(nodes)
    assert all(depth < len(nodes) for depth in depths(sound))
    for mine, kept in zip(parents, sound, strict=True):
        assert kept in (mine, None)
    if nodes:
        spec = tree_plot(LineageTree(nodes=tuple(nodes)), ENGLISH).spec
        assert len(spec["data"][0]["values"]) == len(nodes)
        rows = {each["y"] for each in spec["data"][0]["values"]}
        assert len(rows) == len(nodes)


def test_a_timeline_without_any_date_is_not_drawn() -> None:
    side = Side(source="a")
    timeline = Timeline(order="cannot_tell", reason="No dates.", events=())
    assert timeline_plot(timeline, side, side, ENGLISH) is None


def test_events_that_do_not_count_are_drawn_hollow() -> None:
    comparison = cases.comparison_of_a_copy()
    timeline = comparison.evidence.timeline
    plot = timeline_plot(timeline, comparison.a, comparison.b, ENGLISH)
    hollow, filled = plot.spec["layer"][1:]
    assert (hollow["mark"]["filled"], filled["mark"]["filled"]) == (False, True)
    counted = [event for event in timeline.events if event.counted]
    assert len(filled["data"]["values"]) == len(counted)
    assert len(hollow["data"]["values"]) == len(timeline.events) - len(counted)


def contrast(first: str, second: str) -> float:
    """Contrast ratio of two colours (WCAG 2.2, relative luminance)."""

    def luminance(colour: str) -> float:
        channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [
            each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4
            for each in channels
        ]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    darker, lighter = sorted((luminance(first), luminance(second)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("paper", ["paper", "raised"])
def test_words_can_be_read_on_light_and_dark_pages(theme: str, paper: str) -> None:
    behind = getattr(PALETTE[paper], theme)
    for name in ("ink", "muted", "link", "declared", "claim", "quiet"):
        assert contrast(getattr(PALETTE[name], theme), behind) >= 4.5, name


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_marks_can_be_seen_on_light_and_dark_pages(theme: str) -> None:
    marks = ["near", "close", "apart", "far", "strange", "cell"]
    marks += ["first", "second", "third", "fourth", "fifth", "quiet"]
    behind = getattr(PALETTE["paper"], theme)
    too_faint = {
        name: round(contrast(getattr(PALETTE[name], theme), behind), 2)
        for name in marks
        if contrast(getattr(PALETTE[name], theme), behind) < 3
    }
    assert too_faint == {}


def test_every_colour_stands_for_one_name() -> None:
    assert len({colour.light for colour in PALETTE.values()}) == len(PALETTE)
