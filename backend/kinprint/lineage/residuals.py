"""Does a third model explain what two share? Compare what each of them changed in it.

The sketch is linear, so s(A) − s(base) is the sketch of what A changed. Two children of one base
changed different things (cosine near 0); a copy of a child kept the child's changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kinprint.lineage.differences import centred, sketches
from kinprint.lineage.thresholds import EXPLAINED_COSINE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from kinprint.lineage.matching import Matching, Pair


def residual_cosine(with_match: Matching, with_base: Matching) -> float | None:
    """Mean cosine of (query − base) and (match − base) over the views that all three share.

    Args:
        with_match: The query compared with the match.
        with_base: The same query compared with the third model.

    Returns:
        The cosine, −1…1, each block weighing the same; None where one of the two did not change
        the base, or no view is common, so that nothing can be subtracted.
    """
    cosines = []
    for mine, theirs in residual_blocks(with_match, with_base):
        lengths = float(np.linalg.norm(mine) * np.linalg.norm(theirs))
        if lengths:
            cosines.append(float((mine * theirs).sum()) / lengths)
    return float(np.mean(cosines)) if cosines else None


def residual_blocks(
    with_match: Matching, with_base: Matching
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Yield (query − base, match − base) of every block that all three share, float64 (r, k).

    Args:
        with_match: The query compared with the match.
        with_base: The same query compared with the third model.
    """
    base_pairs = {pair.query: pair for pair in with_base.accepted}
    for pair in with_match.accepted:
        base_pair = base_pairs.get(pair.query)
        if base_pair is not None:
            yield from _block_residuals(with_match, pair, with_base, base_pair)


def explains(with_match: Matching, with_base: Matching, *, is_older: bool) -> bool:
    """Whether all that query and match share is explained by the third model.

    Args:
        with_match: The query compared with the match.
        with_base: The same query compared with the third model.
        is_older: The third model is older than both. Then parts that one of them kept unchanged
            are its parts; otherwise two mirrors could excuse each other's copies.
    """
    covered = {pair.query for pair in with_base.accepted}
    if not all(pair.query in covered for pair in with_match.accepted):
        return False
    cosine = residual_cosine(with_match, with_base)
    return is_older if cosine is None else cosine < EXPLAINED_COSINE


def _block_residuals(
    with_match: Matching, pair: Pair, with_base: Matching, base_pair: Pair
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    base_blocks = dict(base_pair.blocks)
    for i, j in pair.blocks:
        if i not in base_blocks:
            continue
        r = min(int(with_match.query.blocks.rows[i]), 16)
        base = centred(sketches(with_base.candidate, np.array([base_blocks[i]]), r))
        base = -base if base_pair.negated else base
        match = centred(sketches(with_match.candidate, np.array([j]), r))
        match = -match if pair.negated else match
        mine = centred(sketches(with_match.query, np.array([i]), r))
        yield (mine - base)[0], (match - base)[0]
