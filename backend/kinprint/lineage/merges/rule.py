"""When is a mixture claimed, and of what kind? The rule that spares siblings, children, chains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from kinprint.lineage.merges.mixture import (
    Z_95,
    Excess,
    Fit,
    block_residuals,
    excess,
    fit,
    structure_z,
)
from kinprint.lineage.merges.selection import left_by
from kinprint.lineage.thresholds import (
    LOSSLESS_FACTOR,
    MERGE_CURVE_TOLERANCE,
    MERGE_MAX_COEFFICIENT,
    MERGE_MIN_BLOCKS,
    MERGE_SDS,
    MERGE_SHAPE_REPEATS,
    MERGE_UNEXPLAINED,
    MERGE_WHOLE_SHARE,
    RESOLUTION_FACTOR,
    TRAINING_Z,
    WHOLE_MODEL_SHARE,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from kinprint.lineage.merges.alignment import Aligned

MAX_PARENTS = 5
Kind = Literal["linear", "task_arithmetic", "slerp", "layer_wise", "unknown"]


@dataclass(frozen=True)
class Mixture:
    """A claimed mixture.

    Attributes:
        kind: How it was mixed.
        aligned: The blocks that it rests on and the models mixed; the base last, if there is one.
        has_base: The last model is the base, whose coefficient is 1 − the sum of the others.
        affine: The coefficients sum to 1.
        whole: One set of coefficients for all blocks.
        single: Mean excess that the best single model leaves.
        unexplained: Share of it that the mixture leaves, block by block.
    """

    kind: Kind
    aligned: Aligned
    has_base: bool
    affine: bool
    whole: Fit
    single: float
    unexplained: float

    @property
    def parents(self) -> int:
        """How many of the models are parents rather than the base."""
        return len(self.aligned.names) - self.has_base


def mixture_of(
    candidates: Aligned, members: Sequence[int], *, nearest: int, base: int | None
) -> Mixture | None:
    """Claim a mixture, if one can be claimed.

    Args:
        candidates: The members and the nearest, maybe others.
        members: Indices of the models that the query may be mixed of.
        nearest: Index of the best single explanation, which may be no member.
        base: Index of the common base, if it is known.
    """
    parents = [each for each in members if each != base]
    if not 2 <= len(parents) <= MAX_PARENTS:
        return None
    has_base = len(parents) < len(members)
    members = (*parents, *([base] if has_base and base is not None else []))
    shared = np.flatnonzero(candidates.present[list(members)].all(axis=0))
    if _parameters(candidates, shared) < WHOLE_MODEL_SHARE * _parameters(candidates):
        return None
    aligned = candidates.keep(members, shared)
    apart, owned, owner = _owners(aligned)
    is_layer_wise = _is_layer_wise(aligned, owned, owner, apart, parents=len(parents))
    # A tensor that is wholly one model's shows nothing of a mixture: freezing leaves such as well.
    telling = np.flatnonzero(apart if is_layer_wise else ~owned)
    explained = _explained(candidates.keep(blocks=shared[telling]), members, nearest)
    if explained is None:
        return None
    single, unexplained = explained
    if is_layer_wise:
        return Mixture(
            kind="layer_wise",
            aligned=aligned,
            has_base=has_base,
            affine=True,
            whole=_owned_shares(aligned, apart, owner),
            single=single,
            unexplained=unexplained,
        )
    mixed = aligned.keep(blocks=telling)
    kind, affine = _kind(mixed, has_base=has_base, single=single)
    whole = fit(aligned, affine=affine, robust=True)
    if not (_all_positive(whole, len(parents)) and _none_negative(mixed, affine, len(parents))):
        return None
    return Mixture(
        kind=kind,
        aligned=aligned,
        has_base=has_base,
        affine=affine,
        whole=whole,
        single=single,
        unexplained=unexplained,
    )


def _explained(
    candidates: Aligned, members: Sequence[int], nearest: int
) -> tuple[float, float] | None:
    """What the best single model leaves, and the share of it that the members leave.

    Returns:
        None where the members do not explain the blocks, or too few blocks tell.
    """
    singles = [left_by(candidates, [each]) for each in {*members, nearest}]
    single = min(each.mean - MERGE_SDS * each.sd for each in singles)
    aligned = candidates.keep(members)
    left, fitted = block_residuals(aligned, affine=False)
    found = excess(aligned, left, fitted)
    if (
        single <= 0
        or found.mean + MERGE_SDS * found.sd > MERGE_UNEXPLAINED * single
        or np.count_nonzero(fitted == len(members)) < MERGE_MIN_BLOCKS
        or structure_z(aligned, left) > TRAINING_Z
    ):
        return None
    return single, max(found.mean, 0.0) / single


def _all_positive(whole: Fit, parents: int) -> bool:
    """Whether every parent has a share that is surely positive, and none beyond all bounds.

    A parent of a merge is that merge minus the other parents: an exact mixture with negative
    coefficients, which says nothing against it.
    """
    values = whole.coefficients[:parents]
    half = Z_95 * np.sqrt(np.diag(whole.covariance)[:parents])
    return bool((values - half > 0).all() and (values <= MERGE_MAX_COEFFICIENT).all())


def _none_negative(aligned: Aligned, affine: bool, parents: int) -> bool:
    """Whether no tensor holds a surely negative share of a parent, but for a few."""
    negative = told = 0
    _, fitted = block_residuals(aligned, affine=affine)
    for row in np.flatnonzero(fitted == len(aligned.names) - affine):
        its = fit(aligned.keep(blocks=np.array([row])), affine=affine)
        errors = MERGE_SDS * np.sqrt(np.diag(its.covariance)[:parents])
        told += 1
        negative += bool((its.coefficients[:parents] < -errors).any())
    return negative <= (1 - MERGE_WHOLE_SHARE) * told


def _kind(aligned: Aligned, *, has_base: bool, single: float) -> tuple[Kind, bool]:
    """Name the kind and say whether its coefficients sum to 1."""
    left, fitted = block_residuals(aligned, affine=True)
    found = excess(aligned, left, fitted)
    affine = found.mean + MERGE_SDS * found.sd <= MERGE_UNEXPLAINED * single
    if has_base:
        return ("task_arithmetic" if affine else "unknown"), affine
    if len(aligned.names) == 2 and _is_on_sphere(aligned):
        return "slerp", False
    return ("linear" if affine else "unknown"), affine


def _is_layer_wise(
    aligned: Aligned,
    owned: NDArray[np.bool_],
    owner: NDArray[np.intp],
    apart: NDArray[np.bool_],
    *,
    parents: int,
) -> bool:
    """Whether every tensor is wholly one parent's, and tensors of every shape are of several.

    The last condition spares a model whose child changed only what it had itself left alone: its
    tensors are the base's or the child's, but by kind (attention, feed-forward), not by layer.
    """
    counts = np.bincount(owner[owned], minlength=len(aligned.names))[:parents]
    if owned.sum() < MERGE_WHOLE_SHARE * apart.sum() or np.any(counts < MERGE_MIN_BLOCKS):
        return False
    columns = aligned.query.blocks
    shapes = np.stack([columns.start, columns.rows, columns.cols], axis=1)[aligned.blocks][owned]
    kinds, which = np.unique(shapes, axis=0, return_inverse=True)
    return all(
        len(np.unique(owner[owned][which == kind])) > 1
        for kind in range(len(kinds))
        if np.count_nonzero(which == kind) >= MERGE_SHAPE_REPEATS
    )


def _owners(
    aligned: Aligned,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.intp]]:
    """Return where the models differ, where the query is wholly one's, and whose: (B,) each."""
    square = ((aligned.mine - aligned.theirs) ** 2).sum(axis=2) / aligned.cells
    apart = square.max(axis=0) > RESOLUTION_FACTOR * aligned.floor
    owned = apart & (square.min(axis=0) <= LOSSLESS_FACTOR * aligned.floor)
    return apart, owned, square.argmin(axis=0)


