"""How much of each parent every module holds, as bars."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kinprint.report.blocks import LegendEntry, Plot
from kinprint.report.plots.drawing import label_room, vega_lite
from kinprint.report.plots.palette import ink
from kinprint.report.texts.language import plain
from kinprint.report.texts.visible import visible

if TYPE_CHECKING:
    from kinprint.lineage.evidence.record import MergeEvidence
    from kinprint.report.texts.language import Language

MAX_PARENTS = 5
MAX_MODULES = 96
"""More modules than a printed page has lines; the table lists them."""

PARENT_COLOURS = ("first", "second", "third", "fourth", "fifth")
_INTERVALS_UP_TO_BARS = 30
_MAX_LABEL = 28
_STACKED_HEIGHT = 900


def merge_plot(merge: MergeEvidence, language: Language) -> Plot:
    """Draw the coefficients, with intervals while there is room for them.

    Args:
        merge: At least one module.
        language: Of the report.
    """
    parents = merge.parents[:MAX_PARENTS]
    modules = merge.modules[:MAX_MODULES]
    rows = [
        {
            "row": number,
            "parent": parents.index(share.parent),
            "value": share.coefficient.value,
            "low": share.coefficient.low,
            "high": share.coefficient.high,
        }
        for number, module in enumerate(modules)
        for share in module.shares
        if share.parent in parents
    ]
    labels = [
        visible(module.module, _MAX_LABEL) or language.word("the whole model") for module in modules
    ]
    apart = len(rows) <= _INTERVALS_UP_TO_BARS
    title = language.word("The mixture, module by module")
    return Plot(
        name="merge-plot",
        title=title,
        description=_description(merge, language),
        spec=_spec(rows, labels, len(parents), apart=apart, language=language),
        legend=tuple(
            LegendEntry(colour, visible(parent))
            for colour, parent in zip(PARENT_COLOURS, parents, strict=False)
        ),
    )


def _spec(
    rows: list[dict[str, Any]],
    labels: list[str],
    parents: int,
    *,
    apart: bool,
    language: Language,
) -> Any:
    x_axis = {"title": language.word("coefficient"), "tickCount": 6}
    y = {
        "field": "row",
        "type": "ordinal",
        "axis": {
            "title": None,
            "labelLimit": 0,
            "minExtent": label_room(labels),
            "labelExpr": "modules[datum.value]",
            "labelColor": ink("ink"),
        },
        "scale": {"paddingInner": 0.25},
    }
    colour = {
        "field": "parent",
        "type": "ordinal",
        "scale": {
            "domain": list(range(parents)),
            "range": [ink(each) for each in PARENT_COLOURS[:parents]],
        },
        "legend": None,
    }
    offset = {"yOffset": {"field": "parent", "type": "ordinal"}} if apart else {}
    bars = {
        "mark": {"type": "bar", "height": {"band": 0.9}},
        "encoding": {
            "x": {
                "field": "value",
                "type": "quantitative",
                "axis": x_axis,
                "stack": None if apart else "zero",
            },
            "y": y,
            "color": colour,
            "order": {"field": "parent"},
            **offset,
        },
    }
    interval = {
        "mark": {"type": "rule", "color": ink("ink"), "strokeWidth": 1.5},
        "encoding": {
            "x": {"field": "low", "type": "quantitative", "axis": x_axis},
            "x2": {"field": "high"},
            "y": y,
            **offset,
        },
    }
    step = (
        {"step": 15, "for": "offset"}
        if apart
        else {"step": max(9, min(22, _STACKED_HEIGHT // max(len(labels), 1)))}
    )
    return vega_lite(
        height=step,
        params=[{"name": "modules", "value": labels}],
        data={"values": rows},
        layer=[bars, interval] if apart else [bars],
    )


def _description(merge: MergeEvidence, language: Language) -> str:
    whole = merge.modules[0]
    listed = language.series(
        f"{visible(share.parent)} {language.number(share.coefficient.value)}"
        for share in whole.shares
    )
    return plain(
        language.say(
            "Bar chart of {count} modules; for {module}: {listed}.",
            count=language.integer(len(merge.modules)),
            module=visible(whole.module) or language.word("the whole model"),
            listed=listed,
        )
    )
