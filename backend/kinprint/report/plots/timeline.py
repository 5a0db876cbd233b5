"""When either weight set can have existed, and what happened when."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from kinprint.report.blocks import LegendEntry, Plot
from kinprint.report.plots.drawing import label_room, vega_lite
from kinprint.report.plots.palette import ink
from kinprint.report.texts.language import plain
from kinprint.report.texts.visible import visible

if TYPE_CHECKING:
    from datetime import datetime

    from kinprint.lineage.evidence.record import Timeline
    from kinprint.lineage.verdict import Interval, Side
    from kinprint.report.texts.language import Language

_MARGIN = 0.06
"""Room on either side of the first and last date, as a share of the time between."""

_LEAST_MARGIN = timedelta(days=1)

MAX_EVENTS = 200


def timeline_plot(timeline: Timeline, a: Side, b: Side, language: Language) -> Plot | None:
    """Draw both intervals and all events; None where no date is known.

    Args:
        timeline: Events in the order of time.
        a: The first model.
        b: The second model.
        language: Of the report.
    """
    events = timeline.events[:MAX_EVENTS]
    bounds = [at for side in (a, b) for at in (side.first.not_before, side.first.not_after) if at]
    dates = [*bounds, *(event.at for event in events)]
    if not dates:
        return None
    first, last = min(dates), max(dates)
    margin = max((last - first) * _MARGIN, _LEAST_MARGIN)
    domain = (first - margin, last + margin)
    names = [visible(side.repo or side.source, 28) for side in (a, b)]
    rows = {"repo": 0, "match": 1}
    intervals = [
        _interval(side.first, row, domain)
        for row, side in enumerate((a, b))
        if side.first.not_before or side.first.not_after
    ]
    points = [
        {"at": _milliseconds(event.at), "row": rows[event.side], "counted": event.counted}
        for event in events
    ]
    return Plot(
        name="timeline-plot",
        title=language.word("When either set of weights can first have been published"),
        description=plain(
            language.count(
                "Two rows, one a model, with {n} event; the table below it lists the dates.",
                "Two rows, one a model, with {n} events; the table below it lists the dates.",
                len(events),
            )
        ),
        spec=_spec(intervals, points, names, domain),
        legend=(
            LegendEntry("first", language.word("first published within this interval")),
            LegendEntry("ink", language.word("event that bounds an interval"), "dot"),
            LegendEntry("muted", language.word("event that is shown but not counted"), "ring"),
        ),
    )


def _interval(first: Interval, row: int, domain: tuple[datetime, datetime]) -> dict[str, Any]:
    low, high = first.not_before, first.not_after
    if low and high and high < low:
        # The weights were seen before their repo was made, so its age says nothing about theirs.
        low = None
    return {
        "row": row,
        "low": _milliseconds(low or domain[0]),
        "high": _milliseconds(high or domain[1]),
        "opacity": 0.75 if low and high else 0.35,
    }


def _spec(
    intervals: list[dict[str, Any]],
    points: list[dict[str, Any]],
    names: list[str],
    domain: tuple[datetime, datetime],
) -> Any:
    x = {
        "type": "temporal",
        "scale": {
            "domain": [_milliseconds(each) for each in domain],
            "nice": False,
            "type": "utc",
        },
        "axis": {"title": None, "grid": True, "tickCount": 6, "format": "%Y-%m-%d"},
    }
    y = {
        "field": "row",
        "type": "ordinal",
        "scale": {"domain": [0, 1]},
        "axis": {
            "title": None,
            "labelLimit": 0,
            "minExtent": label_room(names),
            "labelExpr": "datum.value === 0 ? first_name : second_name",
            "labelColor": ink("ink"),
        },
    }
    return vega_lite(
        height={"step": 58},
        params=[
            {"name": "first_name", "value": names[0]},
            {"name": "second_name", "value": names[1]},
        ],
        layer=[
            {
                "data": {"values": intervals},
                "mark": {"type": "bar", "color": ink("first"), "height": 14, "cornerRadius": 3},
                "encoding": {
                    "x": {"field": "low", **x},
                    "x2": {"field": "high"},
                    "y": y,
                    "opacity": {"field": "opacity", "type": "quantitative", "scale": None},
                },
            },
            *(
                {
                    "data": {"values": [each for each in points if each["counted"] is counted]},
                    "mark": {
                        "type": "point",
                        "filled": counted,
                        "size": 60,
                        "color": ink("ink" if counted else "muted"),
                        "opacity": 1,
                        "strokeWidth": 1.5,
                    },
                    "encoding": {"x": {"field": "at", **x}, "y": y},
                }
                for counted in (False, True)
            ),
        ],
    )


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)
