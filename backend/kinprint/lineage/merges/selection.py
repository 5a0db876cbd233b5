"""Which few of many candidates a query is made of: forward selection, then elimination.

Orthogonal matching pursuit (Pati, Rezaiifar, Krishnaprasad, 1993), with coefficients of its own
for every block, so that layer-wise mixtures are seen as well; then backward elimination, since
a near relative of two parents may have come in before them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from kinprint.lineage.merges.mixture import Excess, block_residuals, excess, fit, orthonormal
from kinprint.lineage.thresholds import MERGE_SDS, MERGE_UNEXPLAINED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from kinprint.lineage.merges.alignment import Aligned

MAX_STEPS = 12
"""Candidates taken up before elimination: five parents, their base, and as many in the way."""
MAX_REPLACEMENTS = 12

_NO_COEFFICIENT = 0.01
"""Smaller coefficients of one candidate on others are rounding, however sure they are."""


@dataclass(frozen=True)
class Selection:
    """Which candidates explain the query, as indices.

    Attributes:
        members: Those that it may be mixed of, the base among them if it is needed.
        nearest: The best single explanation, which may be no member.
    """

    members: tuple[int, ...]
    nearest: int


def select(aligned: Aligned, *, base: int | None) -> Selection | None:
    """Find the few models that explain the query's blocks.

    Args:
        aligned: All candidates, in an order that does not depend on how they were listed.
        base: Index of the base among them, if it is known.

    Returns:
        None where one model explains the query as well as several do, or none explains anything.
    """
    chosen = pursue(aligned)
    members = eliminate(aligned, chosen)
    if len(members) < 2:
        return None
    return Selection(outermost(aligned, members, base=base), chosen[0])


def pursue(aligned: Aligned) -> tuple[int, ...]:
    """Take up one candidate after another, each time the one that explains most of what is left.

    Returns:
        Indices of models; the first is the best single explanation.
    """
    chosen: list[int] = []
    basis: list[NDArray[np.float64]] = []
    left = aligned.mine.copy()
    for _ in range(min(MAX_STEPS, len(aligned.names))):
        units, _ = orthonormal(aligned.theirs, basis, aligned)
        along = np.einsum("pbc,bc->pb", units, left)
        gain = (along**2 / (aligned.cells * aligned.variance)).sum(axis=1)
        gain[chosen] = -1.0
        best = int(gain.argmax())
        if gain[best] <= 0:
            break
        chosen.append(best)
        basis.append(units[best])
        left -= along[best][:, None] * units[best]
        after = excess(aligned, left, len(chosen))
        if after.mean <= MERGE_SDS * after.sd:
            break
    return tuple(chosen)


def eliminate(aligned: Aligned, models: Sequence[int]) -> tuple[int, ...]:
    """Drop every model without which the blocks are explained as well.

    Args:
        aligned: The candidates.
        models: Indices of the chosen.

    Returns:
        Those that are needed, in the order given.
    """
    kept = list(models)
    while len(kept) > 1:
        without = [[m for m in kept if m != each] for each in kept]
        fewer = min(without, key=lambda models: left_by(aligned, models).mean)
        if not _explains_as_well(aligned, fewer, kept):
            break
        kept = fewer
    return tuple(kept)


def outermost(aligned: Aligned, members: Sequence[int], *, base: int | None) -> tuple[int, ...]:
    """Replace a member that is itself a mixture of the others and of one more candidate.

    Where an index holds several mixtures of the same parents, each of them and one parent explain
    the others exactly. Of all such sets the outermost is meant: what was mixed, not a mixture.

    Args:
        aligned: All candidates.
        members: Indices of those that explain the query.
        base: Index of the base, whose coefficient may have either sign.
    """
    kept = list(members)
    for _ in range(MAX_REPLACEMENTS):
        swap = next(_swaps(aligned, kept, base), None)
        if swap is None:
            break
        place, other = swap
        kept[place] = other
    return tuple(kept)


def _swaps(aligned: Aligned, kept: Sequence[int], base: int | None) -> Iterator[tuple[int, int]]:
    """Yield (place in ``kept``, candidate outside) where the member lies between the rest."""
    spanned = _in_span(aligned, kept) & aligned.present.all(axis=1)
    parents = [place for place, each in enumerate(kept) if each != base]
    for other in np.flatnonzero(spanned):
        if other in kept:
            continue
        of_other = replace(aligned.keep(kept), mine=aligned.theirs[other])
        its = fit(of_other, affine=True)
        errors = np.maximum(MERGE_SDS * np.sqrt(np.diag(its.covariance)), _NO_COEFFICIENT)
        up = [place for place in parents if its.coefficients[place] > errors[place]]
        down = [place for place in parents if its.coefficients[place] < -errors[place]]
        if len(up) == 1 and down:
            outer = [*kept[: up[0]], int(other), *kept[up[0] + 1 :]]
            if (
                _explains_as_well(aligned, outer, kept)
                and (fit(aligned.keep(outer), affine=True).coefficients[parents] > 0).all()
            ):
                yield up[0], int(other)


def _explains_as_well(aligned: Aligned, others: Sequence[int], models: Sequence[int]) -> bool:
    after, before = left_by(aligned, others), left_by(aligned, models)
    return after.mean - before.mean <= MERGE_SDS * max(after.sd, before.sd)


def _in_span(aligned: Aligned, kept: Sequence[int]) -> NDArray[np.bool_]:
    """Whether each candidate is a mixture of the kept ones, bool (P,)."""
    basis: list[NDArray[np.float64]] = []
    for each in kept:
        basis.append(orthonormal(aligned.theirs[each], basis, aligned)[0])
    left = aligned.theirs
    for unit in basis:
        left = left - (left * unit).sum(axis=-1, keepdims=True) * unit
    nearest = np.min([_energy(aligned, aligned.theirs - aligned.theirs[k]) for k in kept], axis=0)
    return np.asarray(_energy(aligned, left) <= MERGE_UNEXPLAINED * nearest)


def _energy(aligned: Aligned, sketches: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum over the blocks of squares relative to the weights, float64 (...)."""
    return np.asarray(((sketches**2).sum(axis=-1) / aligned.variance).sum(axis=-1))


def left_by(aligned: Aligned, models: Sequence[int]) -> Excess:
    """Return what the best coefficients of some models, block by block, leave unexplained."""
    some = aligned.keep(models)
    left, fitted = block_residuals(some, affine=False)
    return excess(some, left, fitted)
