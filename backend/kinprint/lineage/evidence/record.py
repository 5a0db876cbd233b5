"""What a comparison shows for its verdict, as data; reports, JSON and Markdown are drawn from it.

A section that could not be made is None, and ``Evidence.missing`` says why.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from kinprint.lineage.verdict import Direction, Relation, Side, TensorPair, Verdict

SideName = Literal["repo", "match"]
"""Which of the two compared models: the one asked about, or the other."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Estimate(_Frozen):
    """A measured number with its 95 % interval."""

    value: float
    low: float
    high: float


class RenameRule(_Frozen):
    """One line of the rename map as a pattern; ``{n}``, ``{m}`` stand for numbers.

    ``{…}`` is the rest of the key, the same on both sides; a brace of a key is written twice.

    Attributes:
        repo_pattern: ``llm.model.layers.{n}.mlp.up_proj.weight``; ``{n=3…9}`` where the rule holds
            within bounds.
        match_pattern: ``model.layers.{n}.mlp.up_proj.weight``; ``{n+2}`` where numbers shift.
        tensors: How many pairs it covers.
    """

    repo_pattern: str
    match_pattern: str
    tensors: int


class LayerStack(_Frozen):
    """How one numbered stack of layers corresponds to one of the match.

    Attributes:
        repo_stack: Pattern of the stack on the repo's side, ``model.layers.{n}``.
        match_stack: The same on the match's side.
        repo_layers: Number of layers on the repo's side.
        match_layers: Number of layers on the match's side.
        pairs: (repo layer, match layer) that share tensors, by their numbers, in the repo's order.
        order: What became of the match's layers, seen from the repo.
    """

    repo_stack: str
    match_stack: str
    repo_layers: int
    match_layers: int
    pairs: tuple[tuple[int, int], ...]
    order: tuple[Literal["in_order", "dropped", "added", "repeated", "moved"], ...]


class ModuleOrigin(_Frozen):
    """Where one module of the repo comes from.

    Attributes:
        module: Prefix that tells its keys apart, ``vision_tower``; empty for the whole model.
        tensors: Evidence tensors in it.
        parameters: Parameters in them.
        matched: Share of these parameters that matched ``origin``.
        origin: Name of the model it was matched with; None if no known model holds it.
        relation: What the module is to that model's.
        median_bits: Median folded distance of the matched tensors.
    """

    module: str
    tensors: int
    parameters: int
    matched: float
    origin: str | None
    relation: Relation
    median_bits: float | None = None


class TensorCell(_Frozen):
    """One tensor (or slice of a stack) of one side, as drawn in the tensor map.

    Attributes:
        name: State-dict key, with the slice in brackets.
        rows: Rows of the view.
        cols: Columns of the view.
        standing: ``evidence``, ``support`` (a vector), ``generated`` or ``not_compared``.
        partner: Index of its partner among the other side's cells; None if it has none. The copies
            of a repeated layer have one partner.
        hamming_bits: Folded distance to the partner.
    """

    name: str
    rows: int
    cols: int
    standing: Literal["evidence", "support", "generated", "not_compared"]
    partner: int | None = None
    hamming_bits: int | None = None


class WeightsEvidence(_Frozen):
    """Which tensors are which.

    Attributes:
        repo_tensors: All tensors of the repo, in checkpoint order.
        match_tensors: All tensors of the match, in checkpoint order.
        rules: The rename map as patterns, those that cover most first.
        exceptions: Pairs that no rule covers.
        explained: Share of the repo's float parameters (all, not only evidence) in matched tensors
            and copies of such.
        stacks: Numbered stacks of layers.
        modules: The repo's modules by origin.
        unmatched_repo: Evidence tensors of the repo that nothing in the match resembles.
        unmatched_match: The same of the match.
    """

    repo_tensors: tuple[TensorCell, ...]
    match_tensors: tuple[TensorCell, ...]
    rules: tuple[RenameRule, ...]
    exceptions: tuple[TensorPair, ...]
    explained: float
    stacks: tuple[LayerStack, ...]
    modules: tuple[ModuleOrigin, ...]
    unmatched_repo: tuple[str, ...]
    unmatched_match: tuple[str, ...]


class ChangeKind(StrEnum):
    """What lies between two sets of values."""

    NONE = "none"
    ADDED_NOISE = "added_noise"
    FINE_TUNING = "fine_tuning"
    LOW_RANK_UPDATE = "low_rank_update"
    QUANTISATION = "quantisation"
    PRUNING = "pruning"
    MIXTURE = "mixture"
    NOT_SEPARABLE = "not_separable"


