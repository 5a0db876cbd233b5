"""Why a model holds nothing, or too little, that could be compared."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from kinprint.lineage.thresholds import MIN_GROUPS_FOR
from kinprint.lineage.wording import name_of

if TYPE_CHECKING:
    from kinprint.fingerprint.record import Fingerprint

_REASONS_SHOWN = 5


def too_little(fingerprint: Fingerprint, groups: int) -> str:
    """Say why a model cannot carry a claim, with what became of its tensors.

    Args:
        fingerprint: The model.
        groups: Its independent groups of evidence views, fewer than a claim needs.
    """
    reasons = Counter(
        view.note or f"follows a formula ({view.generated})"
        for view in fingerprint.views
        if view.note or view.generated
    )
    # A tied copy hides nothing: its weights are those of another tensor.
    reasons.update(
        each.reason for each in fingerprint.skipped if not each.reason.startswith("tied to")
    )
    name = name_of(fingerprint)
    what = (
        f"No tensor of {name} can be evidence"
        if groups == 0
        else f"Too few views: {name} has {groups} independent evidence tensors, "
        f"{MIN_GROUPS_FOR} must agree"
    )
    shown = reasons.most_common(_REASONS_SHOWN)
    if not shown:
        return f"{what}."
    counts = ", ".join(f"{count:,} × {reason}" for reason, count in shown)
    more = f", {len(reasons) - len(shown)} other reasons" if len(reasons) > len(shown) else ""
    return f"{what}; left out: {counts}{more}."
