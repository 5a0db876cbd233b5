"""What each tensor corresponds to, copies included that a one-to-one assignment must leave over.

A repeated layer matches a tensor that is already taken. Such leftovers are counterparts as well,
where they lie as near to it as a pair must lie to be accepted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kinprint.lineage.likelihood import NOT_COMPARABLE, log_e_values

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kinprint.lineage.matching import Matching

_VIEWS_AT_ONCE = 512
"""Leftover views that are looked at together, which bounds the memory."""

_LN_2 = float(np.log(2.0))


@dataclass(frozen=True)
class Counterpart:
    """Two views that hold the same tensor.

    Attributes:
        repo: Index into the query's ``views``.
        match: Index into the candidate's ``views``.
        hamming_bits: Folded distance, 0…128.
        extra: One side holds the tensor once more than the other; False for an accepted pair.
    """

    repo: int
    match: int
    hamming_bits: int
    extra: bool = False


def counterparts(matching: Matching) -> tuple[Counterpart, ...]:
    """Return the accepted pairs, then leftovers of either side with what they are nearest to."""
    accepted = matching.accepted
    found = [Counterpart(pair.query, pair.candidate, pair.hamming_bits) for pair in accepted]
    for views, taken, bits, is_repo in (
        (matching.query_views, {pair.query for pair in accepted}, matching.bits, True),
        (matching.candidate_views, {pair.candidate for pair in accepted}, matching.bits.T, False),
    ):
        others = matching.candidate_views if is_repo else matching.query_views
        rows = np.array([row for row, view in enumerate(views) if int(view) not in taken], np.intp)
        for row, nearest, distance in _near(bits, rows):
            mine, other = int(views[row]), int(others[nearest])
            repo, match = (mine, other) if is_repo else (other, mine)
            found.append(Counterpart(repo, match, distance, extra=True))
    return tuple(found)


def _near(bits: NDArray[np.uint8], rows: NDArray[np.intp]) -> list[tuple[int, int, int]]:
    """Rows whose nearest other view is accepted, with it and its distance.

    The bar is that of ``Pair.accepted``, ln e above ln of the choices; the choice between two
    blocks is always paid.
    """
    found: list[tuple[int, int, int]] = []
    if not bits.size:
        return found
    for first in range(0, len(rows), _VIEWS_AT_ONCE):
        chunk = rows[first : first + _VIEWS_AT_ONCE]
        some = bits[chunk]
        nearest = some.argmin(axis=1)
        distance = some[np.arange(len(chunk)), nearest]
        choices = np.count_nonzero(some != NOT_COMPARABLE, axis=1)
        near = log_e_values()[distance] - _LN_2 > np.log(np.maximum(choices, 1))
        found += [
            (int(chunk[place]), int(nearest[place]), int(distance[place]))
            for place in np.flatnonzero(near & (choices > 0))
        ]
    return found
