"""A comparison with everything it rests on: the verdict, then section by section its evidence."""

from __future__ import annotations

import importlib.metadata
import platform
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kinprint.fingerprint.file import digest_of
from kinprint.fingerprint.record import Depth
from kinprint.lineage.change import change_of
from kinprint.lineage.compare import compare
from kinprint.lineage.differences import differences
from kinprint.lineage.evidence.change.deep_change import change_evidence_deep
from kinprint.lineage.evidence.change.sketch_change import change_evidence
from kinprint.lineage.evidence.config.comparison import config_comparison
from kinprint.lineage.evidence.declared.declarations import declared
from kinprint.lineage.evidence.declared.parties import KnownSource, party_of
from kinprint.lineage.evidence.record import ChangeKind, Comparison, Evidence, Reproduction
from kinprint.lineage.evidence.time.direction import direction_hints
from kinprint.lineage.evidence.time.timeline import timeline
from kinprint.lineage.evidence.tree import lineage_tree
from kinprint.lineage.evidence.weights.layer_transforms import layer_transforms
from kinprint.lineage.evidence.weights.weights import weights_evidence
from kinprint.lineage.matching import Matching
from kinprint.lineage.merges.evidence import merge_evidence, merged_transform
from kinprint.lineage.parentage import declares
from kinprint.lineage.relation import Circumstances, judge
from kinprint.lineage.timeline import direction_by_time
from kinprint.lineage.verdict import CLAIMS, Coverage, Direction, Interval, Relation
from kinprint.lineage.wording import name_of, sentence

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kinprint.checkpoints.documents import Documents
    from kinprint.fingerprint.deep import DeepReading
    from kinprint.fingerprint.record import Fingerprint
    from kinprint.lineage.evidence.record import (
        ChangeEvidence,
        ConfigComparison,
        Declaration,
        MergeEvidence,
        TimelineEvent,
        WeightsEvidence,
    )
    from kinprint.lineage.verdict import Verdict

_MECHANICAL = (ChangeKind.NONE, ChangeKind.ADDED_NOISE)
"""Kinds of change that leave a claim standing; a mixture has a training in it."""

_TAKEN_BACK = (Relation.SAME_WEIGHTS, Relation.DERIVED, Relation.SHARES_PARTS)

_HINTED = (Relation.SAME_WEIGHTS, Relation.DERIVED, Relation.SHARES_PARTS)
"""Relations under which the weights may suggest an order: children of one base would look alike."""

_VERSIONS = ("kinprint", "numpy", "scipy", "safetensors", "huggingface_hub")


@dataclass(frozen=True)
class Beside:
    """What is known of two models beside their weights; each part may be missing.

    Attributes:
        documents: Config and card of the repo and of the match.
        intervals: When the weights of both existed.
        events: Dated events of either, for the timeline.
        other_intervals: When the weights of each further model existed.
        deep: Cells of both that were read again.
        unread: Declared bases that could not be read, with the reason.
        missing: Sections that cannot be made, with the reason.
    """

    documents: tuple[Documents, Documents] | None = None
    intervals: tuple[Interval, Interval] | None = None
    other_intervals: tuple[Interval, ...] = ()
    events: tuple[TimelineEvent, ...] = ()
    deep: DeepReading | None = None
    unread: Mapping[str, str] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)


