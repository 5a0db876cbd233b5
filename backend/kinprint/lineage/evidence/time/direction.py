"""What the weights themselves suggest about which side came later: hints, never proof.

Each of them can be made by hand, and each says so. ``Verdict.direction`` rests on time and
declarations alone.
"""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING

from kinprint.lineage.change import change_of
from kinprint.lineage.differences import differences
from kinprint.lineage.evidence.record import DirectionHint
from kinprint.lineage.residuals import residual_blocks
from kinprint.lineage.thresholds import (
    CHAIN_BLOCK_RATIO,
    CHAIN_CONTRAST,
    CHAIN_STANDARD_ERROR,
    CHAIN_TOLERANCE,
)
from kinprint.lineage.verdict import Direction
from kinprint.lineage.wording import name_of

if TYPE_CHECKING:
    from kinprint.lineage.change import Change
    from kinprint.lineage.differences import Difference
    from kinprint.lineage.matching import Matching

_FROM = {"repo": Direction.REPO_FROM_MATCH, "match": Direction.MATCH_FROM_REPO}


def direction_hints(
    matching: Matching, with_base: Matching | None = None
) -> tuple[DirectionHint, ...]:
    """Return one hint of each kind; ``unknown`` wherever the weights do not tell.

    Args:
        matching: The repo asked about, compared with a match that is claimed.
        with_base: The repo compared with a common base of both, if one was read.
    """
    return (
        rounding_lattice(matching),
        residual_norms(matching, with_base),
        added_modules(matching),
    )


def rounding_lattice(matching: Matching) -> DirectionHint:
    """One side is exactly the other after rounding, or lies on a grid that the other does not.

    Rounding loses what nobody can bring back, so the coarser side came later, unless what the
    finer one has beyond it was made up.
    """
    query, candidate = matching.query, matching.candidate
    repo, match = name_of(query), name_of(candidate)
    found = differences(query, candidate, matching.accepted)
    change = change_of(query, candidate, found, direction=Direction.UNKNOWN)
    coarser = _rounded_side(found) if change.untouched else _quantised_side(change)
    if coarser not in _FROM:
        return _hint(
            "rounding_lattice",
            Direction.UNKNOWN,
            "Neither side is the other after rounding: the values of both lie on equally fine "
            "grids, or differ by more than rounding. A copy that was saved in a wider format "
            "again looks so.",
        )
    later, earlier = (repo, match) if coarser == "repo" else (match, repo)
    if change.untouched:
        how = f"{later} is {earlier} rounded to a coarser number format"
        limit = ""
    else:
        how = f"The values of {later} lie on a quantiser's grid, those of {earlier} do not"
        limit = " Two children of one base look the same where one was quantised coarsely."
    return _hint(
        "rounding_lattice",
        _FROM[coarser],
        f"{how}, which suggests that {later} came later. Whoever adds noise smaller than the "
        f"rounding makes a copy that looks like the finer, earlier one.{limit}",
    )


def residual_norms(matching: Matching, with_base: Matching | None) -> DirectionHint:
    """One side's change of a common base is wholly contained in the other's, not vice versa.

    In a chain base → A → B of unrelated steps ``B − base = (A − base) + step``, so the change of A
    has the coefficient 1 in that of B, and that of B has ‖A − base‖²/‖B − base‖² in that of A.
    """
    if with_base is None:
        return _hint("residual_norms", Direction.UNKNOWN, "No common base of both was read.")
    repo, match = name_of(matching.query), name_of(matching.candidate)
    mine, theirs, product, cells = _energies(matching, with_base)
    if not (mine and theirs):
        return _hint(
            "residual_norms",
            Direction.UNKNOWN,
            f"One of the two did not change {name_of(with_base.candidate)}, or no tensor is common "
            "to all three.",
        )
    step = sqrt(max(mine + theirs - 2 * product, 0.0) / cells)
    in_repo, in_match = product / theirs, product / mine
    for coefficient, other, energy, direction, later, earlier in (
        (in_repo, in_match, theirs, Direction.REPO_FROM_MATCH, repo, match),
        (in_match, in_repo, mine, Direction.MATCH_FROM_REPO, match, repo),
    ):
        is_whole = abs(coefficient - 1) <= CHAIN_TOLERANCE
        if is_whole and step / sqrt(energy) <= CHAIN_STANDARD_ERROR and other <= CHAIN_CONTRAST:
            return _hint(
                "residual_norms",
                direction,
                f"What {earlier} changed in {name_of(with_base.candidate)} is contained in what "
                f"{later} changed (coefficient {coefficient:.2f}), not the other way round "
                f"({other:.2f}), which suggests that {later} went on from {earlier}. Two trainings "
                "on the same data, or a model that took back part of its change, can look the "
                "same.",
            )
    return _hint(
        "residual_norms",
        Direction.UNKNOWN,
        f"Neither change of {name_of(with_base.candidate)} is contained whole in the other "
        f"(coefficients {in_repo:.2f} and {in_match:.2f}).",
    )


