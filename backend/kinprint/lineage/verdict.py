"""The verdict: what is claimed of two revisions, with the evidence it rests on."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from kinprint.checkpoints.tensors import Visibility


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Relation(StrEnum):
    """What two revisions are to each other (design of the claim: ``docs/method.md``)."""

    SAME_WEIGHTS = "same_weights"
    DERIVED = "derived"
    MERGED = "merged"
    SHARES_PARTS = "shares_parts"
    SHARED_BASE = "shared_base"
    RELATED = "related"
    UNRELATED = "unrelated"
    INSUFFICIENT = "insufficient"


CLAIMS = frozenset(Relation) - {Relation.UNRELATED, Relation.INSUFFICIENT}
"""Relations that say something about another model; the others abstain."""

TransformName = Literal[
    "renamed",
    "cast",
    "quantised",
    "noised",
    "fine_tuned",
    "low_rank_update",
    "merged",
    "permuted",
    "rotated",
    "scaled",
    "transposed",
    "fused_or_split",
    "vocab_extended",
    "layers_dropped",
    "layers_repeated",
    "layers_reordered",
    "pruned",
]


class Direction(StrEnum):
    """Which side came from the other; time and declarations decide, else unknown."""

    REPO_FROM_MATCH = "repo_from_match"
    MATCH_FROM_REPO = "match_from_repo"
    UNKNOWN = "unknown"


class Transform(_Frozen):
    """One way in which the repo's tensors differ from the match's.

    Attributes:
        name: From the closed list of the design.
        summary: A sentence that a reader outside the field understands.
        figures: Measured numbers by name (``sigma``, ``sigma_low``, ``sigma_high`` …).
        tensors: State-dict keys (of the repo) that it rests on.
    """

    name: TransformName
    summary: str
    figures: dict[str, float | int | str] = Field(default_factory=dict)
    tensors: tuple[str, ...] = ()


class TensorPair(_Frozen):
    """One line of the rename map.

    Attributes:
        repo_tensor: State-dict key on the repo's side.
        match_tensor: State-dict key on the match's side.
        hamming_bits: Folded distance, 0 to 128.
        negated: The repo's tensor matches the match's times −1.
        same_bytes: The sampled blocks are equal byte for byte.
        support: A vector, which supports a match but never counts as evidence.
    """

    repo_tensor: str
    match_tensor: str
    hamming_bits: int
    negated: bool = False
    same_bytes: bool = False
    support: bool = False


class Finding(_Frozen):
    """Something a person should know that is neither relation nor transform."""

    code: Literal[
        "shaped_to_evade",
        "generated_tensors",
        "declared_base_not_measured",
        "identical_files",
        "contradiction",
        "claimed_source_predates",
    ]
    summary: str
    tensors: tuple[str, ...] = ()


class Interval(_Frozen):
    """When a weight set existed: lower and upper bound on its publication (UTC).

    Attributes:
        not_before: The earliest createdAt among the repos known to hold exactly these weights;
            None if they were somewhere else before.
        not_after: The earliest witness of them, in whichever repo.
        repo_not_before: createdAt of the repo itself.
        repo_not_after: When these weights were first seen, if that was in the repo itself.
        weight_sets: By which digests they are known again, as ``kind:sha256``.
    """

    not_before: datetime | None = None
    not_after: datetime | None = None
    repo_not_before: datetime | None = None
    repo_not_after: datetime | None = None
    weight_sets: tuple[str, ...] = ()


class Side(_Frozen):
    """One of the two compared revisions."""

    source: str
    repo: str | None = None
    revision: str | None = None
    visibility: Visibility = Visibility.LOCAL
    declared_bases: tuple[str, ...] = ()
    first: Interval = Interval()


class Coverage(_Frozen):
    """What the answer rests on.

    Attributes:
        models: Models in the index (1 for a plain comparison).
        as_of: When the newest of them was read.
        ancestors_read: Declared ancestors that were compared with.
        ancestors_unread: Declared ancestors that could not be read, with the reason.
        small: The index is too small for "nothing found" to mean much.
        advice: What to do about it, in a sentence.
    """

    models: int
    as_of: datetime | None = None
    ancestors_read: tuple[str, ...] = ()
    ancestors_unread: dict[str, str] = Field(default_factory=dict)
    small: bool = False
    advice: str | None = None


class Verdict(_Frozen):
    """What is claimed of a repo and a match, and why.

    Attributes:
        relation: The claim.
        sentence: The claim in words that a reader outside the field understands.
        reason: Why not more was claimed (``insufficient`` and ``related`` always have one).
        declared: The derivation is declared by the side that derives.
        direction: Which side came from the other.
        explained_by: Id of a third model that explains all that is shared.
        score: ln E − ln N; 0 where nothing could be compared.
        ln_e: Logarithm of the e-value.
        threshold: ln E at which a match is claimed (20.7 + ln N).
        mean_ln_e: The dependence-free (1/n) Σ e_i, as a logarithm, for comparison.
        groups: Independent groups of evidence views on the repo's side.
        groups_for: Of these, how many speak for a match (e_i > 1).
        shared_fraction: Share of the repo's parameters in evidence views that matched.
        transforms: How the sides differ.
        rename_map: Which tensor became which.
        findings: What else a person should know.
        coverage: What the answer rests on.

    Example:
        >>> from kinprint import Verdict, compare, fingerprint_of
        >>> verdict = compare(fingerprint_of("./suspect"), fingerprint_of("./known")).verdict
        >>> verdict.relation.value, [transform.name for transform in verdict.transforms]
        ('same_weights', ['renamed'])
        >>> Verdict.model_validate_json(verdict.model_dump_json()) == verdict
        True
    """

    relation: Relation
    sentence: str
    reason: str | None = None
    declared: bool = False
    direction: Direction = Direction.UNKNOWN
    explained_by: str | None = None
    score: float = 0.0
    ln_e: float = 0.0
    threshold: float = 0.0
    mean_ln_e: float = 0.0
    groups: int = 0
    groups_for: int = 0
    shared_fraction: float = 0.0
    transforms: tuple[Transform, ...] = ()
    rename_map: tuple[TensorPair, ...] = ()
    findings: tuple[Finding, ...] = ()
    coverage: Coverage


class Match(_Frozen):
    """One indexed model that the repo shares weights with.

    ``sigma`` and its interval live in the ``noised`` transform of the verdict.
    """

    repo: str
    revision: str
    relation: Relation
    transforms: tuple[Transform, ...]
    direction: Direction
    score: float
    shared_fraction: float
    first: Interval
    declared: bool
    explained_by: str | None
    evidence_url: str
    verdict: Verdict


class Similar(_Frozen):
    """The answer to "whose weights are these?"; what ``/similar`` and ``similar --json`` give.

    Attributes:
        repo: The model asked about.
        revision: Its commit, None for a local source.
        status: The answer is complete.
        review: No person has looked at it.
        verdict: That of the nearest match, or that nothing was found.
        matches: Indexed models that share weights, nearest ancestor first.
        coverage: What the answer rests on.
        checked_at: When it was given (UTC).

    Example:
        >>> from kinprint import Similar
        >>> sorted(Similar.model_json_schema()["required"])[:3]
        ['checked_at', 'coverage', 'matches']
    """

    repo: str
    revision: str | None
    status: Literal["ready"] = "ready"
    review: Literal["unreviewed measurement"] = "unreviewed measurement"
    verdict: Verdict
    matches: tuple[Match, ...]
    coverage: Coverage
    checked_at: datetime
