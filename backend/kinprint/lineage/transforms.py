"""How the query's tensors differ from the match's: each transform with its figures and tensors."""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np

from kinprint.lineage.differences import EIGHT_BITS_OR_LESS
from kinprint.lineage.thresholds import (
    PRUNED_ZEROS,
    QUANTISED_DISTINCT_SHARE,
    QUANTISED_GROUP_LEVELS,
    QUANTISED_LEVELS,
)
from kinprint.lineage.verdict import Transform
from kinprint.sketches.statistics import GROUP_COLS, LEVEL_COLS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kinprint.fingerprint.record import Fingerprint
    from kinprint.lineage.differences import Difference
    from kinprint.lineage.matching import Pair
    from kinprint.lineage.noise import Sigma
    from kinprint.lineage.training import Structure
    from kinprint.lineage.verdict import TensorPair


def renamed(rename_map: Sequence[TensorPair]) -> Transform | None:
    """Tensors whose state-dict key differs between the sides."""
    moved = [pair for pair in rename_map if pair.repo_tensor != pair.match_tensor]
    if not moved:
        return None
    return Transform(
        name="renamed",
        summary=f"{len(moved)} of {len(rename_map)} matched tensors carry another name.",
        figures={"renamed": len(moved), "matched": len(rename_map)},
        tensors=tuple(pair.repo_tensor for pair in moved),
    )


def cast(query: Fingerprint, candidate: Fingerprint, pairs: Sequence[Pair]) -> Transform | None:
    """Matched tensors that are stored in another dtype."""
    changes: dict[str, list[str]] = {}
    for pair in pairs:
        mine, other = query.views[pair.query], candidate.views[pair.candidate]
        if mine.dtype != other.dtype:
            changes.setdefault(f"{other.dtype} → {mine.dtype}", []).append(mine.name)
    if not changes:
        return None
    listed = ", ".join(f"{change} ({len(names)})" for change, names in sorted(changes.items()))
    return Transform(
        name="cast",
        summary=f"Matched tensors are stored in another number format: {listed}.",
        figures={change: len(names) for change, names in changes.items()},
        tensors=tuple(name for names in changes.values() for name in names),
    )


def vocab_extended(
    query: Fingerprint, candidate: Fingerprint, pairs: Sequence[Pair]
) -> Transform | None:
    """Matched tensors with as many columns but another number of rows."""
    names: list[str] = []
    rows: set[int] = set()
    for pair in pairs:
        mine, other = query.views[pair.query], candidate.views[pair.candidate]
        if mine.cols == other.cols and mine.rows != other.rows:
            names.append(mine.name)
            rows.add(mine.rows - other.rows)
    if not names:
        return None
    listed = ", ".join(f"{difference:+d}" for difference in sorted(rows))
    return Transform(
        name="vocab_extended",
        summary=f"Matched tensors have another number of rows ({listed}), as after a change of "
        "vocabulary.",
        figures={"rows_added": max(rows, key=abs)},
        tensors=tuple(names),
    )


def scaled(query: Fingerprint, differences: Sequence[Difference]) -> Transform | None:
    """Blocks whose only difference is a factor."""
    copies = [each for each in differences if each.is_scaled_copy]
    if not copies:
        return None
    gains = [each.gain for each in copies]
    return Transform(
        name="scaled",
        summary=f"{len(copies)} blocks equal the match's times a factor "
        f"({min(gains):.4g} to {max(gains):.4g}).",
        figures={"blocks": len(copies), "factor_low": min(gains), "factor_high": max(gains)},
        tensors=_names(query, copies),
    )


def _gridded_side(query: Fingerprint, candidate: Fingerprint, each: Difference) -> str | None:
    """Which side's block lies on a coarse grid: ``repo``, ``match``, ``both`` or None."""
    sides = {
        side
        for i, j in each.pair.blocks
        for side, fingerprint, block in (("repo", query, i), ("match", candidate, j))
        if _on_grid(fingerprint, block)
    }
    return "both" if len(sides) == 2 else next(iter(sides), None)


def _on_grid(fingerprint: Fingerprint, block: int) -> bool:
    blocks = fingerprint.blocks
    return is_on_grid(
        fingerprint.views[blocks.view[block]].dtype,
        cols=int(blocks.cols[block]),
        zeros=float(blocks.zeros[block]),
        levels=int(blocks.levels[block]),
        group_levels=int(blocks.group_levels[block]),
    )


