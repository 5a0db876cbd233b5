"""How the values differ, as far as 256 numbers a tensor tell: what `change_of` found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kinprint.lineage.evidence.record import ChangeEvidence, ChangeKind, Estimate, TensorChange
from kinprint.lineage.noise import block_sigma

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kinprint.fingerprint.record import Fingerprint
    from kinprint.lineage.change import Change
    from kinprint.lineage.differences import Difference
    from kinprint.lineage.verdict import Direction

_KINDS = {
    "fine_tuned": ChangeKind.FINE_TUNING,
    "quantised": ChangeKind.QUANTISATION,
    "pruned": ChangeKind.PRUNING,
}


def change_evidence(
    query: Fingerprint,
    candidate: Fingerprint,
    found: Sequence[Difference],
    change: Change,
    *,
    direction: Direction,
) -> ChangeEvidence:
    """Lay out what the sketches say of the change; nothing is measured anew.

    Args:
        query: The repo asked about.
        candidate: The match.
        found: Differences of all matched blocks.
        change: What `lineage.change.change_of` made of them.
        direction: Which side came later, as given to `change_of`.
    """
    by_view: dict[int, Difference] = {}
    for each in found:
        if each.is_changed:  # of a tall view's two blocks the first stands for both
            by_view.setdefault(each.pair.query, each)
    kind = _kind(change)
    sigma = change.sigma if kind in (ChangeKind.ADDED_NOISE, ChangeKind.NOT_SEPARABLE) else None
    structure = change.structure
    return ChangeEvidence(
        depth="sketches",
        rows_read=max(
            (int(query.blocks.rows[i]) for e in found for i, _ in e.pair.blocks), default=0
        ),
        kind=kind,
        sentence=_sentence(kind, change),
        sigma=None
        if sigma is None
        else Estimate(value=sigma.sigma, low=sigma.low, high=sigma.high),
        one_scalar_p=None if sigma is None else sigma.one_scalar_p,
        gain=None if structure is None else structure.gain.value,
        singular_z=None if structure is None else structure.z,
        tensors=tuple(_tensor(query, candidate, each, direction) for each in by_view.values()),
    )


def _kind(change: Change) -> ChangeKind:
    if change.untouched:
        return ChangeKind.NONE
    if change.is_noise:
        return ChangeKind.ADDED_NOISE
    kinds = [_KINDS[each.name] for each in change.transforms if each.name in _KINDS]
    if len(kinds) > 1:
        return ChangeKind.MIXTURE
    return kinds[0] if kinds else ChangeKind.NOT_SEPARABLE


def _sentence(kind: ChangeKind, change: Change) -> str:
    if kind is ChangeKind.NONE:
        return "The values are equal, but for rounding and factors."
    summaries = [each.summary for each in change.transforms if each.name != "scaled"]
    if change.reason is not None and kind is not ChangeKind.FINE_TUNING:
        summaries.append(change.reason)
    return " ".join(summaries)


def _tensor(
    query: Fingerprint, candidate: Fingerprint, each: Difference, direction: Direction
) -> TensorChange:
    sigma, low, high = block_sigma(each, direction=direction)
    pair = each.pair
    return TensorChange(
        repo_tensor=query.views[pair.query].name,
        match_tensor=candidate.views[pair.candidate].name,
        hamming_bits=pair.hamming_bits,
        std=float(candidate.blocks.std[pair.blocks[0][1]]),
        sigma=Estimate(value=sigma, low=low, high=high),
    )