class TensorChange(_Frozen):
    """How one matched tensor changed.

    Attributes:
        repo_tensor: Its key in the repo.
        match_tensor: Its key in the match.
        hamming_bits: Folded distance, 0 to 128.
        std: Standard deviation of the match's block.
        sigma: σ of the difference after rounding is taken off, in units of the weights.
        edge_ratio: Top singular value over the Marchenko–Pastur edge (deep reading only).
    """

    repo_tensor: str
    match_tensor: str
    hamming_bits: int
    std: float
    sigma: Estimate | None = None
    edge_ratio: float | None = None


class ChangeEvidence(_Frozen):
    """How the values differ: added noise, training, quantisation …

    Attributes:
        depth: ``sketches`` (256 numbers a tensor) or ``deep`` (64 rows of both read again).
        rows_read: Rows of each tensor that were read for it.
        kind: What the figures say.
        sentence: The same in words.
        sigma: One σ for all tensors, corrected for rounding; None where there is none.
        censored: The interval-censored likelihood was used, since σ is below the resolution.
        one_scalar_p: p-value of "one scalar σ fits all tensors"; None where there is no σ.
        gain: c of s′ = c·s + e.
        singular_z: Combined z of the top singular shares (noise stays below 5).
        edge_ratio: Largest top singular value over the Marchenko–Pastur edge (deep only).
        tensors: Tensor by tensor, in the repo's order.
    """

    depth: Literal["sketches", "deep"]
    rows_read: int
    kind: ChangeKind
    sentence: str
    sigma: Estimate | None = None
    censored: bool = False
    one_scalar_p: float | None = None
    gain: float | None = None
    singular_z: float | None = None
    edge_ratio: float | None = None
    tensors: tuple[TensorChange, ...] = ()


class ParentShare(_Frozen):
    """How much of one parent a module holds."""

    parent: str
    coefficient: Estimate


class ModuleMixture(_Frozen):
    """The mixture of one module.

    Attributes:
        module: Prefix or layer, ``model.layers.3``; empty for the whole model.
        shares: Coefficients of the parents (of their changes to the base, in task arithmetic).
        unexplained: Share of the residual's variance that the parents leave.
    """

    module: str
    shares: tuple[ParentShare, ...]
    unexplained: float


class MergeEvidence(_Frozen):
    """A mixture of indexed models.

    Attributes:
        kind: How it was mixed, as far as the coefficients tell.
        base: The common base whose changes were mixed, if one was needed.
        parents: Their names, the largest share first.
        modules: The mixture module by module, the whole model first.
        sentence: The same in words.
        tensors: State-dict keys (of the repo) that it rests on.
    """

    kind: Literal["linear", "task_arithmetic", "slerp", "layer_wise", "unknown"]
    base: str | None
    parents: tuple[str, ...]
    modules: tuple[ModuleMixture, ...]
    sentence: str
    tensors: tuple[str, ...] = ()


class TreeNode(_Frozen):
    """One model of the family tree.

    Attributes:
        name: Its repo, or the source that was named.
        revision: Its commit, if it has one.
        parent: Index of its parent in ``LineageTree.nodes``; None for a root.
        role: What it is in this comparison.
        relation: To its parent; None for a root or where it was not measured.
        declared: Its card names the parent.
        transforms: Names of the transforms between parent and it.
        reason: Why the edge is not more certain, or why the model could not be read.
    """

    name: str
    revision: str | None = None
    parent: int | None = None
    role: Literal["repo", "match", "ancestor", "relative"]
    relation: Relation | None = None
    declared: bool = False
    transforms: tuple[str, ...] = ()
    reason: str | None = None


class LineageTree(_Frozen):
    """Who came from whom, as measured and declared."""

    nodes: tuple[TreeNode, ...]


class TimelineEvent(_Frozen):
    """Something that happened at a known time.

    Attributes:
        at: When (UTC).
        side: To which of the two.
        kind: ``repo_created``, ``first_seen``, ``external_timestamp``, ``commit``, ``card``,
            ``child``, ``discussion`` or ``published_at``.
        counted: It bounds the interval; what an owner or an accomplice can write never does.
        summary: In words.
    """

    at: datetime
    side: SideName
    kind: Literal[
        "repo_created",
        "first_seen",
        "external_timestamp",
        "commit",
        "card",
        "child",
        "discussion",
        "published_at",
    ]
    counted: bool
    summary: str


