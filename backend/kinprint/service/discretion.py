"""What may be told of gated models: name, public metadata and relation, but not their contents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kinprint.checkpoints.tensors import Visibility
from kinprint.lineage.evidence.record import Evidence

if TYPE_CHECKING:
    from collections.abc import Callable

    from kinprint.lineage.evidence.record import Comparison
    from kinprint.lineage.verdict import Match, Similar, Transform, Verdict


GATED = "One of the two models is gated: its contents are not shown."


def discreet_similar(answer: Similar, is_gated: Callable[[str], bool]) -> Similar:
    """Leave tensor names out of what concerns a gated model.

    Args:
        answer: The full answer.
        is_gated: Tells of a repo id whether the repo is gated.
    """
    if is_gated(answer.repo):
        matches = tuple(_cut_match(each) for each in answer.matches)
        return answer.model_copy(update={"matches": matches, "verdict": _cut(answer.verdict)})
    gated = [is_gated(each.repo) for each in answer.matches]
    matches = tuple(
        _cut_match(each) if cut else each for each, cut in zip(answer.matches, gated, strict=True)
    )
    # The answer's own verdict is that of its first match.
    verdict = _cut(answer.verdict) if gated[:1] == [True] else answer.verdict
    return answer.model_copy(update={"matches": matches, "verdict": verdict})


def discreet_comparison(comparison: Comparison) -> Comparison:
    """Leave tensors and texts out if either side is gated."""
    if Visibility.GATED not in (comparison.a.visibility, comparison.b.visibility):
        return comparison
    evidence = comparison.evidence
    shown = Evidence(
        tree=evidence.tree,
        timeline=None
        if evidence.timeline is None
        else evidence.timeline.model_copy(update={"hints": ()}),
        reproduction=evidence.reproduction,
        missing=dict.fromkeys(("weights", "change", "merge", "declarations", "config"), GATED),
    )
    return comparison.model_copy(update={"verdict": _cut(comparison.verdict), "evidence": shown})


def _cut_match(match: Match) -> Match:
    verdict = _cut(match.verdict)
    return match.model_copy(update={"verdict": verdict, "transforms": verdict.transforms})


def _cut(verdict: Verdict) -> Verdict:
    return verdict.model_copy(
        update={
            "rename_map": (),
            "transforms": tuple(_nameless(each) for each in verdict.transforms),
            "findings": tuple(each.model_copy(update={"tensors": ()}) for each in verdict.findings),
        }
    )


def _nameless(transform: Transform) -> Transform:
    changed: dict[str, object] = {"tensors": ()}
    if transform.name.startswith("layers_"):
        # Its sentence shows the keys of the stacks.
        changed["summary"] = "The layers of the two do not correspond one to one."
    return transform.model_copy(update=changed)
