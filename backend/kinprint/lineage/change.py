"""What happened to the values of the matched tensors, and whether training can be ruled out.

Only added noise of one scalar σ stands for itself: training leaves it only where noise is its
method (differentially private SGD, evolution strategies). Quantisation and pruning are what honest
authors do to their own fine-tunes, and coarse ones hide a light training (measured: two siblings
of one base, one of them in int4, z = −0.3), so they rule nothing out.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

from kinprint.lineage import transforms
from kinprint.lineage.noise import noise_sigma
from kinprint.lineage.thresholds import (
    CAST_POOLED_SDS,
    GAIN_TOLERANCE,
    MIN_MECHANICAL_VIEWS,
    NOISE_Z,
)
from kinprint.lineage.training import structure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kinprint.fingerprint.record import Fingerprint
    from kinprint.lineage.differences import Difference
    from kinprint.lineage.noise import Sigma
    from kinprint.lineage.training import Structure
    from kinprint.lineage.verdict import Direction, Transform


@dataclass(frozen=True)
class Change:
    """How the matched values differ.

    Attributes:
        untouched: They do not, but for rounding and factors.
        is_noise: They differ by added noise of one scalar σ, and by nothing that looks honest.
        transforms: What was found, with figures.
        reason: Why training, or a common base, cannot be ruled out; None if it can.
        structure: Marks of training in the changed blocks; None where the values are untouched
            or their change is below the resolution.
        sigma: σ of the changed blocks, if added noise is what looks most like it.
    """

    untouched: bool
    is_noise: bool
    transforms: tuple[Transform, ...]
    reason: str | None = None
    structure: Structure | None = None
    sigma: Sigma | None = None


def change_of(
    query: Fingerprint,
    candidate: Fingerprint,
    found: Sequence[Difference],
    *,
    direction: Direction,
) -> Change:
    """Say how the values of matched tensors differ.

    Args:
        query: The repo asked about.
        candidate: The match.
        found: Differences of all matched blocks.
        direction: Which side came later, if known.
    """
    factor = transforms.scaled(query, found)
    factors = () if factor is None else (factor,)
    changed = [each for each in found if each.is_changed]
    unresolved = [each for each in found if each.is_below_resolution]
    if not changed and not unresolved and _is_pure_cast(found):
        return Change(untouched=True, is_noise=False, transforms=factors)
    if len(unresolved) >= len(changed):
        reason = (
            "The values differ by less than their number format resolves, but not as rounding "
            "alone would leave them: noise cannot be told from training."
        )
        return Change(untouched=False, is_noise=False, transforms=factors, reason=reason)
    pooled = structure(changed)
    sigma = noise_sigma(changed, _stds(query, changed), direction=direction)
    kinds, why = _kinds(query, candidate, changed, direction, pooled, sigma)
    names = {kind.name for kind in kinds}
    return Change(
        untouched=False,
        is_noise=why is None,
        transforms=(*factors, *kinds),
        reason=why,
        structure=pooled,
        sigma=sigma if "noised" in names else None,
    )


def _stds(query: Fingerprint, changed: Sequence[Difference]) -> list[float]:
    return [float(query.blocks.std[each.pair.blocks[0][0]]) for each in changed]


def _is_pure_cast(found: Sequence[Difference]) -> bool:
    """Whether the rounding of all blocks together is what casts leave."""
    ratios = [(each.cast_ratio, each.cells) for each in found if each.cast_ratio is not None]
    if not ratios:
        return True
    cells = sum(count for _, count in ratios)
    mean = sum(ratio * count for ratio, count in ratios) / cells
    return abs(mean - 1) <= CAST_POOLED_SDS * sqrt(2 / cells)


def _kinds(
    query: Fingerprint,
    candidate: Fingerprint,
    changed: Sequence[Difference],
    direction: Direction,
    pooled: Structure,
    sigma: Sigma,
) -> tuple[list[Transform], str | None]:
    grid = transforms.quantised(query, candidate, changed)
    grids = [] if grid is None else [grid]
    if pooled.has_structure:
        return [*grids, transforms.fine_tuned(query, changed, pooled)], (
            f"The difference looks like training (z = {pooled.z:.1f})."
        )
    if grids:
        return grids, "Quantisation can hide a light training."
    cut = transforms.pruned(query, candidate, changed)
    if cut is not None:
        kept = 1 - float(cut.figures["zeros"]) - GAIN_TOLERANCE
        explained = min(pooled.gain.value, pooled.reverse_gain.value) >= kept
        return [cut], ("Pruning can hide a light training." if explained else _gain_off(pooled))
    if not pooled.gain_is_one(direction):
        return [], _gain_off(pooled)
    if not pooled.enough_views:
        return [], (
            f"Only {pooled.changed} changed blocks; noise is told from training from "
            f"{MIN_MECHANICAL_VIEWS} on."
        )
    if pooled.z > NOISE_Z:
        return [], (
            f"The difference has some structure (z = {pooled.z:.1f}): training cannot be ruled out."
        )
    noise = transforms.noised(query, changed, pooled, sigma)
    if noise is None:
        return [], "The change is no larger than what rounding can leave."
    if noise.figures["one_scalar"] and not noise.figures["proportional"]:
        return [noise], None
    return [noise], (
        "The size of the change may follow the tensors, as that of a quantiser does, and "
        "quantisation can hide a light training."
    )


def _gain_off(pooled: Structure) -> str:
    return (
        "The later side is not the earlier one plus little noise (c = "
        f"{pooled.gain.value:.2f} and {pooled.reverse_gain.value:.2f}, cosine "
        f"{pooled.cosine:.2f}): two trainings from one start and merges look so."
    )
