"""What each tensor corresponds to, copies included that a one-to-one assignment must leave over.

A repeated layer matches a tensor that is already taken. Such leftovers are counterparts as well,
where they lie as near to it as a pair must lie to be accepted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
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
    for views, others, taken, is_repo in (
        (
            matching.query_views,
            matching.candidate_views,
            {pair.query for pair in accepted},
            True,
        ),
        (
            matching.candidate_views,
            matching.query_views,
            {pair.candidate for pair in accepted},
            False,
        ),
    ):
        rows = np.array([row for row, view in enumerate(views) if int(view) not in taken], np.intp)
        for row, nearest, bits in matching.nearest(rows, of_candidate=not is_repo):
            mine, other = int(views[row]), int(others[nearest])
            repo, match = (mine, other) if is_repo else (other, mine)
            found.append(Counterpart(repo, match, bits, extra=True))
    return tuple(found)