def explain(
    a: Fingerprint, b: Fingerprint, others: Sequence[Fingerprint] = (), beside: Beside | None = None
) -> Comparison:
    """Compare ``a`` with ``b`` and lay out what the verdict rests on.

    Args:
        a: The revision asked about (``repo`` in the evidence).
        b: The other one (``match``).
        others: Further models that were read: declared ancestors, possible parents of a merge.
        beside: What is known beside the weights.
    """
    beside = beside or Beside()
    names = (name_of(a), name_of(b))
    comparison = compare(
        a,
        b,
        others,
        intervals=beside.intervals,
        other_intervals=beside.other_intervals,
        unread=beside.unread,
    )
    matching = Matching(a, b)
    missing = dict(beside.missing)
    if Depth.SCREEN in (a.depth, b.depth):
        missing["change"] = "Only a few tensors were read (a screen)."
    change = _change(matching, comparison.verdict, beside.deep)
    verdict = _with_finer_sigma(_no_more_than(comparison.verdict, change, names), change)
    with_others = [(name_of(each), Matching(a, each)) for each in others]
    weights = weights_evidence(matching, verdict.rename_map, with_others, relation=verdict.relation)
    merge = _merge(matching, [each for _, each in with_others], verdict, beside)
    verdict = _with_transforms(verdict, weights, merge, matching, beside)
    declarations: tuple[Declaration, ...] = ()
    if beside.documents is None:
        missing.setdefault("declarations", "The cards were not read.")
    else:
        found = declared(
            party_of("repo", a, beside.documents[0], comparison.a.first),
            party_of("match", b, beside.documents[1], comparison.b.first),
            verdict,
            _sources(a, b, others, beside.other_intervals),
        )
        declarations = found.declarations
        findings = tuple(dict.fromkeys((*verdict.findings, *found.findings)))
        verdict = verdict.model_copy(update={"findings": findings})
        missing |= found.unread
    config = _config(beside, missing)
    base = next((each for _, each in with_others if _is_base(each, verdict)), None)
    hints = direction_hints(matching, base) if verdict.relation in _HINTED else ()
    return comparison.model_copy(
        update={
            "verdict": verdict,
            "evidence": Evidence(
                weights=weights,
                change=change,
                merge=merge,
                tree=lineage_tree(a, b, others, verdict),
                timeline=timeline(
                    comparison.a.first,
                    comparison.b.first,
                    names=names,
                    events=beside.events,
                    hints=hints,
                ),
                declarations=declarations,
                config=config,
                reproduction=_reproduction(a, b, others, verdict, deep=beside.deep is not None),
                missing=missing,
            ),
        }
    )


def _with_transforms(
    verdict: Verdict,
    weights: WeightsEvidence,
    merge: MergeEvidence | None,
    matching: Matching,
    beside: Beside,
) -> Verdict:
    """Add what the sections found to the verdict's transforms."""
    found = list(layer_transforms(weights.stacks, matching)) if verdict.rename_map else []
    # A mixture is an equation, which holds the other way round as well: time has to tell.
    if merge is not None and beside.intervals is not None:
        mine, theirs = beside.intervals
        if direction_by_time(mine, theirs) is Direction.REPO_FROM_MATCH:
            found.append(merged_transform(merge))
    return verdict.model_copy(update={"transforms": (*verdict.transforms, *found)})


def _merge(
    matching: Matching, others: Sequence[Matching], verdict: Verdict, beside: Beside
) -> MergeEvidence | None:
    if verdict.relation not in CLAIMS or not others or matching.query.depth is Depth.SCREEN:
        return None
    mine, theirs = beside.intervals or (Interval(), Interval())
    times = [theirs, *beside.other_intervals]
    times += [Interval()] * (1 + len(others) - len(times))
    # A model is also an exact mixture of what was mixed from it.
    kin = [
        each
        for each, interval in zip((matching, *others), times, strict=True)
        if each.claim(n_revisions=len(others) + 1).holds
        and not declares(each.candidate, matching.query)
        and direction_by_time(mine, interval) is not Direction.MATCH_FROM_REPO
    ]
    base = next((each for each in others if _is_base(each, verdict) and each in kin), None)
    return merge_evidence(matching.query, kin, base)


def _is_base(each: Matching, verdict: Verdict) -> bool:
    return verdict.explained_by is not None and name_of(each.candidate) == verdict.explained_by


def _change(
    matching: Matching, verdict: Verdict, deep: DeepReading | None
) -> ChangeEvidence | None:
    query, candidate = matching.query, matching.candidate
    if not verdict.rename_map or Depth.SCREEN in (query.depth, candidate.depth):
        return None
    found = differences(query, candidate, matching.accepted)
    direction = verdict.direction
    if deep is not None:
        return change_evidence_deep(query, candidate, found, deep, direction=direction)
    change = change_of(query, candidate, found, direction=direction)
    return change_evidence(query, candidate, found, change, direction=direction)


