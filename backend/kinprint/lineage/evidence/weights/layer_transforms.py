"""What became of whole layers, as transforms of a verdict."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from kinprint.lineage.evidence.weights.layers import layer_tally, moved_layers
from kinprint.lineage.rename_map import label
from kinprint.lineage.verdict import Transform

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kinprint.lineage.evidence.record import LayerStack
    from kinprint.lineage.evidence.weights.layers import Layer
    from kinprint.lineage.matching import Matching


def layer_transforms(stacks: Sequence[LayerStack], matching: Matching) -> tuple[Transform, ...]:
    """Return which layers were dropped, repeated or reordered, at most one transform of each.

    Args:
        stacks: What ``layer_stacks`` says of the pair.
        matching: The same pair, for the names of the tensors.
    """
    tally = layer_tally(matching.query, matching.query_views)
    keys: dict[Layer, list[str]] = defaultdict(list)
    for view, layer in tally.layer_of.items():
        keys[layer].append(label(matching.query.views[view]))
    mine: dict[Layer, set[Layer]] = defaultdict(set)
    theirs: dict[Layer, set[Layer]] = defaultdict(set)
    for stack in stacks:
        for here, there in stack.pairs:
            mine[stack.repo_stack, here].add((stack.match_stack, there))
            theirs[stack.match_stack, there].add((stack.repo_stack, here))
    found = (
        _dropped(stacks, mine, theirs, keys),
        _repeated(mine, theirs, keys),
        _reordered(stacks, keys),
    )
    return tuple(each for each in found if each is not None)


def _dropped(
    stacks: Sequence[LayerStack],
    mine: Mapping[Layer, set[Layer]],
    theirs: Mapping[Layer, set[Layer]],
    keys: Mapping[Layer, list[str]],
) -> Transform | None:
    """More layers of the match than of the repo are without a counterpart.

    As many on both sides may be the same layers, changed beyond recognition.
    """
    layers = {stack.match_stack: stack.match_layers for stack in stacks}
    missing = {
        stack: count - sum(pattern == stack for pattern, _ in theirs)
        for stack, count in layers.items()
    }
    own = {stack.repo_stack: stack.repo_layers for stack in stacks}
    unknown = sum(own.values()) - len(mine)
    dropped = sum(missing.values())
    if dropped <= unknown:
        return None
    parts = [f"{count} of {layers[stack]} ({stack})" for stack, count in missing.items() if count]
    return Transform(
        name="layers_dropped",
        summary=f"Layers of the match have no counterpart in this model: {', '.join(parts)}.",
        figures={
            "dropped": dropped,
            "match_layers": sum(layers.values()),
            "repo_layers": sum(own.values()),
            "unknown_repo_layers": unknown,
        },
        tensors=_names(mine, keys),
    )


def _repeated(
    mine: Mapping[Layer, set[Layer]],
    theirs: Mapping[Layer, set[Layer]],
    keys: Mapping[Layer, list[str]],
) -> Transform | None:
    """One side holds a layer more than once that the other holds less often."""
    here = {layer: places for layer, places in theirs.items() if len(places) > 1}
    there = {layer: places for layer, places in mine.items() if len(places) > 1}
    if not here and not there:
        return None
    parts = [
        f"{whole} more than once: {len(each)} of them, in {sum(map(len, each.values()))} places"
        for whole, each in (
            ("This model holds layers of the match", here),
            ("The match holds layers of this model", there),
        )
        if each
    ]
    places = [layer for copies in here.values() for layer in copies]
    return Transform(
        name="layers_repeated",
        summary=f"{'. '.join(parts)}.",
        figures={
            "side": "both" if here and there else "repo" if here else "match",
            "repeated": len(here) + len(there),
            "places": sum(map(len, here.values())) + sum(map(len, there.values())),
        },
        tensors=_names(dict.fromkeys((*places, *there)), keys),
    )


def _reordered(stacks: Sequence[LayerStack], keys: Mapping[Layer, list[str]]) -> Transform | None:
    """Layers stand in another order, by the numbers in their keys."""
    moved = {place: frozenset(moved_layers(stack.pairs)) for place, stack in enumerate(stacks)}
    parts = [
        f"{len(moved[place])} of {len({there for _, there in stack.pairs})} ({stack.repo_stack})"
        for place, stack in enumerate(stacks)
        if moved[place]
    ]
    if not parts:
        return None
    layers = [
        (stack.repo_stack, here)
        for place, stack in enumerate(stacks)
        for here, there in stack.pairs
        if there in moved[place]
    ]
    return Transform(
        name="layers_reordered",
        summary="By the numbers in their names, layers stand in another order than in the match: "
        f"{', '.join(parts)}.",
        figures={
            "moved": sum(map(len, moved.values())),
            "layers": sum(len({there for _, there in stack.pairs}) for stack in stacks),
        },
        tensors=_names(layers, keys),
    )


def _names(layers: Iterable[Layer], keys: Mapping[Layer, list[str]]) -> tuple[str, ...]:
    return tuple(name for layer in dict.fromkeys(layers) for name in keys[layer])
