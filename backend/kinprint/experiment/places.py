"""Where a tensor sits, seen from the tensors around it whose partners are known.

Names only group tensors within one model here: ``blocks.3.attn`` is a place because its matrices
have partners, whatever it is called.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

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
        self._to_original = _images((each.suspect, each.original) for each in known)
        self._to_suspect = _images((each.original, each.suspect) for each in known)
        self._negations: dict[Path, set[bool]] = {}
        for each in known:
            self._negations.setdefault(_module(each.suspect), set()).add(each.negated)

    def agree(self, suspect: str, original: str) -> bool:
        """Say whether each of two tensors lies where the other's surroundings point to."""
        there, here = (
            self._image(suspect, self._to_original),
            self._image(original, self._to_suspect),
        )
        return _lies_in(original, there) and _lies_in(suspect, here)

    def tells(self, suspect: str, original: str) -> bool:
        """Say whether the surroundings of both point to less than the whole of the other."""
        return self._image(suspect, self._to_original) != self._to_original.get(()) and self._image(
            original, self._to_suspect
        ) != self._to_suspect.get(())

    def negates(self, suspect: str) -> bool:
        """Say whether all known tensors of its module are their partners times -1."""
        return self._negations.get(_module(suspect)) == {True}

    @staticmethod
    def _image(name: str, images: Mapping[Path, Path]) -> Path | None:
        scope = _module(name)
        while scope not in images:
            if not scope:
                return None
            scope = scope[:-1]
        return images[scope]


def _images(pairs: Iterable[tuple[str, str]]) -> dict[Path, Path]:
    """Map each module with known tensors to the smallest one that holds all their partners."""
    images: dict[Path, Path] = {}
    for name, partner in pairs:
        scope, target = _module(name), _module(partner)
        for depth in range(len(scope) + 1):
            part = scope[:depth]
            images[part] = _common(images[part], target) if part in images else target
    return images


def _module(name: str) -> Path:
    return tuple(name.split(".")[:-1])


def _lies_in(name: str, scope: Path | None) -> bool:
    return scope is not None and _module(name)[: len(scope)] == scope


def _common(left: Path, right: Path) -> Path:
    depth = 0
    while depth < min(len(left), len(right)) and left[depth] == right[depth]:
        depth += 1
    return left[:depth]
