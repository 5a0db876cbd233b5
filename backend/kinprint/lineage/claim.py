"""The claim: one e-value for "these two revisions share weights", valid whatever was preselected.

An e-value has mean ≤ 1 over strangers, so P(E ≥ x) ≤ 1/x (Markov). Means of e-values are
e-values, and so are products of those of independent groups; the claim uses nothing else.
Safe testing: Grünwald, de Heide, Koolen, "Safe Testing", JRSS B 2024.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kinprint.lineage.thresholds import LN_E_CLAIM, MIN_GROUPS_FOR, MIXTURE_SHARES

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Claim:
    """What the e-value says.

    Attributes:
        ln_e: ln E over all groups; 0 where there is none.
        mean_ln_e: ln of (1/n) Σ e_i, which needs no independence at all.
        threshold: ln E at which a match is claimed.
        groups: Number of independent groups of query views, n.
        groups_for: Groups with e_i > 1.
    """

    ln_e: float
    mean_ln_e: float
    threshold: float
    groups: int
    groups_for: int

    @property
    def score(self) -> float:
        """Ln E − ln N, comparable between look-ups."""
        return self.ln_e - (self.threshold - LN_E_CLAIM)

    @property
    def above_threshold(self) -> bool:
        """Whether E alone would carry a claim."""
        return self.ln_e >= self.threshold

    @property
    def holds(self) -> bool:
        """Whether common origin is claimed: E is large enough and enough groups carry it."""
        return self.above_threshold and self.groups_for >= MIN_GROUPS_FOR


def mixture_ln_e(group_ln_e: NDArray[np.float64]) -> float:
    """Ln E for groups' ln e_i: the mean over w of Π (1 − w + w·e_i).

    Args:
        group_ln_e: float64 (n,), −inf where a group has nothing to compare with.

    Returns:
        ln E; 0.0 for n = 0.
    """
    n = len(group_ln_e)
    if n == 0:
        return 0.0
    shares = np.array([1 / n, *MIXTURE_SHARES])
    with np.errstate(divide="ignore"):  # n = 1 gives the share 1, whose complement is 0
        ln_rest = np.log1p(-shares)
    products = np.logaddexp(ln_rest[:, None], np.log(shares)[:, None] + group_ln_e[None, :]).sum(
        axis=1
    )
    return float(np.logaddexp.reduce(products) - np.log(len(shares)))


def claim(view_ln_e: NDArray[np.float64], group_of: NDArray[np.intp], *, n_revisions: int) -> Claim:
    """Combine the views' e-values into a claim.

    Args:
        view_ln_e: float64 (views,), ln of each query view's mean e over the candidate's views.
        group_of: intp (views,), number of the group that each query view belongs to.
        n_revisions: Revisions in the index, all of which were candidates in principle.
    """
    groups = int(group_of.max()) + 1 if len(group_of) else 0
    group_ln_e = np.full(groups, -np.inf)
    np.logaddexp.at(group_ln_e, group_of, view_ln_e)
    if groups:
        group_ln_e -= np.log(np.bincount(group_of, minlength=groups))
        mean_ln_e = float(np.logaddexp.reduce(group_ln_e) - np.log(groups))
    else:
        mean_ln_e = 0.0
    return Claim(
        ln_e=mixture_ln_e(group_ln_e),
        mean_ln_e=mean_ln_e,
        threshold=LN_E_CLAIM + float(np.log(max(n_revisions, 1))),
        groups=groups,
        groups_for=int(np.count_nonzero(group_ln_e > 0)),
    )
