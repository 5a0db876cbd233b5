"""From a specification to an SVG that belongs to the page: its colours, its fonts, no script.

vl-convert runs Vega without a browser and without a network. Its SVG is then bound to the page:
every colour becomes a class, so that dark pages and print redraw nothing, and what Vega writes for
its own accessibility tree gives way to one title and one description.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from kinprint.report.plots.palette import BY_LIGHT, ink

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kinprint.report.blocks import Plot

WIDTH = 720
"""Of a drawing, in its own units; the page scales it."""

_CHARACTER_WIDTH = 8
"""Of 12 px text in the widest of the usual fonts; a Chinese character takes more, but less room
than the Latin words that it stands for."""

_SVG = "http://www.w3.org/2000/svg"
_DROPPED = frozenset(
    {"role", "pointer-events", "font-family", "class", "version", "width", "height"}
)
_PAINTED = {"fill": "f", "stroke": "s"}
_VEGA_LITE = "vega-lite"

ET.register_namespace("", _SVG)


def config() -> dict[str, Any]:
    """Return what all drawings share: quiet axes in the page's colours."""
    text = {"labelColor": ink("muted"), "titleColor": ink("muted")}
    return {
        "background": None,
        "view": {"stroke": None},
        "axis": {
            **text,
            "labelFontSize": 12,
            "titleFontSize": 12,
            "titleFontWeight": "normal",
            "titlePadding": 10,
            "labelPadding": 6,
            "domainColor": ink("line"),
            "tickColor": ink("line"),
            "gridColor": ink("grid"),
            "domain": False,
            "ticks": False,
        },
        "text": {"color": ink("ink"), "fontSize": 12},
    }


def svg_of(plot: Plot) -> Markup:
    """Return the drawing as inline SVG with its title and description.

    Args:
        plot: What to draw; all strings in its data are escaped on the way.
    """
    import vl_convert

    schema = str(plot.spec.get("$schema", ""))
    convert = vl_convert.vegalite_to_svg if _VEGA_LITE in schema else vl_convert.vega_to_svg
    drawn = convert(dict(plot.spec), allowed_base_urls=[])
    root = ET.fromstring(drawn)  # noqa: S314 - our own converter made it
    size = root.attrib["viewBox"]
    _bind(root)
    root.attrib.clear()
    title, description = f"{plot.name}-title", f"{plot.name}-description"
    root.attrib.update(
        {
            "viewBox": size,
            "role": "img",
            "aria-labelledby": title,
            "aria-describedby": description,
        }
    )
    for number, (tag, identity, text) in enumerate(
        (("title", title, plot.title), ("desc", description, plot.description))
    ):
        element = ET.Element(f"{{{_SVG}}}{tag}", {"id": identity})
        element.text = text
        root.insert(number, element)
    return Markup(ET.tostring(root, encoding="unicode"))  # noqa: S704 - serialised, so escaped


def _bind(element: ET.Element) -> None:
    for child in list(element):
        if _draws_nothing(child):
            element.remove(child)
        else:
            _bind(child)
    attributes = element.attrib
    classes = []
    for attribute, letter in _PAINTED.items():
        colour = attributes.get(attribute, "none")
        if colour in BY_LIGHT:
            classes.append(f"{letter}-{BY_LIGHT[colour]}")
            del attributes[attribute]
    for attribute in list(attributes):
        if attribute in _DROPPED or attribute.startswith("aria-"):
            del attributes[attribute]
    if attributes.get("opacity") == "1":
        del attributes["opacity"]
    if classes:
        attributes["class"] = " ".join(classes)


def _draws_nothing(element: ET.Element) -> bool:
    """Whether Vega put it there for events alone."""
    if element.attrib.get("display") == "none":
        return True
    tag, attributes = element.tag.rpartition("}")[2], element.attrib
    unpainted = "fill" not in attributes and "stroke" not in attributes
    return tag == "path" and attributes.get("class") == "background" and unpainted


def label_room(labels: Sequence[str]) -> int:
    """Return how much room labels may need in any font of the page, wider than Vega's own."""
    return 12 + _CHARACTER_WIDTH * max((len(label) for label in labels), default=0)


def vega_lite(**spec: Any) -> Mapping[str, Any]:
    """Return a Vega-Lite specification with the shared looks."""
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "width": WIDTH,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "padding": {"left": 4, "top": 4, "right": 32, "bottom": 4},
        "config": config(),
        **spec,
    }


def vega(**spec: Any) -> Mapping[str, Any]:
    """Return a Vega specification with the shared looks."""
    return {
        "$schema": "https://vega.github.io/schema/vega/v6.json",
        "width": WIDTH,
        "padding": 4,
        "config": config(),
        **spec,
    }
