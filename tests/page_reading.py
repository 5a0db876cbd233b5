"""Reads a page as a browser does, as far as the tests ask."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "link", "img", "br", "hr", "input", "base", "source", "embed"}


@dataclass(eq=False)
class Element:
    """One start tag with its attributes and all text within it."""

    tag: str
    attributes: dict[str, str]
    parents: tuple[Element, ...]
    text: str = ""
    closed: bool = False

    def inside(self, tag: str) -> bool:
        return any(parent.tag == tag for parent in self.parents)


@dataclass(eq=False)
class Page(HTMLParser):
    """All elements of a page in order.

    Attributes:
        elements: Every start tag.
        unbalanced: End tags that close nothing.
    """

    source: str
    elements: list[Element] = field(default_factory=list)
    unbalanced: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._open: list[Element] = []
        self.feed(self.source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {key: value or "" for key, value in attrs}, tuple(self._open))
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open[-1].tag != tag:
            self.unbalanced.append(tag)
            return
        self._open.pop()

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text += data

    def all(self, *tags: str) -> list[Element]:
        return [element for element in self.elements if element.tag in tags]

    def one(self, tag: str) -> Element:
        (element,) = self.all(tag)
        return element

    def section(self, name: str) -> Element:
        (element,) = (each for each in self.all("section") if each.attributes.get("id") == name)
        return element

    @property
    def ids(self) -> Counter[str]:
        return Counter(each.attributes["id"] for each in self.elements if "id" in each.attributes)