def is_on_grid(dtype: str, *, cols: int, zeros: float, levels: int, group_levels: int) -> bool:
    """Whether rows, or groups within them, hold fewer distinct values than a real draw would.

    Args:
        dtype: As stored.
        cols: Columns of the block.
        zeros: Share of exact zeros.
        levels: Median number of distinct values a row (see ``sketches.statistics``).
        group_levels: The same in groups of 32.
    """
    if dtype in EIGHT_BITS_OR_LESS:
        return True
    # Pruning takes levels away too: zeros are left out of what would be expected.
    expected = QUANTISED_DISTINCT_SHARE * (1.0 - zeros)
    by_row = min(QUANTISED_LEVELS, expected * min(cols, LEVEL_COLS))
    by_group = min(QUANTISED_GROUP_LEVELS, expected * GROUP_COLS)
    return levels <= by_row or group_levels <= by_group


def quantised(
    query: Fingerprint, candidate: Fingerprint, changed: Sequence[Difference]
) -> Transform | None:
    """Changed blocks whose values lie on a coarse grid on one side or both."""
    sides = [_gridded_side(query, candidate, each) for each in changed]
    on_grid = [each for each, side in zip(changed, sides, strict=True) if side]
    if len(on_grid) * 2 <= len(changed):
        return None
    present = {side for side in sides if side}
    side = present.pop() if len(present) == 1 else "both"
    who = {"repo": "this model", "match": "the match", "both": "both models"}[side]
    levels = [
        int(candidate.blocks.levels[j] if side == "match" else query.blocks.levels[i])
        for each in on_grid
        for i, j in each.pair.blocks
    ]
    return Transform(
        name="quantised",
        summary=f"{len(on_grid)} of {len(changed)} changed blocks of {who} lie on a coarse grid "
        f"(median {int(np.median(levels))} distinct values a row).",
        figures={
            "side": side,
            "blocks": len(on_grid),
            "levels_per_row": int(np.median(levels)),
            "rms_change": float(np.sqrt(np.mean([each.mean_square for each in on_grid]))),
        },
        tensors=_names(query, on_grid),
    )


def pruned(
    query: Fingerprint, candidate: Fingerprint, changed: Sequence[Difference]
) -> Transform | None:
    """Changed blocks in which one side has exact zeros that the other has not."""
    zeros, other_zeros = query.blocks.zeros.tolist(), candidate.blocks.zeros.tolist()
    extra = {
        each.pair.query: fmean(zeros[i] - other_zeros[j] for i, j in each.pair.blocks)
        for each in changed
    }
    cut = [each for each in changed if abs(extra[each.pair.query]) > PRUNED_ZEROS]
    if not cut:
        return None
    share = float(np.median([extra[each.pair.query] for each in cut]))
    who = "this model" if share > 0 else "the match"
    return Transform(
        name="pruned",
        summary=f"In {len(cut)} blocks {abs(share):.0%} of the values of {who} are exact zeros "
        "that the other side does not have.",
        figures={
            "side": "repo" if share > 0 else "match",
            "blocks": len(cut),
            "zeros": abs(share),
        },
        tensors=_names(query, cut),
    )


def noised(
    query: Fingerprint, changed: Sequence[Difference], structure: Structure, noise: Sigma
) -> Transform | None:
    """The changed blocks differ by what looks like added noise; None if it may be rounding."""
    if noise.low <= 0:
        return None
    kind = "the same scalar σ in every tensor" if noise.one_scalar else "σ differs between tensors"
    return Transform(
        name="noised",
        summary=f"The values differ by what looks like added random noise of σ = {noise.sigma:.4g}"
        f" (1/{1 / noise.sigma:.0f}), 95 % interval {noise.low:.4g} to {noise.high:.4g}; {kind}."
        " A light training hidden under the noise cannot be excluded.",
        figures={
            "sigma": noise.sigma,
            "sigma_low": noise.low,
            "sigma_high": noise.high,
            "sigma_relative": noise.relative,
            "one_scalar": int(noise.one_scalar),
            "proportional": int(noise.proportional),
            "dispersion": noise.dispersion,
            "gain": structure.gain.value,
            "z": structure.z,
            "blocks": len(changed),
        },
        tensors=_names(query, changed),
    )


def fine_tuned(
    query: Fingerprint, changed: Sequence[Difference], structure: Structure
) -> Transform:
    """The changed blocks differ along a few directions, as training leaves them."""
    rms = float(np.sqrt(np.mean([each.mean_square for each in changed])))
    return Transform(
        name="fine_tuned",
        summary="The values differ along a few directions, as training leaves them "
        f"(z = {structure.z:.1f}; noise stays below 5), by {rms:.2g} on average.",
        figures={
            "z": structure.z,
            "window_z": structure.window_z,
            "gain": structure.gain.value,
            "rms_change": rms,
            "blocks": len(changed),
        },
        tensors=_names(query, changed),
    )


def _names(query: Fingerprint, differences: Sequence[Difference]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(query.views[each.pair.query].name for each in differences))
