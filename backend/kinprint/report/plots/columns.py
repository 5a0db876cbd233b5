"""Where each tensor of the tensor map stands: two columns, their groups, and bands between them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from kinprint.report.plots.palette import nearness_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kinprint.lineage.evidence.record import TensorCell

_SHARES = {"evidence": 1.0, "support": 0.35, "generated": 0.35, "not_compared": 0.35}
"""Height of a tensor in the column, beside a matrix that counts as evidence."""

_NUMBER = re.compile(r"(\d+)")


@dataclass(frozen=True)
class Placed:
    """A tensor in its column.

    Attributes:
        cell: The tensor.
        group: The layer or module that it is drawn with.
        top: Upper edge, 0 to 1 from the top of the column.
        bottom: Lower edge.
    """

    cell: TensorCell
    group: str
    top: float
    bottom: float


@dataclass(frozen=True)
class Band:
    """Neighbours on one side that are neighbours on the other, drawn as one.

    Edges are shares of the columns' height; the right ones are swapped where the order turns.
    """

    colour: str
    tensors: int
    left_top: float
    left_bottom: float
    right_top: float
    right_bottom: float


@dataclass(frozen=True)
class Group:
    """A run of tensors of one layer or module."""

    label: str
    top: float
    bottom: float


def natural_key(name: str) -> tuple[tuple[int, str], ...]:
    """Return a sorting key that puts layer 2 before layer 10."""
    return tuple(
        (int(part[:18]), "") if number % 2 else (-1, part)
        for number, part in enumerate(_NUMBER.split(name))
    )


def left_column(cells: Sequence[TensorCell]) -> dict[int, Placed]:
    """Return the first model's tensors from top to bottom, by their index in the record."""
    order = sorted(range(len(cells)), key=lambda number: natural_key(cells[number].name))
    return _stacked_up(cells, order)


def right_column(cells: Sequence[TensorCell], left: dict[int, Placed]) -> dict[int, Placed]:
    """Return the second model's tensors, modules and tensors beside their partners.

    Layers of a stack keep the order of their numbers, so that crossing bands mean moved layers;
    the order of modules and within a layer means nothing and follows the first model.
    """
    height = [left[cell.partner].top if cell.partner in left else float("inf") for cell in cells]
    by_stem: dict[str, float] = {}
    for cell, top in zip(cells, height, strict=True):
        stem = stem_of(group_of(cell.name))
        by_stem[stem] = min(by_stem.get(stem, float("inf")), top)

    def key(number: int) -> tuple[object, ...]:
        name = cells[number].name
        group = group_of(name)
        stem = stem_of(group)
        return by_stem[stem], stem, natural_key(group), height[number], natural_key(name)

    return _stacked_up(cells, sorted(range(len(cells)), key=key))


def _stacked_up(cells: Sequence[TensorCell], order: Sequence[int]) -> dict[int, Placed]:
    total = sum(_SHARES[cell.standing] for cell in cells)
    placed: dict[int, Placed] = {}
    at = 0.0
    for number in order:
        cell = cells[number]
        following = at + _SHARES[cell.standing] / total
        placed[number] = Placed(cell, group_of(cell.name), at, following)
        at = following
    return placed


def group_of(name: str) -> str:
    """Return the layer of a tensor, or the first parts of its name where it has none."""
    found = _NUMBER.search(name)
    if found is not None and name[: found.end()].count(".") < name.count("."):
        return name[: found.end()]
    return ".".join(name.split(".")[:2]) if name.count(".") > 1 else name.split(".")[0]


def bands(left: dict[int, Placed], right: dict[int, Placed]) -> list[Band]:
    """Join matched neighbours of one layer and one class of distance into bands."""
    drawn: list[Band] = []
    run: list[tuple[Placed, Placed, str]] = []
    for mine in left.values():
        partner = mine.cell.partner
        other = right.get(partner) if partner is not None else None
        if other is None:
            continue
        colour = nearness_of(mine.cell.hamming_bits or 0).colour
        if run and not _continues(run[-1], (mine, other, colour)):
            drawn.append(_band(run))
            run = []
        run.append((mine, other, colour))
    if run:
        drawn.append(_band(run))
    return drawn


def groups(placed: dict[int, Placed]) -> list[Group]:
    """Return the runs of tensors that share a layer or module."""
    found: list[Group] = []
    for each in placed.values():
        if found and found[-1].label == each.group:
            found[-1] = Group(each.group, found[-1].top, each.bottom)
        else:
            found.append(Group(each.group, each.top, each.bottom))
    return found


def stem_of(group: str) -> str:
    """Return what the layers of one stack have in common: ``layers.#``."""
    return _NUMBER.sub("#", group, count=1)


def labelled(found: Sequence[Group], least_height: float) -> list[Group]:
    """Return groups to write beside a column, stacks whose layers are too low as one.

    Args:
        found: From top to bottom.
        least_height: Share of the column that a line of text takes.
    """
    labels: list[Group] = []
    for stem, run in groupby(found, key=lambda each: stem_of(each.label)):
        layers = list(run)
        if "#" not in stem or all(each.bottom - each.top >= least_height for each in layers):
            labels += layers
            continue
        first, last = layers[0].label, _NUMBER.search(layers[-1].label)
        more = f" … {last.group(1)}" if last is not None and len(layers) > 1 else ""
        labels.append(Group(f"{first}{more}", layers[0].top, layers[-1].bottom))
    return labels


def _continues(previous: tuple[Placed, Placed, str], following: tuple[Placed, Placed, str]) -> bool:
    mine, other, colour = previous
    next_mine, next_other, next_colour = following
    same = colour == next_colour and mine.group == next_mine.group
    touches = _meet(mine.bottom, next_mine.top) and other.group == next_other.group
    return same and touches and _meet(other.bottom, next_other.top)


def _meet(edge: float, other: float) -> bool:
    return abs(edge - other) < 1e-9


def _band(run: Sequence[tuple[Placed, Placed, str]]) -> Band:
    (mine, other, colour), (last_mine, last_other, _) = run[0], run[-1]
    return Band(colour, len(run), mine.top, last_mine.bottom, other.top, last_other.bottom)