def added_modules(matching: Matching) -> DirectionHint:
    """One side holds the other wholly, and tensors or rows beyond it."""
    repo, match = name_of(matching.query), name_of(matching.candidate)
    more_mine, more_theirs = _extra(matching)
    if bool(more_mine) == bool(more_theirs):
        text = (
            "Both sides have tensors or rows that the other does not have."
            if more_mine
            else "Neither side has tensors or rows beyond the other's."
        )
        return _hint("added_modules", Direction.UNKNOWN, text)
    later, earlier, extra = (repo, match, more_mine) if more_mine else (match, repo, more_theirs)
    return _hint(
        "added_modules",
        Direction.REPO_FROM_MATCH if more_mine else Direction.MATCH_FROM_REPO,
        f"{later} holds all of {earlier} and {extra} beyond it, which suggests that {later} was "
        f"built from {earlier}. A copy that dropped parts looks the same the other way round.",
    )


def _rounded_side(found: tuple[Difference, ...]) -> str | None:
    """The side that every lossy cast points to; None if there is none, or they disagree."""
    sides = {
        "repo" if each.query_rounding > each.candidate_rounding else "match"
        for each in found
        if each.is_rounding and each.cast_ratio is not None
    }
    return sides.pop() if len(sides) == 1 else None


def _quantised_side(change: Change) -> str | None:
    """The side that lies on a grid; None if the difference looks like training as well."""
    found = {each.name: each for each in change.transforms}
    if "quantised" not in found or "fine_tuned" in found:
        return None
    return str(found["quantised"].figures["side"])


def _energies(matching: Matching, with_base: Matching) -> tuple[float, float, float, int]:
    """Return ‖repo − base‖², ‖match − base‖², their product, and the independent numbers.

    Blocks weigh the same whatever their scale is. One that either side left alone is no part of
    it: tensors that were put back to the base would look like a step not taken yet.
    """
    mine = theirs = product = 0.0
    cells = 0
    for change, other in residual_blocks(matching, with_base):
        own, others = float((change**2).sum()), float((other**2).sum())
        if min(own, others) > CHAIN_BLOCK_RATIO * max(own, others):
            both = own + others
            mine, theirs = mine + own / both, theirs + others / both
            product += float((change * other).sum()) / both
            cells += change.shape[1] * (change.shape[0] - 1)
    return mine, theirs, product, cells


def _extra(matching: Matching) -> tuple[str, str]:
    """Say what either side has beyond the other: evidence tensors, and rows of matched ones."""
    query, candidate = matching.query, matching.candidate
    grown = [
        query.views[pair.query].rows - candidate.views[pair.candidate].rows
        for pair in matching.accepted
        if query.views[pair.query].cols == candidate.views[pair.candidate].cols
    ]
    tensors = (
        len(matching.query_views) - len(matching.accepted),
        len(matching.candidate_views) - len(matching.accepted),
    )
    rows = (sum(max(each, 0) for each in grown), sum(max(-each, 0) for each in grown))
    mine, theirs = (
        " and ".join(f"{count:,} {what}" for count, what in ((n, "tensors"), (r, "rows")) if count)
        for n, r in zip(tensors, rows, strict=True)
    )
    return mine, theirs


def _hint(kind: str, direction: Direction, summary: str) -> DirectionHint:
    return DirectionHint.model_validate({"kind": kind, "direction": direction, "summary": summary})
