"""Whether what a model says of itself agrees with what was measured; abstains where it can."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from kinprint.lineage.evidence.declared.model_names import may_be
from kinprint.lineage.evidence.declared.parties import source_named
from kinprint.lineage.evidence.declared.patterns import TEMPLATE
from kinprint.lineage.thresholds import SIZE_AGREES, SIZE_CONTRADICTS, WHOLLY_MATCHED_SHARE
from kinprint.lineage.verdict import CLAIMS, Direction, Relation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kinprint.lineage.evidence.declared.parties import KnownSource, Party
    from kinprint.lineage.evidence.declared.patterns import Part
    from kinprint.lineage.evidence.declared.statements import Statement
    from kinprint.lineage.verdict import Verdict

_CHANGED_LAYERS = frozenset(
    {"layers_dropped", "layers_repeated", "layers_reordered", "vocab_extended", "fused_or_split"}
)
_FROM_IT = frozenset({Relation.SAME_WEIGHTS, Relation.DERIVED})


@dataclass(frozen=True)
class Outcome:
    """What was measured about a claim, and whether the two agree."""

    outcome: Literal["agrees", "contradicts", "cannot_tell"]
    measured: str


@dataclass(frozen=True)
class Case:
    """All that statements of one side are checked against.

    Attributes:
        party: Who says it.
        other: The other side.
        verdict: What was measured of the two.
        sources: Third models that were read.
    """

    party: Party
    other: Party
    verdict: Verdict
    sources: Sequence[KnownSource] = ()

    @property
    def comes_from_other(self) -> bool:
        """The party's weights are the other's, changed or not, and that order is known."""
        mine = Direction.REPO_FROM_MATCH if self.party.side == "repo" else Direction.MATCH_FROM_REPO
        return self.verdict.relation in _FROM_IT and self.verdict.direction is mine

    @property
    def is_declared(self) -> bool:
        """The party names the other side as its base."""
        return self.verdict.declared or any(
            may_be(base, self.other.names) for base in self.party.bases
        )


def of_origin(case: Case, statement: Statement) -> Outcome:
    """Check "trained from scratch" and "our own architecture"."""
    party, other, verdict = case.party, case.other, case.verdict
    if not statement.is_own:
        return _cannot_tell("The sentence may speak of a part or of another model.")
    if TEMPLATE.fullmatch(statement.sentence.text):
        return _cannot_tell(
            "The sentence is a template's, written where the training code was not told the base."
        )
    if verdict.relation not in CLAIMS:
        return _cannot_tell(
            f"No common origin with {other.name} was found, which says nothing of other models."
        )
    if not case.comes_from_other:
        return _cannot_tell(
            f"A common origin with {other.name} was measured, but not that {party.name} is "
            "the one that came from it."
        )
    if case.is_declared:
        return _cannot_tell(f"{party.name} declares {other.name} as its base as well.")
    bases = party.bases_named
    if statement.code == "trained_from_scratch" and bases:
        return _cannot_tell(f"The card names {bases[0]} as what it was made from, too.")
    if party.owner is not None and party.owner == other.owner:
        return _cannot_tell(f"{other.name} is of the same owner, who may mean both.")
    if other.documents.card is None:
        return _cannot_tell(
            f"The card of {other.name} could not be read, from which the sentence may be copied."
        )
    if any(theirs.sentence.text == statement.sentence.text for theirs in other.statements):
        return _cannot_tell(f"The card of {other.name} holds the same sentence.")
    if statement.code == "own_architecture" and not _is_wholly_the_others(case):
        return _cannot_tell(
            f"Weights of {other.name} were measured in it, but also parts or changes of its own."
        )
    return Outcome("contradicts", verdict.sentence)


def of_size(case: Case, statement: Statement) -> Outcome:
    """Check a number of parameters against those counted in the weights."""
    counted = case.party.parameters
    claimed = statement.parameters
    if not counted or not claimed:
        return _cannot_tell("No parameters were counted.")
    measured = f"{counted:,} parameters were counted in the weights."
    factor = _factor(claimed, counted)
    if factor <= SIZE_AGREES:
        return Outcome("agrees", measured)
    settings = case.party.settings
    if factor <= SIZE_CONTRADICTS:
        return _cannot_tell(f"{measured} Embeddings are counted in some sizes and not in others.")
    if any(_factor(size, counted) <= SIZE_AGREES for size in case.party.sizes_mentioned):
        return _cannot_tell(f"{measured} Its name or card mentions that size as well.")
    if not case.party.is_wholly_counted:
        return _cannot_tell(f"{measured} Packed or unreadable tensors are not among them.")
    if case.party.declared_relation == "adapter" or "model_type" not in settings:
        return _cannot_tell(f"{measured} The repo does not hold one whole model alone.")
    if "num_local_experts" in settings or "num_experts_per_tok" in settings:
        return _cannot_tell(f"{measured} Of experts, some count all and some the active ones.")
    return Outcome("contradicts", measured)


def of_source(case: Case, name: str, *, part: Part | None = None) -> Outcome:
    """Check a named source: of the whole model, or of a part of it.

    Args:
        case: Who says it, and what was measured.
        name: The source, in the spelling of the statement.
        part: What is said to come from it; None for the whole.
    """
    other, verdict = case.other, case.verdict
    if part == "tokenizer":
        return _cannot_tell("A tokenizer is no weight; it was not compared.")
    if may_be(name, other.names):
        if verdict.relation not in CLAIMS:
            return _cannot_tell(
                f"No shared weights with {other.name} were found; packed weights, an adapter or a "
                "rotation would hide them."
            )
        if part is None:
            return Outcome("agrees", verdict.sentence)
        return _cannot_tell(f"{verdict.sentence} Which part is which, the tensor map shows.")
    source = source_named(name, case.sources)
    relation = None if source is None else source.relation_to.get(case.party.side)
    if relation is None:
        return _cannot_tell(f"{name} is not among the models that were compared.")
    if relation not in CLAIMS:
        return _cannot_tell(f"No weights shared with {name} were found.")
    words = relation.value.replace("_", " ")
    return Outcome("agrees", f"Weights shared with {name} were measured: {words}.")


def _factor(claimed: float, counted: int) -> float:
    return max(counted / claimed, claimed / counted) if claimed else math.inf


def _is_wholly_the_others(case: Case) -> bool:
    verdict = case.verdict
    changed = {transform.name for transform in verdict.transforms} & _CHANGED_LAYERS
    # The share is the repo's; of the match it is not known.
    return (
        case.party.side == "repo"
        and verdict.shared_fraction >= WHOLLY_MATCHED_SHARE
        and not changed
    )


def _cannot_tell(measured: str) -> Outcome:
    return Outcome("cannot_tell", measured)
