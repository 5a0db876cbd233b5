"""The tensor map: both models as columns of tensors, with bands between those that match."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from kinprint.report.blocks import LegendEntry, Plot
from kinprint.report.plots.columns import bands, groups, labelled, left_column, right_column
from kinprint.report.plots.drawing import WIDTH, vega
from kinprint.report.plots.palette import NEARNESS, ink, nearness_of
from kinprint.report.texts.language import plain
from kinprint.report.texts.visible import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kinprint.lineage.evidence.record import WeightsEvidence
    from kinprint.report.plots.columns import Band, Group, Placed
    from kinprint.report.texts.language import Language

_LEFT, _RIGHT = 210, WIDTH - 210
"""Inner edges of the two columns; outside stand their labels."""

_CELL_WIDTHS = {"evidence": 18, "support": 10, "generated": 6, "not_compared": 4}
_CELL_COLOURS = {
    "evidence": "cell",
    "support": "vector",
    "generated": "second",
    "not_compared": "line",
}
_DASHES = {"far": [6, 3], "strange": [2, 3]}
"""Doubtful classes have a broken outline, so that they are told without colours, too."""

_MIN_HEIGHT, _MAX_HEIGHT, _PIXELS_A_TENSOR = 200, 860, 8
_LABEL_GAP = 13
_OUTLINED_HEIGHT = 4
"""Thinner bands would be all outline."""

_MAX_LABEL = 26
_HEAD = 30


def tensor_map(weights: WeightsEvidence, repo: str, match: str, language: Language) -> Plot:
    """Draw both models' tensors and which became which.

    Args:
        weights: At least one tensor on each side.
        repo: Name of the first model.
        match: Name of the second.
        language: Of the report.
    """
    tallest = max(len(weights.repo_tensors), len(weights.match_tensors))
    height = min(max(tallest * _PIXELS_A_TENSOR, _MIN_HEIGHT), _MAX_HEIGHT)
    left = left_column(weights.repo_tensors)
    right = right_column(weights.match_tensors, left)
    drawn = bands(left, right)
    return Plot(
        name="tensor-map",
        title=language.word("Which tensor became which"),
        description=_description(weights, language),
        spec=vega(
            height=height + _HEAD,
            data=[
                {"name": "bands", "values": [_band(each, height) for each in drawn]},
                {
                    "name": "cells",
                    "values": [
                        *(_cell(each, height, _LEFT, -1) for each in left.values()),
                        *(_cell(each, height, _RIGHT, 1) for each in right.values()),
                    ],
                },
                {
                    "name": "labels",
                    "values": [
                        *_labels(groups(left), height, _LEFT - 28, "right"),
                        *_labels(groups(right), height, _RIGHT + 28, "left"),
                    ],
                },
                {
                    "name": "heads",
                    "values": [
                        {"x": _LEFT, "align": "right", "text": visible(repo, 34)},
                        {"x": _RIGHT, "align": "left", "text": visible(match, 34)},
                    ],
                },
            ],
            marks=_marks(),
        ),
        legend=_legend(weights, language),
    )


def _marks() -> list[dict[str, Any]]:
    def field(name: str) -> dict[str, str]:
        return {"field": name}

    text = {"x": field("x"), "align": field("align"), "text": field("text")}
    return [
        {
            "type": "path",
            "from": {"data": "bands"},
            "encode": {
                "enter": {
                    "path": field("path"),
                    "fill": field("colour"),
                    "fillOpacity": {"value": 0.42},
                    "stroke": field("colour"),
                    "strokeWidth": field("line"),
                    "strokeDash": field("dash"),
                }
            },
        },
        {
            "type": "rect",
            "from": {"data": "cells"},
            "encode": {
                "enter": {
                    "x": field("x"),
                    "width": field("width"),
                    "y": field("y"),
                    "height": field("height"),
                    "fill": field("colour"),
                }
            },
        },
        {
            "type": "text",
            "from": {"data": "labels"},
            "encode": {
                "enter": {
                    **text,
                    "y": field("y"),
                    "baseline": {"value": "middle"},
                    "fill": {"value": ink("muted")},
                    "fontSize": {"value": 11},
                }
            },
        },
        {
            "type": "text",
            "from": {"data": "heads"},
            "encode": {
                "enter": {
                    **text,
                    "y": {"value": 12},
                    "fill": {"value": ink("ink")},
                    "fontSize": {"value": 13},
                    "fontWeight": {"value": 600},
                }
            },
        },
    ]


def _band(band: Band, height: int) -> dict[str, Any]:
    edges = (band.left_top, band.left_bottom, band.right_top, band.right_bottom)
    top, bottom, right_top, right_bottom = (round(_HEAD + edge * height, 1) for edge in edges)
    middle = (_LEFT + _RIGHT) // 2
    return {
        "path": f"M{_LEFT},{top}C{middle},{top},{middle},{right_top},{_RIGHT},{right_top}"
        f"L{_RIGHT},{right_bottom}C{middle},{right_bottom},{middle},{bottom},{_LEFT},{bottom}Z",
        "colour": ink(band.colour),
        "line": 0.8 if bottom - top >= _OUTLINED_HEIGHT else 0.15,
        "dash": _DASHES.get(band.colour, []),
    }


def _cell(placed: Placed, height: int, edge: int, side: int) -> dict[str, Any]:
    width = _CELL_WIDTHS[placed.cell.standing]
    tall = (placed.bottom - placed.top) * height
    gap = 0.8 if tall > 3 else 0.0
    return {
        "x": edge if side > 0 else edge - width,
        "width": width,
        "y": round(_HEAD + placed.top * height, 2),
        "height": round(max(tall - gap, 0.2), 2),
        "colour": ink(_CELL_COLOURS[placed.cell.standing]),
    }


def _labels(found: Sequence[Group], height: int, x: int, align: str) -> list[dict[str, Any]]:
    labels: list[dict[str, Any]] = []
    last = -1.0 * _LABEL_GAP
    for each in labelled(found, _LABEL_GAP / height):
        y = _HEAD + (each.top + each.bottom) / 2 * height
        if y - last >= _LABEL_GAP:
            text = each.label if len(each.label) <= _MAX_LABEL else f"…{each.label[-_MAX_LABEL:]}"
            labels.append({"x": x, "align": align, "y": round(y, 1), "text": visible(text)})
            last = y
    return labels


def _legend(weights: WeightsEvidence, language: Language) -> tuple[LegendEntry, ...]:
    counts = _classes(weights)
    entries = []
    low = 0
    for each in NEARNESS:
        if counts[each.colour]:
            text = language.count(
                "{low} to {high} bits: {n} tensor",
                "{low} to {high} bits: {n} tensors",
                counts[each.colour],
                low=language.integer(low),
                high=language.integer(each.up_to_bits),
            )
            broken = each.colour in _DASHES
            entries.append(LegendEntry(each.colour, plain(text), "dashed" if broken else "fill"))
        low = each.up_to_bits + 1
    kinds = {cell.standing for cell in (*weights.repo_tensors, *weights.match_tensors)}
    words = {
        "evidence": language.word("matrix that counts as evidence"),
        "support": language.word("vector, which only supports"),
        "generated": language.word("follows a formula, no evidence"),
        "not_compared": language.word("not compared"),
    }
    entries += [
        LegendEntry(_CELL_COLOURS[kind], text) for kind, text in words.items() if kind in kinds
    ]
    return tuple(entries)


def _classes(weights: WeightsEvidence) -> Counter[str]:
    return Counter(
        nearness_of(cell.hamming_bits or 0).colour
        for cell in weights.repo_tensors
        if cell.partner is not None
    )


def _description(weights: WeightsEvidence, language: Language) -> str:
    matched = sum(cell.partner is not None for cell in weights.repo_tensors)
    return plain(
        language.say(
            "Two columns of tensors, {repo_count} on the left and {match_count} on the right; "
            "bands join the {matched} on the left that match one on the right.",
            repo_count=language.integer(len(weights.repo_tensors)),
            match_count=language.integer(len(weights.match_tensors)),
            matched=language.integer(matched),
        )
    )
