"""How far the matched tensors are apart, beside what strangers would show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kinprint.lineage.likelihood import stranger_pmf
from kinprint.report.blocks import LegendEntry, Plot
from kinprint.report.plots.drawing import vega_lite
from kinprint.report.plots.palette import ink
from kinprint.sketches.distances import HASH_BITS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kinprint.report.texts.language import Language

BIN_BITS = 4


def distances_plot(hamming_bits: Sequence[int], language: Language) -> Plot:
    """Draw a histogram of matched distances over the stranger distribution.

    Args:
        hamming_bits: Folded distances of matched evidence tensors, 0 to 128; at least one.
        language: Of the report.
    """
    edges = np.arange(0, HASH_BITS // 2 + 1, BIN_BITS)
    counts, _ = np.histogram(hamming_bits, bins=edges)
    strangers = np.add.reduceat(stranger_pmf()[:-1], edges[:-1])
    strangers[-1] += stranger_pmf()[-1]
    bars = [
        {"low": int(low), "high": int(low) + BIN_BITS, "share": float(share)}
        for low, share in zip(edges[:-1], counts / len(hamming_bits), strict=True)
        if share > 0
    ]
    null = [
        {"bits": int(low) + BIN_BITS / 2, "share": float(share)}
        for low, share in zip(edges[:-1], strangers, strict=True)
    ]
    x = {
        "type": "quantitative",
        "scale": {"domain": [0, HASH_BITS // 2], "nice": False},
        "axis": {
            "title": language.word("distance of the two hashes, in bits (0 equal, 128 unrelated)"),
            "values": list(range(0, HASH_BITS // 2 + 1, 16)),
            "grid": False,
        },
    }
    y = {
        "field": "share",
        "type": "quantitative",
        "axis": {"title": language.word("share of tensors"), "format": ".0%", "tickCount": 4},
    }
    spec = vega_lite(
        height=220,
        layer=[
            {
                "data": {"values": null},
                "mark": {
                    "type": "area",
                    "interpolate": "monotone",
                    "color": ink("null"),
                    "fillOpacity": 0.55,
                    "line": {"color": ink("quiet"), "strokeDash": [4, 3], "strokeWidth": 1.5},
                },
                "encoding": {"x": {"field": "bits", **x}, "y": y},
            },
            {
                "data": {"values": bars},
                "mark": {"type": "bar", "color": ink("close"), "binSpacing": 2},
                "encoding": {
                    "x": {"field": "low", "bin": "binned", **x},
                    "x2": {"field": "high"},
                    "y": y,
                },
            },
        ],
    )
    median = float(np.median(hamming_bits))
    description = language.say(
        "Histogram. The {count} matched tensors are {median} bits apart in the median (nearest "
        "{low}, farthest {high}); unrelated tensors would lie near 121 bits.",
        count=language.integer(len(hamming_bits)),
        median=language.short(median),
        low=language.integer(min(hamming_bits)),
        high=language.integer(max(hamming_bits)),
    )
    return Plot(
        name="distances-plot",
        title=language.word("Distances of matched tensors beside those of strangers"),
        description="".join(map(str, description)),
        spec=spec,
        legend=(
            LegendEntry("close", language.word("matched tensors of these two models")),
            LegendEntry(
                "quiet", language.word("unrelated tensors (the null distribution)"), "dashed"
            ),
        ),
    )
