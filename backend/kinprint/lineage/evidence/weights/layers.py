"""Numbered stacks of layers on both sides: in order, dropped, added, repeated or moved.

Which layer is which is decided by the tensors in it. The numbers in the keys say only which
tensors are shown as one layer and in what order the layers stand; the order in which tensors are
stored says neither (it is often that of the alphabet).
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from kinprint.lineage.evidence.record import LayerStack
from kinprint.lineage.evidence.weights.keys import MAX_NUMBERS, numbered, quoted
from kinprint.lineage.thresholds import LAYER_SHARE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from kinprint.fingerprint.record import Fingerprint
    from kinprint.lineage.evidence.weights.counterparts import Counterpart
    from kinprint.lineage.matching import Matching

_MIN_LAYERS = 3
"""Fewer numbered parts than this on both sides are no stack (``fc1`` and ``fc2``)."""

Layer = tuple[str, int]
"""A stack's pattern, ``model.layers.{n}``, and a layer's number in it."""

Order = Literal["in_order", "dropped", "added", "repeated", "moved"]


@dataclass(frozen=True)
class LayerTally:
    """One side's numbered layers, of any stack.

    Attributes:
        layer_of: The layer of each evidence view that lies in one, by index into ``views``.
        tensors: Evidence views of each layer.
        layers: Layers of each stack, by its pattern.
    """

    layer_of: Mapping[int, Layer]
    tensors: Mapping[Layer, int]
    layers: Mapping[str, int]


def layer_tally(fingerprint: Fingerprint, views: NDArray[np.intp]) -> LayerTally:
    """Sort evidence views into numbered layers by their keys.

    The stack is told by the first number of a key that takes several values below one beginning:
    ``stage1.layers.{n}`` where there is but one stage.

    Args:
        fingerprint: One side.
        views: intp (n,), its evidence views.
    """
    keys = {int(view): numbered(fingerprint.views[view].name) for view in views}
    beginnings = {view: quoted(key.texts[0]) for view, key in keys.items()}
    layer_of: dict[int, Layer] = {}
    for place in range(MAX_NUMBERS):
        groups: dict[str, list[int]] = defaultdict(list)
        for view, beginning in beginnings.items():
            if len(keys[view].numbers) > place:
                groups[beginning].append(view)
        beginnings = {}
        for beginning, members in groups.items():
            several = len({keys[view].numbers[place] for view in members}) > 1
            for view in members:
                texts, numbers = keys[view]
                if several:
                    layer_of[view] = (f"{beginning}{{n}}", numbers[place])
                else:
                    beginnings[view] = f"{beginning}{numbers[place]}{quoted(texts[place + 1])}"
    tensors = Counter(layer_of.values())
    return LayerTally(layer_of, tensors, Counter(stack for stack, _ in tensors))


def layer_stacks(matching: Matching, found: Iterable[Counterpart]) -> tuple[LayerStack, ...]:
    """Return how the stacks of both sides correspond, those with most layers in common first.

    Args:
        matching: Repo and match.
        found: Their counterparts, copies of a layer included.
    """
    mine = layer_tally(matching.query, matching.query_views)
    theirs = layer_tally(matching.candidate, matching.candidate_views)
    pairs = _layer_pairs(mine, theirs, found)
    by_stacks: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for (stack, number), (other, other_number) in sorted(pairs):
        by_stacks[stack, other].append((number, other_number))
    known = Counter(stack for stack, _ in {layer for layer, _ in pairs})
    kept = Counter(stack for stack, _ in {layer for _, layer in pairs})
    stacks = [
        LayerStack(
            repo_stack=stack,
            match_stack=other,
            repo_layers=mine.layers[stack],
            match_layers=theirs.layers[other],
            pairs=tuple(numbers),
            order=_order(
                numbers,
                dropped=kept[other] < theirs.layers[other],
                added=known[stack] < mine.layers[stack],
            ),
        )
        for (stack, other), numbers in by_stacks.items()
        if max(mine.layers[stack], theirs.layers[other]) >= _MIN_LAYERS
    ]
    return tuple(sorted(stacks, key=lambda stack: (-len(stack.pairs), stack.repo_stack)))


def _layer_pairs(
    mine: LayerTally, theirs: LayerTally, found: Iterable[Counterpart]
) -> list[tuple[Layer, Layer]]:
    """Layers of which most matched tensors, and enough of all, match the other, both ways."""
    shared: dict[tuple[Layer, Layer], tuple[set[int], set[int]]] = {}
    matched: dict[Layer, set[int]] = defaultdict(set)
    matched_there: dict[Layer, set[int]] = defaultdict(set)
    for each in found:
        layer, other = mine.layer_of.get(each.repo), theirs.layer_of.get(each.match)
        if layer is not None:
            matched[layer].add(each.repo)
        if other is not None:
            matched_there[other].add(each.match)
        if layer is not None and other is not None:
            here, there = shared.setdefault((layer, other), (set(), set()))
            here.add(each.repo)
            there.add(each.match)
    return [
        (layer, other)
        for (layer, other), (here, there) in shared.items()
        if _is_most(len(here), len(matched[layer]), mine.tensors[layer])
        and _is_most(len(there), len(matched_there[other]), theirs.tensors[other])
    ]


def _is_most(shared: int, matched: int, tensors: int) -> bool:
    return 2 * shared > matched and shared >= LAYER_SHARE * tensors


def _order(pairs: Sequence[tuple[int, int]], *, dropped: bool, added: bool) -> tuple[Order, ...]:
    moved = bool(moved_layers(pairs))
    flags: dict[Order, bool] = {
        "in_order": not moved,
        "dropped": dropped,
        "added": added,
        "repeated": len({there for _, there in pairs}) < len(pairs)
        or len({here for here, _ in pairs}) < len(pairs),
        "moved": moved,
    }
    return tuple(name for name, holds in flags.items() if holds)


def moved_layers(pairs: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    """Numbers of the match's layers that stand in another order in the repo, as few as possible.

    A repeated layer stands wherever that keeps the order.

    Args:
        pairs: (repo layer, match layer).
    """
    if not _out_of_order([(there, here) for here, there in pairs]):
        return ()
    return _out_of_order(pairs)


def _out_of_order(pairs: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    """Second numbers outside one longest chain of rising first numbers (patience sort)."""
    chain = sorted(pairs, key=lambda pair: (pair[1], -pair[0]))
    ends: list[int] = []
    last: list[int] = []
    before: list[int | None] = []
    for place, (here, _) in enumerate(chain):
        length = bisect_right(ends, here)
        before.append(last[length - 1] if length else None)
        if length == len(ends):
            ends.append(here)
            last.append(place)
        else:
            ends[length], last[length] = here, place
    taken: set[int] = set()
    at: int | None = last[-1] if last else None
    while at is not None:
        taken.add(chain[at][1])
        at = before[at]
    return tuple(sorted({there for _, there in pairs} - taken))
