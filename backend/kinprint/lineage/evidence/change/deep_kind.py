"""From the figures of a deep reading to a kind of change, and the sentence that says so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kinprint.lineage.evidence.record import ChangeKind
from kinprint.lineage.thresholds import (
    DEEP_KURTOSIS_SDS,
    DEEP_MIN_VIEWS,
    DEEP_NOISE_FLOOR,
    DEEP_RESOLUTION,
    DEEP_VIEW_Z,
    FIT_LEVEL,
    LOW_RANK_BLOCKS,
    LOW_RANK_SHARE,
    PRUNED_ZEROS,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kinprint.lineage.evidence.change.block_change import BlockChange
    from kinprint.lineage.evidence.record import Estimate
    from kinprint.lineage.training import Structure
    from kinprint.lineage.verdict import Direction

Judged = tuple[ChangeKind, str]


@dataclass(frozen=True, slots=True)
class Pooled:
    """Figures of all changed blocks together.

    Attributes:
        structure: Singular values and gains.
        sigma: One σ for all; None where it is below the resolution.
        one_scalar_p: p-value of one σ for all blocks, in small and in large weights.
        proportional_p: The same for one share of each block's std.
    """

    structure: Structure
    sigma: Estimate | None
    one_scalar_p: float
    proportional_p: float


def kind_of(changes: Sequence[BlockChange], pooled: Pooled, direction: Direction) -> Judged:
    """Say what lies between the two sides.

    Args:
        changes: Blocks whose cells differ by more than a cast.
        pooled: Their common figures.
        direction: Which side came later, if known.
    """
    if not changes:
        return ChangeKind.NONE, "The values are equal, but for rounding and factors."
    looks_trained = _looks_trained(changes, pooled)
    on_grid = sum(change.query_on_grid or change.candidate_on_grid for change in changes)
    pruned = [change for change in changes if abs(change.extra_zeros) > PRUNED_ZEROS]
    if 2 * on_grid > len(changes):
        return _over_training(ChangeKind.QUANTISATION, _grid(changes, on_grid), looks_trained)
    if pruned:
        return _over_training(ChangeKind.PRUNING, _zeros(pruned), looks_trained)
    if looks_trained:
        return _trained(changes, pooled)
    if not pooled.structure.gain_is_one(direction):
        return ChangeKind.NOT_SEPARABLE, (
            "The later side is not the earlier one plus something unrelated to it "
            f"(c = {pooled.structure.gain.value:.4f} and "
            f"{pooled.structure.reverse_gain.value:.4f}): merges, two trainings from one start and "
            "weight decay look so."
        )
    return _noise(changes, pooled)


def _looks_trained(changes: Sequence[BlockChange], pooled: Pooled) -> bool:
    alone = max(change.spectrum.z for change in changes) > DEEP_VIEW_Z
    return alone or pooled.structure.has_structure


def _over_training(kind: ChangeKind, sentence: str, looks_trained: bool) -> Judged:
    if looks_trained:
        return ChangeKind.MIXTURE, f"{sentence} Training shows beneath it."
    return kind, f"{sentence} A light training can hide beneath it."


def _grid(changes: Sequence[BlockChange], on_grid: int) -> str:
    sides = [
        name
        for name, lies in (
            ("the repo", any(change.query_on_grid for change in changes)),
            ("the match", any(change.candidate_on_grid for change in changes)),
        )
        if lies
    ]
    return (
        f"Quantisation: in {on_grid} of {len(changes)} changed tensors the values of "
        f"{' and '.join(sides)} lie on a coarse grid."
    )


def _zeros(pruned: Sequence[BlockChange]) -> str:
    share = float(np.median([change.extra_zeros for change in pruned]))
    side = "the repo" if share > 0 else "the match"
    return (
        f"Pruning: in {len(pruned)} tensors {abs(share):.0%} of the values of {side} are exact "
        "zeros that the other side does not have."
    )


def _trained(changes: Sequence[BlockChange], pooled: Pooled) -> Judged:
    low_rank = sum(change.rank_share <= LOW_RANK_SHARE for change in changes)
    ratio = max(change.spectrum.ratio for change in changes)
    if low_rank >= LOW_RANK_BLOCKS * len(changes):
        return ChangeKind.LOW_RANK_UPDATE, (
            f"The values differ by what looks like a low-rank update: in {low_rank} of "
            f"{len(changes)} changed tensors few directions "
            "explain the whole difference, as merged adapters (LoRA) leave it."
        )
    floor = _white_share(changes)
    if floor >= DEEP_NOISE_FLOOR and pooled.sigma is not None and _is_resolved(changes):
        return ChangeKind.MIXTURE, (
            "The values differ by what looks like added noise over a training: "
            f"{floor:.0%} of the difference is white noise, yet a few "
            f"directions stand out of it (up to {ratio:.2f} times the edge of noise)."
        )
    return ChangeKind.FINE_TUNING, (
        "The values differ by what looks like fine-tuning: a few directions carry the difference, "
        "up to "
        f"{ratio:.2f} times the edge that noise reaches."
    )


def _noise(changes: Sequence[BlockChange], pooled: Pooled) -> Judged:
    sigma = pooled.sigma
    if len(changes) < DEEP_MIN_VIEWS:
        return ChangeKind.NOT_SEPARABLE, (
            f"Only {len(changes)} tensors differ; noise is told from training from "
            f"{DEEP_MIN_VIEWS} on."
        )
    if sigma is None:
        return ChangeKind.NOT_SEPARABLE, (
            "The values differ by no more than their number format resolves: σ is below the "
            "resolution."
        )
    size = f"σ = {sigma.value:.4g} (1/{1 / sigma.value:.0f}), 95 % interval {sigma.low:.4g} to "
    size += f"{sigma.high:.4g}"
    if not _is_resolved(changes):
        return ChangeKind.NOT_SEPARABLE, (
            "The values differ by less than their number format resolves, so noise cannot be told "
            f"from training; as noise it would have {size}."
        )
    if pooled.one_scalar_p < FIT_LEVEL:
        return ChangeKind.NOT_SEPARABLE, (
            "No direction stands out, but no one σ fits all tensors, in small and large weights "
            f"alike (p = {pooled.one_scalar_p:.1g}): quantisation, truncation and some trainings "
            "look so."
        )
    kurtosis, kurtosis_sd = _excess_kurtosis(changes)
    if abs(kurtosis) > DEEP_KURTOSIS_SDS * kurtosis_sd:
        return ChangeKind.NOT_SEPARABLE, (
            f"No direction stands out, but the change is not Gaussian (excess kurtosis "
            f"{kurtosis:.2f}), as a few steps of an optimiser that looks at signs leave it."
        )
    if pooled.proportional_p >= FIT_LEVEL:
        return ChangeKind.NOT_SEPARABLE, (
            f"The change looks like random noise of {size}, but one share of each tensor's "
            "standard deviation fits as well, as it does for what quantisers leave."
        )
    return ChangeKind.ADDED_NOISE, (
        f"The values differ by what looks like added random noise of one scalar {size}, perhaps "
        "over a light training, which noise of this size would hide."
    )


def _is_resolved(changes: Sequence[BlockChange]) -> bool:
    """Whether most of the difference is more than rounding, in half of the tensors at least."""
    return bool(
        np.median(
            [change.fitted.sigma**2 - DEEP_RESOLUTION * change.rounding for change in changes]
        )
        >= 0
    )


def _excess_kurtosis(changes: Sequence[BlockChange]) -> tuple[float, float]:
    """Pooled over all cells, with its standard deviation under Gaussian noise."""
    cells = [change.cells for change in changes]
    kurtosis = np.average([change.excess_kurtosis for change in changes], weights=cells)
    return float(kurtosis), float(np.sqrt(24 / sum(cells)))


def _white_share(changes: Sequence[BlockChange]) -> float:
    """Median share of the difference that is white, without what rounding whitens."""
    shares = []
    for change in changes:
        variance = change.fitted.sigma**2
        rounding = change.rounding / (variance + change.rounding)
        shares.append((change.spectrum.floor - rounding) / (1 - rounding))
    return float(np.clip(np.median(shares), 0.0, 1.0))