class DirectionHint(_Frozen):
    """What the weights themselves say about which side came first; never counted as proof."""

    kind: Literal["residual_norms", "rounding_lattice", "added_modules"]
    direction: Direction
    summary: str


class Timeline(_Frozen):
    """Who was first, and how that is known.

    Attributes:
        order: ``repo_first`` or ``match_first`` if proven, else ``cannot_tell``.
        reason: In words.
        events: In the order of time.
        hints: From the weights.
    """

    order: Literal["repo_first", "match_first", "cannot_tell"]
    reason: str
    events: tuple[TimelineEvent, ...]
    hints: tuple[DirectionHint, ...] = ()


class Declaration(_Frozen):
    """Something one side says of itself, beside what was measured.

    Attributes:
        side: Who says it.
        source: ``README.md`` or ``config.json``.
        line: Line in that file, from 1; None where it is a field.
        quote: The sentence or field, cut at 300 characters.
        code: Which pattern found it, ``trained_from_scratch``, ``base_model`` …
        claim: What it claims, in our words.
        measured: What was measured about that.
        outcome: Whether the two agree.
    """

    side: SideName
    source: str
    line: int | None
    quote: str
    code: str
    claim: str
    measured: str
    outcome: Literal["agrees", "contradicts", "cannot_tell"]


class ConfigField(_Frozen):
    """One normalised field of config.json on both sides.

    Attributes:
        name: Normalised name, ``hidden_size``.
        repo_name: Name in the repo's file; None where the default stands.
        match_name: The same of the match.
        repo_value: As JSON text; None where neither file nor defaults know it.
        match_value: The same of the match.
        standing: ``architecture`` (the weights' shapes force it), ``family`` (models of one
            family share it by necessity), ``free`` (need not agree), ``bookkeeping``.
        equal: Both values agree.
    """

    name: str
    repo_name: str | None
    match_name: str | None
    repo_value: str | None
    match_value: str | None
    standing: Literal["architecture", "family", "free", "bookkeeping"]
    equal: bool


class ConfigComparison(_Frozen):
    """The two config.json files, normalised.

    Attributes:
        fields: Those that differ first, then the free ones that agree.
        free_equal: Free fields that agree.
        free_compared: Free fields that both files set.
        renamed: Fields that carry another name on the other side.
        sentence: What that says, in words.
    """

    fields: tuple[ConfigField, ...]
    free_equal: int
    free_compared: int
    renamed: int
    sentence: str


class Reproduction(_Frozen):
    """How somebody else gets the same answer.

    Attributes:
        commands: Shell lines.
        sketch_name: Names every parameter of the sketch.
        digests: Digest of each side's fingerprint, by ``repo`` and ``match``.
        versions: Of Kinprint and what it computes with.
    """

    commands: tuple[str, ...]
    sketch_name: str
    digests: dict[str, str]
    versions: dict[str, str]


class Evidence(_Frozen):
    """All sections of a comparison.

    Attributes:
        weights: Which tensors are which.
        change: How the values differ.
        merge: Mixture, if it is one.
        tree: Ancestors and relatives.
        timeline: Who was first.
        declarations: What either side says of itself.
        config: Both config.json files.
        doubts: What would make the verdict wrong, in sentences.
        reproduction: How to check it.
        missing: Sections that could not be made, by name, with the reason.
    """

    weights: WeightsEvidence | None = None
    change: ChangeEvidence | None = None
    merge: MergeEvidence | None = None
    tree: LineageTree | None = None
    timeline: Timeline | None = None
    declarations: tuple[Declaration, ...] = ()
    config: ConfigComparison | None = None
    doubts: tuple[str, ...] = ()
    reproduction: Reproduction | None = None
    missing: dict[str, str] = Field(default_factory=dict)


class Comparison(_Frozen):
    """Two sides, the verdict on them and its evidence; what ``compare --json`` prints.

    Attributes:
        a: The side asked about (``repo``).
        b: The other side (``match``).
        verdict: What is claimed of them.
        evidence: What it rests on.

    Example:
        >>> from kinprint import Comparison, compare, fingerprint_of
        >>> comparison = compare(fingerprint_of("./suspect"), fingerprint_of("./known"))
        >>> isinstance(comparison, Comparison), comparison.a.source
        (True, 'suspect')
    """

    a: Side
    b: Side
    verdict: Verdict
    evidence: Evidence = Evidence()
