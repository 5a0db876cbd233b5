"""State-dict keys taken apart for display: dotted parts, and the numbers in them.

Keys are hostile: up to 200,000 of up to 1,024 characters, with any digits, braces and brackets.
Everything here takes time linear in their length, and nothing here is evidence.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_PARTS = 16
"""Dotted parts that are told apart; the rest of a longer key is one part (honest keys: ≤ 14)."""

MAX_NUMBERS = 6
"""Numbers of a key that can become variables; later ones stay text."""

MAX_DIGITS = 9
"""A longer run of digits, or one with leading zeros, is text: it counts no layers."""

_NUMBER = re.compile(rf"(?<![0-9])(0|[1-9][0-9]{{0,{MAX_DIGITS - 1}}})(?![0-9])")
_DIGITS = re.compile("[0-9]+")

ROOT = 0
"""The node of every ``KeyTree`` that all keys pass through."""


class Numbered(NamedTuple):
    """A text and the numbers in it: ``texts`` stand around ``numbers``, one more of them."""

    texts: tuple[str, ...]
    numbers: tuple[int, ...]


def numbered(text: str, *, at_most: int = MAX_NUMBERS) -> Numbered:
    """Take a text apart at the numbers that are written as a program writes them.

    Args:
        text: A key or a part of one.
        at_most: Numbers that are told apart; later ones stay text.
    """
    if not at_most:
        return Numbered((text,), ())
    pieces = _NUMBER.split(text, maxsplit=at_most)
    return Numbered(tuple(pieces[::2]), tuple(map(int, pieces[1::2])))


def without_digits(key: str) -> str:
    """Return what keys that differ in digits alone have in common, however these are written."""
    return _DIGITS.sub("0", key)


def quoted(text: str) -> str:
    """Double the braces of a literal text, as in a format string."""
    return text.replace("{", "{{").replace("}", "}}")


class KeyTree:
    """Keys as paths of dotted parts; keys that begin alike share nodes.

    A key's path starts at ``ROOT`` and ends in a node of its own that closes it, so that the key
    ``a`` is told from the beginning of ``a.b``. All lists are indexed by node.

    Attributes:
        part: The dotted part that leads to the node; None for a closing node.
        kind: Equal for nodes whose paths differ in numbers only.
        numbers: The numbers on the path, at most ``MAX_NUMBERS``.
    """

    def __init__(self) -> None:
        self.part: list[str | None] = [""]
        self.kind: list[int] = [0]
        self.numbers: list[tuple[int, ...]] = [()]
        self._parent: list[int] = [-1]
        self._children: dict[tuple[int, str | None], int] = {}
        self._kinds: dict[tuple[int, tuple[str, ...] | None], int] = {}

    def __len__(self) -> int:
        """Return the number of nodes."""
        return len(self.part)

    def add(self, key: str) -> tuple[int, ...]:
        """Add a key and return its path: the root, a node for each part, the closing node."""
        path = [ROOT]
        for part in (*key.split(".", MAX_PARTS - 1), None):
            path.append(self._child(path[-1], part))
        return tuple(path)

    def _child(self, parent: int, part: str | None) -> int:
        child = self._children.get((parent, part))
        if child is not None:
            return child
        texts: tuple[str, ...] | None = None
        numbers = self.numbers[parent]
        if part is not None:
            texts, own = numbered(part, at_most=MAX_NUMBERS - len(numbers))
            numbers += own
        child = self._children[(parent, part)] = len(self.part)
        self.part.append(part)
        self.kind.append(self._kinds.setdefault((self.kind[parent], texts), len(self._kinds) + 1))
        self.numbers.append(numbers)
        self._parent.append(parent)
        return child

    def is_closing(self, node: int) -> bool:
        """Whether the node ends a key."""
        return self.part[node] is None

    def own_numbers(self, node: int) -> range:
        """Places, among the path's numbers, of those in the node's own part."""
        return range(len(self.numbers[self._parent[node]]), len(self.numbers[node]))

    def path(self, node: int) -> str:
        """Return what is written from the root to a node."""
        parts: list[str] = []
        while node != ROOT:
            part = self.part[node]
            if part is not None:
                parts.append(part)
            node = self._parent[node]
        return ".".join(reversed(parts))

    def pattern(self, node: int, numbers: Sequence[str]) -> str:
        """Return the path as text, its numbers replaced, braces of the key doubled.

        Args:
            node: Where the path ends.
            numbers: What to write for each of the path's numbers.
        """
        parts: list[str] = []
        while node != ROOT:
            part = self.part[node]
            if part is not None:
                written = [numbers[place] for place in self.own_numbers(node)]
                texts, _ = numbered(part, at_most=len(written))
                pieces = [quoted(texts[0])]
                for number, text in zip(written, texts[1:], strict=True):
                    pieces += [number, quoted(text)]
                parts.append("".join(pieces))
            node = self._parent[node]
        return ".".join(reversed(parts))
