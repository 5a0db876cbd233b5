"""How the values differ, from 64 rows of both sides: σ with its interval, and what it was.

Added noise is only called so when nothing that honest authors do looks like it: no direction
stands out in any block or run of blocks, the later side keeps the earlier one whole (c = 1), and
one scalar σ fits all tensors, in small and in large weights alike, better than a share of their
stds does. Else the answer abstains.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kinprint.lineage.evidence.change.block_change import block_change, gain_of, is_untouched
from kinprint.lineage.evidence.change.deep_kind import Pooled, kind_of
from kinprint.lineage.evidence.change.sigma_likelihood import fit, interval, scalar_p
from kinprint.lineage.evidence.record import ChangeEvidence, ChangeKind, TensorChange
from kinprint.lineage.thresholds import DEEP_GAIN_TOLERANCE, SAME_LATTICE_RATIO
from kinprint.lineage.training import Gain, Structure, pool_gains, pool_z
from kinprint.lineage.verdict import Direction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kinprint.fingerprint.deep import AlignedBlock, DeepReading
    from kinprint.fingerprint.record import Fingerprint
    from kinprint.lineage.differences import Difference
    from kinprint.lineage.evidence.change.block_change import BlockChange


_SMALLEST_STD = 1e-30


@dataclass(frozen=True, slots=True)
class _Order:
    """Which side was rounded last, and the gains that may tell."""

    later_is_query: bool
    gain: Gain
    reverse_gain: Gain
    cosine: float


def change_evidence_deep(
    query: Fingerprint,
    candidate: Fingerprint,
    found: Sequence[Difference],
    reading: DeepReading,
    *,
    direction: Direction,
) -> ChangeEvidence:
    """Say how the values of matched tensors differ, from the cells themselves.

    Args:
        query: The repo asked about.
        candidate: The match.
        found: Differences of their sketches (`lineage.differences`), which name the pairs and
            know what is the other side times a factor.
        reading: Their aligned cells.
        direction: Which side came later, if known; else the coarser format, or the side that the
            other one explains whole.
    """
    factors = {each.pair.query for each in found if each.is_scaled_copy}
    blocks = [
        block
        for block in reading.blocks
        if block.query_view not in factors and not is_untouched(block)
    ]
    order = _order(blocks, direction)
    changes = [
        block_change(
            block,
            later_is_query=order.later_is_query,
            dtypes=(
                query.views[block.query_view].dtype,
                candidate.views[block.candidate_view].dtype,
            ),
        )
        for block in blocks
    ]
    pooled = _pooled(changes, order)
    if reading.blocks:
        kind, sentence = kind_of(changes, pooled, direction)
    else:
        kind, sentence = ChangeKind.NOT_SEPARABLE, "No matched tensor was read again."
    # What training, quantisation or pruning left is no noise, whatever its size.
    sigma = pooled.sigma if kind in (ChangeKind.ADDED_NOISE, ChangeKind.NOT_SEPARABLE) else None
    gain = order.gain if order.later_is_query else order.reverse_gain
    return ChangeEvidence(
        depth="deep",
        rows_read=max((block.query.values.shape[0] for block in reading.blocks), default=0),
        kind=kind,
        sentence=f"{sentence}{_left_out(query, reading)}",
        sigma=sigma,
        censored=any(change.is_censored for change in changes),
        one_scalar_p=None if sigma is None else pooled.one_scalar_p,
        gain=gain.value if changes else None,
        singular_z=pooled.structure.z if changes else None,
        edge_ratio=max((change.spectrum.ratio for change in changes), default=None),
        tensors=_tensors(query, candidate, found, changes),
    )


def _order(blocks: Sequence[AlignedBlock], direction: Direction) -> _Order:
    gains = [gain_of(block) for block in blocks]
    gain = _gain([(each.gain, each.gain_se) for each in gains])
    reverse = _gain([(each.reverse_gain, each.reverse_gain_se) for each in gains])
    return _Order(
        later_is_query=_later_is_query(blocks, direction, gain, reverse),
        gain=gain,
        reverse_gain=reverse,
        cosine=float(np.mean([each.cosine for each in gains])) if gains else 1.0,
    )


def _gain(gains: Sequence[tuple[float, float]]) -> Gain:
    pooled = pool_gains([value for value, _ in gains], [error for _, error in gains])
    return Gain(pooled.value, pooled.standard_error, tolerance=DEEP_GAIN_TOLERANCE)


def _later_is_query(
    blocks: Sequence[AlignedBlock], direction: Direction, gain: Gain, reverse_gain: Gain
) -> bool:
    if direction is not Direction.UNKNOWN:
        return direction is Direction.REPO_FROM_MATCH
    mine = sum(block.query.rounding for block in blocks)
    theirs = sum(block.candidate.rounding for block in blocks)
    if max(mine, theirs) > SAME_LATTICE_RATIO * min(mine, theirs):
        return mine > theirs
    return abs(gain.value - 1) <= abs(reverse_gain.value - 1)


def _pooled(changes: Sequence[BlockChange], order: _Order) -> Pooled:
    z, window_z = pool_z([change.spectrum.z for change in changes])
    structure = Structure(
        changed=len(changes),
        z=z,
        window_z=window_z,
        gain=order.gain,
        reverse_gain=order.reverse_gain,
        cosine=order.cosine,
    )
    if not changes:
        return Pooled(structure, sigma=None, one_scalar_p=1.0, proportional_p=1.0)
    parts = [part for change in changes for part in change.parts]
    apart = [each for change in changes for each in change.apart]
    stds = [max(change.std, _SMALLEST_STD) for change in changes for _ in change.parts]
    fitted = fit(parts)
    return Pooled(
        structure,
        interval(parts, fitted),
        one_scalar_p=scalar_p(parts, apart, fitted),
        proportional_p=scalar_p(parts, apart, fit(parts, stds)),
    )


def _tensors(
    query: Fingerprint,
    candidate: Fingerprint,
    found: Sequence[Difference],
    changes: Sequence[BlockChange],
) -> tuple[TensorChange, ...]:
    pairs = {each.pair.query: each.pair for each in found}
    return tuple(
        TensorChange(
            repo_tensor=query.views[change.query_view].name,
            match_tensor=candidate.views[pairs[change.query_view].candidate].name,
            hamming_bits=pairs[change.query_view].hamming_bits,
            std=float(candidate.blocks.std[pairs[change.query_view].blocks[0][1]]),
            sigma=interval(change.parts, change.fitted),
            edge_ratio=change.spectrum.ratio,
        )
        for change in changes
    )


def _left_out(query: Fingerprint, reading: DeepReading) -> str:
    parts = [
        f" {len(views)} {'tensor' if len(views) == 1 else 'tensors'} could not be read again "
        f"({reason}): {', '.join(query.views[view].name for view in views[:3])}"
        f"{' …' if len(views) > 3 else ''}."
        for views, reason in (
            (reading.not_finite, "values that are not finite"),
            (reading.unreadable, "packed dtype"),
        )
        if views
    ]
    return "".join(parts)
