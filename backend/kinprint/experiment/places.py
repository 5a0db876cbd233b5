"""Where a tensor sits, seen from the tensors around it whose partners are known.

Names only group tensors within one model here: ``blocks.3.attn`` is a place because its matrices
have partners, whatever it is called.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Anchor:
    """A pair that is known: keys of the suspect's and of the original's tensor."""

    suspect: str
    original: str
    negated: bool


class Places:
    """Which part of the original each part of the suspect corresponds to, and back."""

    def __init__(self, anchors: Iterable[Anchor]) -> None:
        known = tuple(anchors)
        self._to_original = _Images((each.suspect, each.original) for each in known)
        self._to_suspect = _Images((each.original, each.suspect) for each in known)
        self._negations: dict[Path, set[bool]] = {}
        for each in known:
            self._negations.setdefault(_module(each.suspect), set()).add(each.negated)

    def agree(self, suspect: str, original: str) -> bool:
        """Say whether each of two tensors lies where the other's surroundings point to."""
        there, here = self._to_original.of(suspect), self._to_suspect.of(original)
        return _lies_in(original, there) and _lies_in(suspect, here)

    def tells(self, suspect: str, original: str) -> bool:
        """Say whether the surroundings are a part of the model, not most of it, on both sides."""
        return self._to_original.is_part(suspect) and self._to_suspect.is_part(original)

    def negates(self, suspect: str) -> bool:
        """Say whether all known tensors of its module are their partners times -1."""
        return self._negations.get(_module(suspect)) == {True}


class _Images:
    """Maps each module with known tensors to the smallest one that holds all their partners."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._images: dict[Path, Path] = {}
        self._known: Counter[Path] = Counter()
        for name, partner in pairs:
            scope, target = _module(name), _module(partner)
            for depth in range(len(scope) + 1):
                part = scope[:depth]
                image = self._images.get(part)
                self._images[part] = target if image is None else _common(image, target)
                self._known[part] += 1

    def of(self, name: str) -> Path | None:
        """Return where the tensors around one have their partners; None if none is known."""
        return self._images.get(self._around(name))

    def is_part(self, name: str) -> bool:
        """Say whether less than half of all known tensors are around this one."""
        return 2 * self._known[self._around(name)] < self._known[()]

    def _around(self, name: str) -> Path:
        scope = _module(name)
        while scope and scope not in self._images:
            scope = scope[:-1]
        return scope


def _module(name: str) -> Path:
    return tuple(name.split(".")[:-1])


def _lies_in(name: str, scope: Path | None) -> bool:
    return scope is not None and _module(name)[: len(scope)] == scope


def _common(left: Path, right: Path) -> Path:
    depth = 0
    while depth < min(len(left), len(right)) and left[depth] == right[depth]:
        depth += 1
    return left[:depth]
