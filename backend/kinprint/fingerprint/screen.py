"""The screen: a few views that tell for little whether a model is worth reading in full.

A screen only asks whether a model shares weights with one that was read in full; what kind of
relation it is takes all views.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

SCREEN_VIEWS = 24
"""Eight times the groups that a claim needs, so that a third of a model reused is still seen."""
SCREEN_BYTES = 1_600_000
"""With the headers of an 8B model (40 kB a shard at most) below 2 MB in all."""
SMALL_BLOCK_BYTES = 65_536
"""Views whose blocks are larger (down projections) are left out while there are enough others."""
NOT_SCREENED = "left out of the screen"


def screened(sizes: Mapping[int, tuple[int, int, int]]) -> frozenset[int]:
    """Choose the views of a screen by shape and place alone.

    Views are ordered by shape and taken evenly over all of the model; fewer of them where they are
    large, down to one.

    Args:
        sizes: Number of each view that has blocks → (columns, rows, bytes of its blocks).

    Returns:
        Numbers of at most `SCREEN_VIEWS` views whose blocks come to at most `SCREEN_BYTES`.
    """
    small = {number: size for number, size in sizes.items() if size[2] <= SMALL_BLOCK_BYTES}
    if len(small) < SCREEN_VIEWS:
        small = {number: size for number, size in sizes.items() if size[2] <= SCREEN_BYTES}
    order = sorted(small, key=lambda number: (small[number][:2], number))
    for count in range(min(SCREEN_VIEWS, len(order)), 0, -1):
        places = np.unique(np.linspace(0, len(order) - 1, count).round().astype(int))
        chosen = frozenset(order[place] for place in places)
        if sum(small[number][2] for number in chosen) <= SCREEN_BYTES:
            return chosen
    return frozenset()