def _owned_shares(aligned: Aligned, apart: NDArray[np.bool_], owner: NDArray[np.intp]) -> Fit:
    """The share of the parameters that is each model's, as coefficients without an error."""
    owned = [
        _parameters(aligned, np.flatnonzero(apart & (owner == model)))
        for model in range(len(aligned.names))
    ]
    none = np.zeros((len(owned), len(owned)))
    return Fit(np.array(owned) / sum(owned), none, Excess(0.0, 0.0))


def _is_on_sphere(aligned: Aligned) -> bool:
    """Whether the coefficients of two parents follow spherical interpolation, tensor by tensor.

    For a = sin((1 − t)θ)/sin θ and b = sin(tθ)/sin θ (Shoemake, 1985), (a + b)² − 1 =
    2ab(1 − cos θ), whatever t is; a linear mixture has a + b = 1.
    """
    first, second = aligned.theirs
    beyond, curve = [], []
    for row in range(len(aligned.blocks)):
        one = fit(aligned.keep(blocks=np.array([row])), affine=False).coefficients
        lengths = np.linalg.norm(first[row]) * np.linalg.norm(second[row])
        if lengths == 0:
            continue
        # 1 − cos θ from the difference, which keeps its digits where θ is small.
        unit = first[row] / np.linalg.norm(first[row]) - second[row] / np.linalg.norm(second[row])
        beyond.append(one.sum() ** 2 - 1)
        curve.append(2 * one[0] * one[1] * (unit @ unit) / 2)
    x, y = np.array(curve), np.array(beyond)
    energy = float(x @ x)
    if energy == 0:
        return False
    slope = float(x @ y) / energy
    spread = float(np.sqrt(((y - slope * x) ** 2).sum() / max(len(x) - 1, 1) / energy))
    return abs(slope - 1) <= MERGE_CURVE_TOLERANCE and slope > MERGE_SDS * spread


def _parameters(aligned: Aligned, blocks: NDArray[np.intp] | None = None) -> int:
    rows = aligned.blocks if blocks is None else aligned.blocks[blocks]
    views = aligned.query.views
    return sum(views[v].rows * views[v].cols for v in set(aligned.query.blocks.view[rows].tolist()))
