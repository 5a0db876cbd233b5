"""A claimed mixture as evidence: coefficients module by module, and a sentence."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from kinprint.errors import UsageError
from kinprint.lineage.evidence.record import Estimate, MergeEvidence, ModuleMixture, ParentShare
from kinprint.lineage.merges.alignment import align
from kinprint.lineage.merges.mixture import Z_95, block_residuals, excess, fit
from kinprint.lineage.merges.rule import Mixture, mixture_of
from kinprint.lineage.merges.selection import select
from kinprint.lineage.verdict import Transform
from kinprint.lineage.wording import name_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kinprint.fingerprint.record import Fingerprint
    from kinprint.lineage.matching import Matching
    from kinprint.lineage.merges.mixture import Fit

MAX_KIN = 200
"""Possible parents that are compared, the nearest where there are more."""
SELECTION_BLOCKS = 256
"""Blocks that parents are selected by: 200 candidates of 256 blocks are 105 MB of float64,
held up to four times over."""
FIT_BLOCKS = 4_096
"""Blocks that the few selected are fitted to."""
MAX_MODULES = 2_000
"""Modules listed in the evidence."""
_LAYER = re.compile(r"^(.*?\.\d+)\.")

_KINDS = {
    "linear": "A mixture of {parents}{base}.",
    "task_arithmetic": "A mixture of what {parents} changed in {base}.",
    "slerp": "A mixture of {parents} along the sphere (SLERP){base}.",
    "layer_wise": "Put together layer by layer from {parents}{base}.",
    "unknown": "A mixture of {parents}{base}; how it was mixed the weights do not tell.",
}


def merge_evidence(
    query: Fingerprint, kin: Sequence[Matching], base: Matching | None
) -> MergeEvidence | None:
    """Say of what a model is a mixture, if it is one.

    A mixture is claimed only where it leaves next to nothing of what the best single model leaves,
    which no siblings, children, noise or training do; see ``docs/method.md``.

    Args:
        query: The model asked about.
        kin: Models with a claimed match that may be its parents, the base among them or not.
            Models that came provably later, or declare the query as their base, do not belong here.
        base: The common base of the query and its possible parents, if it is known.

    Returns:
        The evidence; None where no mixture is claimed.
    """
    found = _mixture(query, kin, base)
    if found is None:
        return None
    parents = tuple(found.aligned.names[row] for row in _largest_first(found))
    base_name = found.aligned.names[-1] if found.has_base else None
    known_base = base_name or (None if base is None else name_of(base.candidate))
    return MergeEvidence(
        kind=found.kind,
        base=base_name,
        parents=parents,
        modules=(_whole(found), *_modules(found)),
        sentence=_sentence(found, known_base),
        tensors=tuple(dict.fromkeys(_names(found))),
    )


def merged_transform(evidence: MergeEvidence) -> Transform:
    """Return the transform that stands for a mixture in a verdict."""
    whole = evidence.modules[0]
    figures: dict[str, float | int | str] = {"kind": evidence.kind}
    for number, share in enumerate(whole.shares, 1):
        figures |= {
            f"parent_{number}": share.parent,
            f"coefficient_{number}": share.coefficient.value,
            f"coefficient_{number}_low": share.coefficient.low,
            f"coefficient_{number}_high": share.coefficient.high,
        }
    if evidence.base is not None:
        figures["base"] = evidence.base
    figures["unexplained"] = whole.unexplained
    return Transform(
        name="merged", summary=evidence.sentence, figures=figures, tensors=evidence.tensors
    )


def _mixture(query: Fingerprint, kin: Sequence[Matching], base: Matching | None) -> Mixture | None:
    if any(each.query is not query for each in kin):
        raise UsageError("Every possible parent must be compared with the model asked about")
    models = _in_order(kin, base)
    if len(models) < 2:
        return None
    number = None if base is None else [_key(each) for each in models].index(_key(base))
    names = [name_of(each.candidate) for each in models]
    found = select(align(models, names, most_blocks=SELECTION_BLOCKS), base=number)
    if found is None:
        return None
    chosen = sorted({*found.members, found.nearest})
    place = {row: number for number, row in enumerate(chosen)}
    return mixture_of(
        align(
            [models[row] for row in chosen], [names[row] for row in chosen], most_blocks=FIT_BLOCKS
        ),
        [place[row] for row in found.members],
        nearest=place[found.nearest],
        base=place.get(number) if number is not None else None,
    )


def _in_order(kin: Sequence[Matching], base: Matching | None) -> tuple[Matching, ...]:
    """Each model once, in an order of their own, the nearest first where they are too many."""
    models = {_key(each): each for each in (*kin, *([] if base is None else [base]))}
    ordered = sorted(models, key=lambda key: (-models[key].query_share, key))[:MAX_KIN]
    if base is not None and _key(base) not in ordered:
        ordered[-1] = _key(base)
    return tuple(models[key] for key in sorted(ordered))


def _key(matching: Matching) -> tuple[str, str, bytes]:
    origin = matching.candidate.origin
    digests = np.ascontiguousarray(matching.candidate.blocks.digest[:64]).tobytes()
    return name_of(matching.candidate), origin.revision or "", digests


def _largest_first(found: Mixture) -> list[int]:
    values = found.whole.coefficients[: found.parents]
    return sorted(range(found.parents), key=lambda row: (-values[row], row))


def _whole(found: Mixture) -> ModuleMixture:
    return ModuleMixture(
        module="", shares=_shares(found, found.whole), unexplained=found.unexplained
    )


def _modules(found: Mixture) -> tuple[ModuleMixture, ...]:
    places: dict[str, list[int]] = {}
    for place, name in enumerate(_names(found)):
        places.setdefault(_module_of(name), []).append(place)
    modules = []
    for name, rows in list(places.items())[:MAX_MODULES]:
        some = found.aligned.keep(blocks=np.array(rows))
        _, fitted = block_residuals(some, affine=found.affine)
        told = fitted == len(found.aligned.names) - found.affine
        if not told.any():
            continue
        some = some.keep(blocks=np.flatnonzero(told))
        its = fit(some, affine=found.affine)
        singles = [excess(some, some.mine - each, 0).mean for each in some.theirs]
        least = min(singles)
        modules.append(
            ModuleMixture(
                module=name,
                shares=_shares(found, its),
                unexplained=min(max(its.excess.mean, 0.0) / least, 1.0) if least > 0 else 0.0,
            )
        )
    return tuple(modules)


def _names(found: Mixture) -> list[str]:
    """Name of the tensor that each block is from."""
    query = found.aligned.query
    return [query.views[view].name for view in query.blocks.view[found.aligned.blocks]]


def _module_of(name: str) -> str:
    """A numbered layer, or what a tensor outside of them belongs to."""
    layer = _LAYER.match(name)
    return layer[1] if layer else name.rpartition(".")[0]


def _shares(found: Mixture, its: Fit) -> tuple[ParentShare, ...]:
    half = Z_95 * np.sqrt(np.diag(its.covariance))
    return tuple(
        ParentShare(
            parent=found.aligned.names[row],
            coefficient=Estimate(
                value=float(its.coefficients[row]),
                low=float(its.coefficients[row] - half[row]),
                high=float(its.coefficients[row] + half[row]),
            ),
        )
        for row in _largest_first(found)
    )


def _sentence(found: Mixture, base: str | None) -> str:
    listed = []
    for share in _whole(found).shares:
        if found.kind == "layer_wise":
            listed.append(f"{share.parent} ({share.coefficient.value:.0%} of the parameters)")
            continue
        half = (share.coefficient.high - share.coefficient.low) / 2
        listed.append(f"{share.parent} ({share.coefficient.value:.2f} ± {max(half, 0.01):.2f})")
    parents = " and ".join([", ".join(listed[:-1]), listed[-1]])
    if found.kind == "task_arithmetic":
        return _KINDS[found.kind].format(parents=parents, base=base)
    changed = "both" if len(listed) == 2 else "all"
    tail = "" if base is None else f", {changed} changed from {base}"
    return _KINDS[found.kind].format(parents=parents, base=tail)