def _no_more_than(
    verdict: Verdict, change: ChangeEvidence | None, names: tuple[str, str]
) -> Verdict:
    """Take a claim back that the cells of both sides do not bear out; they see more than sketches.

    A light training stored in bf16 can pass for rounding in 256 numbers a tensor, but not in 64
    rows. A deep reading never makes a claim larger.
    """
    if (
        change is None
        or change.depth != "deep"
        or verdict.declared
        or verdict.relation not in _TAKEN_BACK
        or change.kind in _MECHANICAL
    ):
        return verdict
    return verdict.model_copy(
        update={
            "relation": Relation.RELATED,
            "direction": Direction.UNKNOWN,
            "sentence": sentence(Relation.RELATED, *names),
            "reason": f"Reading 64 rows of both: {change.sentence}",
            "transforms": tuple(each for each in verdict.transforms if each.name != "noised"),
        }
    )


def _with_finer_sigma(verdict: Verdict, change: ChangeEvidence | None) -> Verdict:
    """Let the σ of the cells stand for that of the sketches."""
    if change is None or change.depth != "deep" or change.sigma is None:
        return verdict
    figures = {
        "sigma": change.sigma.value,
        "sigma_low": change.sigma.low,
        "sigma_high": change.sigma.high,
    }
    return verdict.model_copy(
        update={
            "transforms": tuple(
                each.model_copy(
                    update={"summary": change.sentence, "figures": each.figures | figures}
                )
                if each.name == "noised"
                else each
                for each in verdict.transforms
            )
        }
    )


def _config(beside: Beside, missing: dict[str, str]) -> ConfigComparison | None:
    if beside.documents is None:
        missing.setdefault("config", "No config.json was read.")
        return None
    mine, theirs = (each.config for each in beside.documents)
    if mine is None or theirs is None:
        reasons = [each.config_reason for each in beside.documents if each.config is None]
        missing["config"] = "; ".join(dict.fromkeys(reason or "missing" for reason in reasons))
        return None
    return config_comparison(mine, theirs)


def _sources(
    a: Fingerprint,
    b: Fingerprint,
    others: Sequence[Fingerprint],
    intervals: Sequence[Interval],
) -> tuple[KnownSource, ...]:
    """The further models, as what statements may name."""
    times = [*intervals, *(Interval(not_before=each.origin.created_at) for each in others)]
    return tuple(
        KnownSource(
            names=tuple(name for name in (each.origin.repo, *each.origin.aliases) if name)
            or (name_of(each),),
            relation_to={"repo": _relation(a, each), "match": _relation(b, each)},
            first=interval,
        )
        for each, interval in zip(others, times[: len(others)], strict=True)
    )


def _relation(a: Fingerprint, b: Fingerprint) -> Relation:
    circumstances = Circumstances(coverage=Coverage(models=1))
    return judge(Matching(a, b), n_revisions=1, circumstances=circumstances).relation


def _reproduction(
    a: Fingerprint,
    b: Fingerprint,
    others: Sequence[Fingerprint],
    verdict: Verdict,
    *,
    deep: bool,
) -> Reproduction:
    sources = [_source(each) for each in (a, b, *others)]
    command = ["kinprint", "compare", *sources, *(["--deep"] if deep else [])]
    commands = [shlex.join(command)]
    if verdict.relation in (Relation.SAME_WEIGHTS, Relation.DERIVED):
        later, earlier = sources[:2]
        if verdict.direction is Direction.MATCH_FROM_REPO:
            later, earlier = earlier, later
        rekey = ["kinprint", "rekey", later, "--like", earlier, "-o", "rekeyed"]
        commands.append(shlex.join(rekey))
    return Reproduction(
        commands=tuple(commands),
        sketch_name=a.sketch_name,
        digests={"repo": digest_of(a), "match": digest_of(b)},
        versions={
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in _VERSIONS},
        },
    )


def _source(fingerprint: Fingerprint) -> str:
    origin = fingerprint.origin
    if origin.repo is None:
        return origin.source
    return f"{origin.repo}@{origin.revision}" if origin.revision else origin.repo
