"""The family tree: who came from whom, as measured and declared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kinprint.report.blocks import LegendEntry, Plot
from kinprint.report.plots.drawing import vega
from kinprint.report.plots.palette import ink
from kinprint.report.texts.language import plain
from kinprint.report.texts.sentences import said
from kinprint.report.texts.verdict_words import EDGE_WORDS, TRANSFORM_WORDS
from kinprint.report.texts.visible import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kinprint.lineage.evidence.record import LineageTree, TreeNode
    from kinprint.report.texts.language import Language

_COLOURS = {"repo": "first", "match": "second", "ancestor": "quiet", "relative": "quiet"}
_STEP, _ROW_HEIGHT, _CORNER = 36, 52, 8
_MAX_LABEL = 48
MAX_NODES = 64


def tree_plot(tree: LineageTree, language: Language) -> Plot:
    """Draw the tree from its roots downwards; declared edges are whole, measured ones broken.

    Args:
        tree: At least one node; a parent that does not exist or would close a circle is left out.
        language: Of the report.
    """
    nodes = tree.nodes[:MAX_NODES]
    parents = sound_parents(nodes)
    return Plot(
        name="tree-plot",
        title=language.word("Family tree"),
        description=plain(
            language.count(
                "Tree of {n} model; the table below it says the same in words.",
                "Tree of {n} models; the table below it says the same in words.",
                len(nodes),
            )
        ),
        spec=_spec(nodes, parents, language),
        legend=(
            LegendEntry("first", language.word("the first model"), "dot"),
            LegendEntry("second", language.word("the second model"), "dot"),
            LegendEntry("quiet", language.word("another model"), "dot"),
            LegendEntry("ink", language.word("declared and measured"), "line"),
            LegendEntry("muted", language.word("measured, not declared"), "dashed"),
        ),
    )


def sound_parents(nodes: Sequence[TreeNode]) -> list[int | None]:
    """Return each node's parent, None where it does not exist or the way up runs in a circle."""
    parents = [
        node.parent if node.parent is not None and 0 <= node.parent < len(nodes) else None
        for node in nodes
    ]
    for start in range(len(nodes)):
        seen = {start}
        at = parents[start]
        while at is not None and at not in seen:
            seen.add(at)
            at = parents[at]
        if at is not None:
            parents[start] = None
    return parents


def depths(parents: Sequence[int | None]) -> list[int]:
    """Return how many ancestors each node has."""
    found = []
    for start in range(len(parents)):
        depth, at = 0, parents[start]
        while at is not None:
            depth, at = depth + 1, parents[at]
        found.append(depth)
    return found


def _in_rows(parents: Sequence[int | None]) -> list[int]:
    """Return the nodes from top to bottom, each below its parent and before the next branch."""
    children: dict[int | None, list[int]] = {}
    for number, parent in enumerate(parents):
        children.setdefault(parent, []).append(number)
    rows: list[int] = []
    waiting = children.get(None, [])[::-1]
    while waiting:
        node = waiting.pop()
        rows.append(node)
        waiting += children.get(node, [])[::-1]
    return rows


def _spec(
    nodes: Sequence[TreeNode],
    parents: Sequence[int | None],
    language: Language,
) -> Any:
    rows = _in_rows(parents)
    depth = depths(parents)
    place = {
        node: (_STEP / 2 + depth[node] * _STEP, _ROW_HEIGHT * (row + 0.4))
        for row, node in enumerate(rows)
    }
    models, links = [], []
    for number, node in enumerate(nodes):
        x, y = place[number]
        models.append(
            {
                "x": x,
                "y": y,
                "name": visible(node.name, _MAX_LABEL),
                "relation": visible(_under(node, language), 2 * _MAX_LABEL),
                "fill": ink(_COLOURS[node.role]),
            }
        )
        parent = parents[number]
        if parent is not None:
            from_x, from_y = place[parent]
            links.append(
                {
                    "path": f"M{from_x},{from_y}V{y - _CORNER}Q{from_x},{y} {from_x + _CORNER},{y}"
                    f"H{x}",
                    "dash": [] if node.declared else [4, 3],
                    "colour": ink("ink" if node.declared else "muted"),
                }
            )
    return vega(
        height=len(rows) * _ROW_HEIGHT,
        data=[{"name": "models", "values": models}, {"name": "links", "values": links}],
        marks=[
            {
                "type": "path",
                "from": {"data": "links"},
                "encode": {
                    "enter": {
                        "path": {"field": "path"},
                        "stroke": {"field": "colour"},
                        "strokeDash": {"field": "dash"},
                        "strokeWidth": {"value": 1.5},
                    }
                },
            },
            {
                "type": "symbol",
                "from": {"data": "models"},
                "encode": {
                    "enter": {
                        "x": {"field": "x"},
                        "y": {"field": "y"},
                        "size": {"value": 150},
                        "fill": {"field": "fill"},
                        "stroke": {"value": ink("paper")},
                        "strokeWidth": {"value": 2},
                    }
                },
            },
            _label("name", 0, "ink", 13),
            _label("relation", 17, "muted", 11),
        ],
    )


def _under(node: TreeNode, language: Language) -> str:
    words = [] if node.relation is None else [language.word(EDGE_WORDS[node.relation])]
    words += [
        language.word(TRANSFORM_WORDS[each]) for each in node.transforms if each in TRANSFORM_WORDS
    ]
    if node.reason and not words:
        words.append(plain(said(node.reason, language)))
    return plain(language.series(words))


def _label(field: str, dy: int, colour: str, size: int) -> dict[str, Any]:
    return {
        "type": "text",
        "from": {"data": "models"},
        "encode": {
            "enter": {
                "x": {"field": "x", "offset": 14},
                "y": {"field": "y", "offset": dy},
                "text": {"field": field},
                "fill": {"value": ink(colour)},
                "fontSize": {"value": size},
                "baseline": {"value": "middle"},
            }
        },
    }
