"""The size of the change, tensor by tensor, with intervals."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any

from kinprint.report.blocks import LegendEntry, Plot
from kinprint.report.plots.drawing import vega_lite
from kinprint.report.plots.palette import ink
from kinprint.report.texts.language import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kinprint.lineage.evidence.record import Estimate
    from kinprint.report.texts.language import Language

MAX_MARKS = 300
"""More would be thinner than a pixel; neighbours are then drawn as one."""

_LEAST_SPREAD = 0.1
"""Share of σ that is drawn below and above it at least; trainings spread by 2.5 to 7 %."""


def sigma_plot(estimates: Sequence[Estimate], pooled: Estimate | None, language: Language) -> Plot:
    """Draw σ of each tensor as a point on its 95 % interval, and the pooled σ as a band.

    Args:
        estimates: In the repo's order; at least one.
        pooled: One σ for all tensors.
        language: Of the report.
    """
    together = -(-len(estimates) // MAX_MARKS)
    values = [
        _joined(estimates[start : start + together], start)
        for start in range(0, len(estimates), together)
    ]
    x = {
        "field": "at",
        "type": "quantitative",
        "scale": {"domain": [-0.5, len(estimates) + 0.5], "nice": False, "zero": False},
        "axis": {
            "title": language.word("tensor, in the order of the first model"),
            "grid": False,
            "tickMinStep": 1,
            "tickCount": 8,
        },
    }
    y = {
        "type": "quantitative",
        "scale": {"zero": False, "nice": True, "domain": _range(values, pooled)},
        "axis": {
            "title": language.word("σ, in units of the weights"),
            "format": ".3~g",
            "tickCount": 5,
        },
    }
    layers: list[dict[str, Any]] = []
    if pooled is not None:
        band = [{"low": pooled.low, "high": pooled.high, "value": pooled.value}]
        layers += [
            {
                "data": {"values": band},
                "mark": {"type": "rect", "color": ink("second"), "opacity": 0.25},
                "encoding": {"y": {"field": "low", **y}, "y2": {"field": "high"}},
            },
            {
                "data": {"values": band},
                "mark": {"type": "rule", "color": ink("second"), "strokeWidth": 1.5},
                "encoding": {"y": {"field": "value", **y}},
            },
        ]
    layers += [
        {
            "data": {"values": values},
            "mark": {"type": "rule", "color": ink("first"), "opacity": 0.55, "strokeWidth": 1.5},
            "encoding": {"x": x, "y": {"field": "low", **y}, "y2": {"field": "high"}},
        },
        {
            "data": {"values": values},
            "mark": {"type": "circle", "color": ink("first"), "size": 22, "opacity": 1},
            "encoding": {"x": x, "y": {"field": "value", **y}},
        },
    ]
    return Plot(
        name="sigma-plot",
        title=language.word("Size of the change in each tensor"),
        description=_description(estimates, pooled, language),
        spec=vega_lite(height=240, layer=layers),
        legend=_legend(pooled, together, language),
    )


def _range(values: Sequence[dict[str, float]], pooled: Estimate | None) -> list[float]:
    """All intervals, and never so near that equal looks different."""
    centre = median(each["value"] for each in values) if pooled is None else pooled.value
    return [
        min(centre * (1 - _LEAST_SPREAD), *(each["low"] for each in values)),
        max(centre * (1 + _LEAST_SPREAD), *(each["high"] for each in values)),
    ]


def _joined(estimates: Sequence[Estimate], start: int) -> dict[str, float]:
    return {
        "at": start + (len(estimates) + 1) / 2,
        "value": median(each.value for each in estimates),
        "low": min(each.low for each in estimates),
        "high": max(each.high for each in estimates),
    }


def _legend(pooled: Estimate | None, together: int, language: Language) -> tuple[LegendEntry, ...]:
    if together == 1:
        mark = language.word("one tensor with its 95 % interval")
    else:
        mark = plain(
            language.say(
                "{count} neighbouring tensors: median, and the widest of their 95 % intervals",
                count=language.integer(together),
            )
        )
    entries = [LegendEntry("first", mark, "dot")]
    if pooled is not None:
        entries.append(
            LegendEntry("second", language.word("one σ for all tensors, with its interval"), "line")
        )
    return tuple(entries)


def _description(estimates: Sequence[Estimate], pooled: Estimate | None, language: Language) -> str:
    text = plain(
        language.say(
            "Dot plot. σ of {count} tensors lies between {low} and {high}.",
            count=language.integer(len(estimates)),
            low=language.number(min(each.value for each in estimates)),
            high=language.number(max(each.value for each in estimates)),
        )
    )
    if pooled is None:
        return text
    return f"{text} " + plain(
        language.say(
            "One σ for all of them is {value}, 95 % interval {low} to {high}.",
            value=language.number(pooled.value, 4),
            low=language.number(pooled.low, 4),
            high=language.number(pooled.high, 4),
        )
    )
