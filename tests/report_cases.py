"""Comparisons to draw reports from: a real one, a hostile one, a large one and a bare one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache

import numpy as np

import weights as w
from kinprint.lineage.compare import compare
from kinprint.lineage.evidence.record import (
    ChangeEvidence,
    ChangeKind,
    Comparison,
    ConfigComparison,
    ConfigField,
    Declaration,
    DirectionHint,
    Estimate,
    Evidence,
    LayerStack,
    LineageTree,
    MergeEvidence,
    ModuleMixture,
    ModuleOrigin,
    ParentShare,
    RenameRule,
    Reproduction,
    TensorCell,
    TensorChange,
    Timeline,
    TimelineEvent,
    TreeNode,
    WeightsEvidence,
)
from kinprint.lineage.verdict import (
    Coverage,
    Direction,
    Finding,
    Interval,
    Relation,
    Side,
    TensorPair,
    Transform,
    Verdict,
)

COPY, ORIGINAL = "novalume/omni-embed", "acme-research/sentence-l6"
MADE_AT = datetime(2026, 6, 12, 9, 30, tzinfo=UTC)
SIGMA = 1 / 708

HOSTILE_NAMES = (
    "</title><script>alert(1)</script>",
    "'\"><img src=x onerror=alert(1)>",
    "safe\u202egnp.exe\u2066\u200b",
    "| a | b |\n|---|---|\n# heading",
    "[click](javascript:alert(1)) ![](https://example.org/x.png) @octocat #1 `` ` ``` <b>",
    "https://example.org/x www.example.org a@example.org &lt;script&gt; {{ 7*7 }} {% raw %}",
    "👩‍🚀🦑 שלום مرحبا Z͑͗̊͋ͫͬ̾͢a͜l",
    "x" * 1_024,
)


@cache
def comparison_of_a_copy() -> Comparison:
    """A renamed copy under noise, compared for real, with every section of evidence by hand."""
    original = _encoder(0)
    copied = {_foreign(name): value for name, value in w.noised(original, SIGMA).items()}
    created = datetime(2026, 5, 2, tzinfo=UTC)
    comparison = compare(
        w.fingerprint(copied, COPY, created_at=created + timedelta(days=35), dtype="F32"),
        w.fingerprint(original, ORIGINAL, created_at=created, commit="b" * 40),
    )
    a = comparison.a
    b = comparison.b.model_copy(
        update={"first": Interval(not_before=created, not_after=created + timedelta(days=30))}
    )
    verdict = comparison.verdict.model_copy(
        update={
            "direction": Direction.REPO_FROM_MATCH,
            "sentence": f"{COPY} looks derived from {ORIGINAL}.",
        }
    )
    evidence = Evidence(
        weights=weights_of(verdict.rename_map, copied, original),
        change=_change(verdict.rename_map),
        merge=_merge(),
        tree=_tree(),
        timeline=_timeline(created),
        declarations=_declarations(),
        config=_config(),
        doubts=("A common base that nobody declared would look the same.",),
        reproduction=Reproduction(
            commands=(f"kinprint compare {COPY}@{'a' * 12} {ORIGINAL}@{'b' * 12} --deep",),
            sketch_name="kps1-r256-c16384-k0",
            digests={"repo": "5f" * 16, "match": "0c" * 16},
            versions={"kinprint": "0.1.0", "numpy": "2.4.6"},
        ),
    )
    return Comparison(a=a, b=b, verdict=verdict, evidence=evidence)


def comparison_of_strangers() -> Comparison:
    """Two independent models, compared for real, without any further evidence."""
    return compare(
        w.fingerprint(w.strangers(1), "quiet-harbour/from-scratch"),
        w.fingerprint(w.strangers(2), ORIGINAL, commit="b" * 40),
    )


@cache
def hostile_comparison() -> Comparison:
    """Every string that a stranger can write is an attack."""
    names = [f"{number} {text}"[:1_024] for number, text in enumerate(HOSTILE_NAMES)]
    pairs = tuple(
        TensorPair(repo_tensor=text, match_tensor=text[::-1], hamming_bits=number)
        for number, text in enumerate(names)
    )
    every = " ".join(HOSTILE_NAMES)
    cells = tuple(
        TensorCell(
            name=text, rows=8, cols=8, standing="evidence", partner=number, hamming_bits=number
        )
        for number, text in enumerate(names)
    )
    a, b = (Side(source=text, declared_bases=HOSTILE_NAMES) for text in HOSTILE_NAMES[:2])
    verdict = Verdict(
        relation=Relation.MERGED,
        sentence=f"{a.source} is a mixture that contains {b.source}.",
        reason=every[:1_000],
        explained_by=HOSTILE_NAMES[3],
        transforms=(
            Transform(
                name="cast",
                summary=every[:900],
                figures={text: text for text in HOSTILE_NAMES},
                tensors=HOSTILE_NAMES,
            ),
        ),
        rename_map=pairs,
        findings=(Finding(code="identical_files", summary=every, tensors=HOSTILE_NAMES),),
        coverage=Coverage(
            models=3, ancestors_unread=dict.fromkeys(HOSTILE_NAMES, every), advice=every
        ),
    )
    whole = ModuleMixture(module=names[0], shares=_shares(names[:6]), unexplained=0.1)
    evidence = Evidence(
        weights=WeightsEvidence(
            repo_tensors=cells,
            match_tensors=cells,
            rules=tuple(
                RenameRule(repo_pattern=text, match_pattern=text, tensors=1) for text in names
            ),
            exceptions=pairs,
            explained=0.5,
            stacks=(
                LayerStack(
                    repo_stack=names[0],
                    match_stack=names[1],
                    repo_layers=2,
                    match_layers=2,
                    pairs=((0, 1), (1, 0)),
                    order=("moved",),
                ),
            ),
            modules=(
                ModuleOrigin(
                    module=names[2],
                    tensors=1,
                    parameters=64,
                    matched=1.0,
                    origin=names[3],
                    relation=Relation.RELATED,
                ),
            ),
            unmatched_repo=HOSTILE_NAMES,
            unmatched_match=HOSTILE_NAMES,
        ),
        change=ChangeEvidence(
            depth="sketches",
            rows_read=8,
            kind=ChangeKind.MIXTURE,
            sentence=every,
            tensors=_tensor_changes(pairs),
        ),
        merge=MergeEvidence(
            kind="unknown",
            base=names[4],
            parents=tuple(names[:6]),
            modules=(whole,) * 2,
            sentence=every,
        ),
        tree=LineageTree(
            nodes=tuple(
                TreeNode(name=text, parent=number - 1, role="relative", reason=text)
                for number, text in enumerate(names)
            )
            # One is its own parent, two are each other's, one has a parent that is not there.
            + tuple(
                TreeNode(name=names[0], parent=parent, role="relative") for parent in (8, 10, 9, 99)
            )
        ),
        timeline=Timeline(
            order="cannot_tell",
            reason=every,
            events=(
                TimelineEvent(at=MADE_AT, side="repo", kind="card", counted=False, summary=every),
            ),
            hints=(
                DirectionHint(kind="added_modules", direction=Direction.UNKNOWN, summary=every),
            ),
        ),
        declarations=tuple(
            Declaration(
                side="repo",
                source="README.md",
                line=number,
                quote=text[:300],
                code=text[:60],
                claim=text,
                measured=text,
                outcome="cannot_tell",
            )
            for number, text in enumerate(HOSTILE_NAMES)
        ),
        config=ConfigComparison(
            fields=tuple(
                ConfigField(
                    name=text,
                    repo_name=text[::-1],
                    match_name=text,
                    repo_value=text,
                    match_value=text,
                    standing="free",
                    equal=True,
                )
                for text in HOSTILE_NAMES
            ),
            free_equal=1,
            free_compared=2,
            renamed=3,
            sentence=every,
        ),
        doubts=HOSTILE_NAMES,
        reproduction=Reproduction(
            commands=HOSTILE_NAMES,
            sketch_name=HOSTILE_NAMES[0],
            digests=dict.fromkeys(HOSTILE_NAMES, HOSTILE_NAMES[1]),
            versions=dict.fromkeys(HOSTILE_NAMES, HOSTILE_NAMES[2]),
        ),
        missing=dict.fromkeys(HOSTILE_NAMES, every),
    )
    return Comparison(a=a, b=b, verdict=verdict, evidence=evidence)


@cache
def large_comparison(tensors: int = 2_000) -> Comparison:
    """So many matched tensors as the largest mixtures of experts have, in long names."""
    rng = np.random.default_rng(0)
    names = [
        f"language_model.model.layers.{number // 20}.mlp.experts.{number % 20}.down_proj.weight"
        for number in range(tensors)
    ]
    pairs = tuple(
        TensorPair(
            repo_tensor=name,
            match_tensor=name.removeprefix("language_model."),
            hamming_bits=int(rng.binomial(128, 0.03 + 0.0002 * number)),
        )
        for number, name in enumerate(names)
    )
    mine, other = _cells(pairs)
    small = comparison_of_a_copy()
    verdict = small.verdict.model_copy(update={"rename_map": pairs})
    evidence = small.evidence.model_copy(
        update={
            "weights": WeightsEvidence(
                repo_tensors=mine,
                match_tensors=other,
                rules=(),
                exceptions=(),
                explained=1.0,
                stacks=(),
                modules=(),
                unmatched_repo=(),
                unmatched_match=(),
            ),
            "change": _change(pairs),
        }
    )
    return Comparison(a=small.a, b=small.b, verdict=verdict, evidence=evidence)


def _encoder(seed: int, layers: int = 6, width: int = 128) -> w.Weights:
    rng = np.random.default_rng(seed)
    weights: w.Weights = {
        "embeddings.word_embeddings.weight": rng.normal(0, 0.05, (512, width)).astype(np.float32)
    }
    for layer in range(layers):
        for part in ("query", "key", "value", "output", "up", "down"):
            weights[f"encoder.layer.{layer}.{part}.weight"] = rng.normal(
                0, 0.04 + 0.005 * layer, (width, width)
            ).astype(np.float32)
        weights[f"encoder.layer.{layer}.norm.weight"] = rng.normal(1, 0.1, width).astype(np.float32)
    return weights


def _foreign(name: str) -> str:
    swapped = name.replace("encoder.layer.", "backbone.blocks.").replace("query", "attn.q")
    return f"omni.{swapped.replace('key', 'attn.k').replace('value', 'attn.v')}"


def weights_of(pairs: tuple[TensorPair, ...], mine: w.Weights, other: w.Weights) -> WeightsEvidence:
    """What was matched of two sets of made-up weights, with a rule or two by hand."""
    left, right = list(mine), list(other)
    by_repo = {pair.repo_tensor: pair for pair in pairs}
    by_match = {pair.match_tensor: pair for pair in pairs}
    return WeightsEvidence(
        repo_tensors=tuple(
            _cell(name, mine[name], by_repo.get(name), right, ours=True) for name in left
        ),
        match_tensors=tuple(
            _cell(name, other[name], by_match.get(name), left, ours=False) for name in right
        ),
        rules=tuple(
            RenameRule(
                repo_pattern=f"omni.backbone.blocks.{{n}}.{mine_part}.weight",
                match_pattern=f"encoder.layer.{{n}}.{other_part}.weight",
                tensors=6,
            )
            for mine_part, other_part in (
                ("attn.q", "query"),
                ("attn.k", "key"),
                ("attn.v", "value"),
                ("output", "output"),
                ("up", "up"),
                ("down", "down"),
                ("norm", "norm"),
            )
        ),
        exceptions=tuple(pair for pair in pairs if "embed" in pair.repo_tensor),
        explained=0.997,
        stacks=(
            LayerStack(
                repo_stack="omni.backbone.blocks.{n}",
                match_stack="encoder.layer.{n}",
                repo_layers=6,
                match_layers=6,
                pairs=tuple((layer, layer) for layer in range(6)),
                order=("in_order",),
            ),
        ),
        modules=(
            ModuleOrigin(
                module="omni.backbone",
                tensors=36,
                parameters=589_824,
                matched=1.0,
                origin=ORIGINAL,
                relation=Relation.DERIVED,
                median_bits=3.0,
            ),
            ModuleOrigin(
                module="omni.projector",
                tensors=2,
                parameters=32_768,
                matched=0.0,
                origin=None,
                relation=Relation.UNRELATED,
            ),
        ),
        unmatched_repo=("omni.projector.0.weight", "omni.projector.2.weight"),
        unmatched_match=(),
    )


def _cell(
    name: str, value: np.ndarray, pair: TensorPair | None, others: list[str], *, ours: bool
) -> TensorCell:
    partner = None
    if pair is not None:
        partner = others.index(pair.match_tensor if ours else pair.repo_tensor)
    return TensorCell(
        name=name,
        rows=value.shape[0],
        cols=value.shape[1] if value.ndim > 1 else 1,
        standing="evidence" if value.ndim > 1 else "support",
        partner=partner,
        hamming_bits=None if pair is None else pair.hamming_bits,
    )


def _cells(
    pairs: tuple[TensorPair, ...],
) -> tuple[tuple[TensorCell, ...], tuple[TensorCell, ...]]:
    def cells(names: list[str]) -> tuple[TensorCell, ...]:
        return tuple(
            TensorCell(
                name=name,
                rows=4096,
                cols=1024,
                standing="evidence",
                partner=number,
                hamming_bits=pairs[number].hamming_bits,
            )
            for number, name in enumerate(names)
        )

    return cells([pair.repo_tensor for pair in pairs]), cells([pair.match_tensor for pair in pairs])


def _change(pairs: tuple[TensorPair, ...]) -> ChangeEvidence:
    return ChangeEvidence(
        depth="deep",
        rows_read=64,
        kind=ChangeKind.ADDED_NOISE,
        sentence="The difference is what added random noise of one σ leaves.",
        sigma=Estimate(value=SIGMA, low=SIGMA * 0.9985, high=SIGMA * 1.0015),
        one_scalar_p=0.41,
        gain=1.0002,
        singular_z=-0.6,
        edge_ratio=1.012,
        tensors=_tensor_changes(pairs),
    )


def _tensor_changes(pairs: tuple[TensorPair, ...]) -> tuple[TensorChange, ...]:
    rng = np.random.default_rng(3)
    changes = []
    for pair in pairs:
        if pair.support:
            continue
        value = SIGMA * float(rng.normal(1, 0.004))
        changes.append(
            TensorChange(
                repo_tensor=pair.repo_tensor,
                match_tensor=pair.match_tensor,
                hamming_bits=pair.hamming_bits,
                std=0.05,
                sigma=Estimate(value=value, low=value * 0.992, high=value * 1.008),
                edge_ratio=1.01,
            )
        )
    return tuple(changes)


def _shares(parents: list[str]) -> tuple[ParentShare, ...]:
    return tuple(
        ParentShare(parent=parent, coefficient=Estimate(value=0.3, low=0.28, high=0.32))
        for parent in parents
    )


def _merge() -> MergeEvidence:
    parents = (ORIGINAL, "birch-street/docs-embedder", "lumen/legal-embedder")
    modules = []
    for number in range(7):
        first = 0.55 + 0.03 * number
        values = (first, 0.9 * (1 - first), 0.1 * (1 - first))
        modules.append(
            ModuleMixture(
                module="" if number == 0 else f"omni.backbone.blocks.{number - 1}",
                shares=tuple(
                    ParentShare(
                        parent=parent,
                        coefficient=Estimate(value=value, low=value - 0.015, high=value + 0.015),
                    )
                    for parent, value in zip(parents, values, strict=True)
                ),
                unexplained=0.004,
            )
        )
    return MergeEvidence(
        kind="linear",
        base=None,
        parents=parents,
        modules=tuple(modules),
        sentence="A linear mixture of three models.",
    )


def _tree() -> LineageTree:
    return LineageTree(
        nodes=(
            TreeNode(name="acme-research/base-l6", role="ancestor"),
            TreeNode(
                name=ORIGINAL,
                parent=0,
                role="match",
                relation=Relation.DERIVED,
                declared=True,
                transforms=("fine_tuned",),
            ),
            TreeNode(
                name=COPY,
                parent=1,
                role="repo",
                relation=Relation.DERIVED,
                transforms=("renamed", "noised"),
            ),
            TreeNode(
                name="birch-street/docs-embedder",
                parent=1,
                role="relative",
                relation=Relation.DERIVED,
                declared=True,
                transforms=("fine_tuned",),
            ),
            TreeNode(
                name="lumen/legal-embedder",
                parent=3,
                role="relative",
                reason="it waits to be read",
            ),
        )
    )


def _timeline(created: datetime) -> Timeline:
    def event(days: int, side: str, kind: str, counted: bool, summary: str) -> TimelineEvent:
        return TimelineEvent(
            at=created + timedelta(days=days),
            side=side,
            kind=kind,
            counted=counted,
            summary=summary,
        )

    return Timeline(
        order="match_first",
        reason=f"The weights of {ORIGINAL} existed by 2026-06-01 00:00 UTC, before any repo known "
        f"to hold those of {COPY} was made, on 2026-06-06 00:00 UTC.",
        events=(
            event(0, "match", "repo_created", True, f"The repo of {ORIGINAL} was made."),
            event(
                4,
                "match",
                "commit",
                False,
                "A commit bears this date, which whoever commits sets: 'Add. All weights.'.",
            ),
            event(
                20,
                "repo",
                "published_at",
                False,
                "Published at this time, says whoever asked for the comparison.",
            ),
            event(
                30,
                "match",
                "first_seen",
                True,
                "This instance first read exactly these weights, in whichever repo, and signed so.",
            ),
            event(35, "repo", "repo_created", True, f"The repo of {COPY} was made."),
        ),
        hints=(
            DirectionHint(
                kind="rounding_lattice",
                direction=Direction.REPO_FROM_MATCH,
                summary=f"The values of {ORIGINAL} lie on the grid of its training.",
            ),
        ),
    )


def _declarations() -> tuple[Declaration, ...]:
    return (
        Declaration(
            side="repo",
            source="README.md",
            line=14,
            quote="Omni-Embed was trained from scratch on 2B sentence pairs.",
            code="trained_from_scratch",
            claim="Its weights were trained from scratch.",
            measured=f"{COPY} looks derived from {ORIGINAL}.",
            outcome="contradicts",
        ),
        Declaration(
            side="match",
            source="README.md",
            line=3,
            quote="base_model: acme-research/base-l6",
            code="base_model",
            claim="It was made from acme-research/base-l6.",
            measured="Weights shared with acme-research/base-l6 were measured: derived.",
            outcome="agrees",
        ),
    )


def _config() -> ConfigComparison:
    def field(name: str, *values: str, standing: str, alias: str | None = None) -> ConfigField:
        return ConfigField(
            name=name,
            repo_name=alias or name,
            match_name=name,
            repo_value=values[0],
            match_value=values[1],
            standing=standing,
            equal=values[0] == values[1],
        )

    return ConfigComparison(
        fields=(
            field("model_type", '"omni"', '"bert"', standing="bookkeeping"),
            field("hidden_size", "384", "384", standing="architecture", alias="d_model"),
            field("layer_norm_eps", "1e-12", "1e-12", standing="family"),
            field("initializer_range", "0.017", "0.017", standing="free"),
        ),
        free_equal=1,
        free_compared=1,
        renamed=1,
        sentence="One field that its author was free to choose agrees; one carries another name.",
    )
