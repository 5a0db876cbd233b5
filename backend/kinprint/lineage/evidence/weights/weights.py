"""Which tensors are which: both sides tensor by tensor, as rules, as layers and as modules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from kinprint.lineage.evidence.record import TensorCell, WeightsEvidence
from kinprint.lineage.evidence.weights.counterparts import Counterpart, counterparts
from kinprint.lineage.evidence.weights.layers import layer_stacks
from kinprint.lineage.evidence.weights.modules import module_origins
from kinprint.lineage.evidence.weights.rules import rename_rules
from kinprint.lineage.rename_map import label
from kinprint.lineage.verdict import Relation

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kinprint.fingerprint.record import Fingerprint, ViewFact
    from kinprint.lineage.matching import Matching
    from kinprint.lineage.verdict import TensorPair

Standing = Literal["evidence", "support", "generated", "not_compared"]

Partners = dict[int, tuple[int, int]]
"""For a view of one side, the other side's view that it corresponds to, and their distance."""


def weights_evidence(
    matching: Matching,
    rename_map: Sequence[TensorPair],
    others: Sequence[tuple[str, Matching]] = (),
    *,
    relation: Relation | None = None,
) -> WeightsEvidence:
    """Return what the weights of two revisions have in common, tensor by tensor.

    Args:
        matching: The repo compared with the match.
        rename_map: The verdict's; empty where nothing is claimed, and then nothing is shown as
            corresponding.
        others: Further models by name, each with the same repo compared with it, for the origins
            of modules.
        relation: What the verdict claims; no module is said to be more.
    """
    query, candidate = matching.query, matching.candidate
    found = (*counterparts(matching), *_support(query, candidate, rename_map)) if rename_map else ()
    repo_partners, match_partners = _partners(found)
    rules, exceptions = rename_rules(rename_map)
    explained = sum(query.views[view].rows * query.views[view].cols for view in repo_partners)
    repo_tensors = _cells(query, matching.query_views.tolist(), repo_partners)
    match_tensors = _cells(candidate, matching.candidate_views.tolist(), match_partners)
    return WeightsEvidence(
        repo_tensors=repo_tensors,
        match_tensors=match_tensors,
        rules=rules,
        exceptions=exceptions,
        explained=explained / query.parameters if query.parameters else 0.0,
        stacks=layer_stacks(matching, found),
        modules=module_origins(
            matching, others, relation=relation if rename_map else Relation.UNRELATED
        ),
        unmatched_repo=_unmatched(repo_tensors),
        unmatched_match=_unmatched(match_tensors),
    )


def _support(
    query: Fingerprint, candidate: Fingerprint, rename_map: Sequence[TensorPair]
) -> list[Counterpart]:
    """The vectors that the rename map pairs."""
    mine, theirs = _vectors(query), _vectors(candidate)
    return [
        Counterpart(mine[pair.repo_tensor], theirs[pair.match_tensor], pair.hamming_bits)
        for pair in rename_map
        if pair.support
    ]


def _vectors(fingerprint: Fingerprint) -> Mapping[str, int]:
    return {fingerprint.views[view].name: int(view) for view in fingerprint.vectors.view}


def _partners(found: Iterable[Counterpart]) -> tuple[Partners, Partners]:
    """Partners from either side; accepted pairs come first and stand."""
    mine: Partners = {}
    theirs: Partners = {}
    for each in found:
        mine.setdefault(each.repo, (each.match, each.hamming_bits))
        theirs.setdefault(each.match, (each.repo, each.hamming_bits))
    return mine, theirs


def _cells(
    fingerprint: Fingerprint, evidence: Iterable[int], partners: Partners
) -> tuple[TensorCell, ...]:
    is_evidence = frozenset(evidence)
    is_vector = frozenset(fingerprint.vectors.view.tolist())
    cells: list[TensorCell] = []
    for place, view in enumerate(fingerprint.views):
        partner, bits = partners.get(place, (None, None))
        cells.append(
            TensorCell(
                name=label(view),
                rows=view.rows,
                cols=view.cols,
                standing=_standing(
                    view, is_evidence=place in is_evidence, is_vector=place in is_vector
                ),
                partner=partner,
                hamming_bits=bits,
            )
        )
    return tuple(cells)


def _standing(view: ViewFact, *, is_evidence: bool, is_vector: bool) -> Standing:
    if view.generated is not None:
        return "generated"
    if is_evidence:
        return "evidence"
    return "support" if is_vector else "not_compared"


def _unmatched(cells: Iterable[TensorCell]) -> tuple[str, ...]:
    return tuple(
        cell.name for cell in cells if cell.standing == "evidence" and cell.partner is None
    )
