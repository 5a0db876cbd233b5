"""What is claimed, in words: relations, directions, transforms, findings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kinprint.lineage.verdict import Direction, Relation
from kinprint.report.texts.language import N_, name, set_apart

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kinprint.lineage.verdict import Finding, Side, Transform, Verdict
    from kinprint.report.blocks import Rich
    from kinprint.report.texts.language import Language

RELATION_WORDS: Mapping[Relation, str] = {
    Relation.SAME_WEIGHTS: N_("the same weights"),
    Relation.DERIVED: N_("one set of weights, changed"),
    Relation.MERGED: N_("looks merged from several models"),
    Relation.SHARES_PARTS: N_("whole parts look shared"),
    Relation.SHARED_BASE: N_("both look derived from a third model"),
    Relation.RELATED: N_("related, origin unknown"),
    Relation.UNRELATED: N_("no common origin found"),
    Relation.INSUFFICIENT: N_("nothing can be said"),
}

EDGE_WORDS: Mapping[Relation, str] = {
    Relation.SAME_WEIGHTS: N_("holds the same weights"),
    Relation.DERIVED: N_("looks derived from it"),
    Relation.MERGED: N_("looks merged from it and others"),
    Relation.SHARES_PARTS: N_("shares whole parts with it"),
    Relation.SHARED_BASE: N_("shares a base with it"),
    Relation.RELATED: N_("related, origin unknown"),
    Relation.UNRELATED: N_("no common origin found"),
    Relation.INSUFFICIENT: N_("nothing can be said"),
}
"""What one model, or one module, is to another."""

MEANINGS: Mapping[Relation, str] = {
    Relation.SAME_WEIGHTS: N_(
        "The numbers inside both models are the same. Names, file format or number format may "
        "differ; no training between them can be seen."
    ),
    Relation.DERIVED: N_(
        "The two models are not independent trainings: their numbers agree tensor by tensor, far "
        "beyond what chance allows, and what differs was changed afterwards."
    ),
    Relation.MERGED: N_(
        "Its numbers are a weighted mixture of several models; each of them left a measurable "
        "share."
    ),
    Relation.SHARES_PARTS: N_(
        "Some modules are the same in both, for example a vision tower that both took over; for "
        "the others no common origin was found."
    ),
    Relation.SHARED_BASE: N_(
        "Both models build on the same older one. What they have in common comes from there, so "
        "neither needs to have come from the other."
    ),
    Relation.RELATED: N_(
        "The likeness is far beyond chance, but it looks the same whether one came from the "
        "other or both honestly came from a third model. So no more is claimed."
    ),
    Relation.UNRELATED: N_(
        "The two models are as far apart as independently trained models are. A relation that "
        "this method does not see remains possible."
    ),
    Relation.INSUFFICIENT: N_(
        "Too few numbers could be compared. That is no sign of anything, in either direction."
    ),
}

_SENTENCES: Mapping[Relation, str] = {
    Relation.SAME_WEIGHTS: N_(
        "{a} holds the same weights as {b}, up to rounding; only their packaging differs."
    ),
    Relation.DERIVED: N_(
        "{a} and {b} hold one set of weights, changed afterwards in one of them or in both."
    ),
    Relation.MERGED: N_("{a} is a mixture that contains {b}."),
    Relation.SHARES_PARTS: N_("{a} and {b} share whole parts ({share} of {a}), not the rest."),
    Relation.SHARED_BASE: N_("What {a} and {b} share, both have from {base}."),
    Relation.RELATED: N_(
        "{a} and {b} have a common origin; which came from which, or whether both came from a "
        "third model, the weights do not tell."
    ),
    Relation.UNRELATED: N_("No common origin of {a} and {b} was found."),
    Relation.INSUFFICIENT: N_(
        "There is too little to compare between {a} and {b}: nothing is claimed, in either "
        "direction."
    ),
}

_DERIVED_FROM = N_("{child} looks derived from {parent}.")
_DECLARED = N_("{child} declares {parent} as its base, and its weights confirm it.")
_THROUGH = N_("{child} declares {parent} through its bases, and its weights confirm it.")

_DECLARED_SOMEHOW = N_(
    "{child} declares {parent}, directly or through its bases, and its weights confirm it."
)

VERDICT_SENTENCES = (*_SENTENCES.values(), _DERIVED_FROM, _DECLARED, _THROUGH)
"""What ``lineage/wording.py`` writes."""

DIRECTION_WORDS: Mapping[Direction, str] = {
    Direction.REPO_FROM_MATCH: N_("{a} is the later one"),
    Direction.MATCH_FROM_REPO: N_("{b} is the later one"),
    Direction.UNKNOWN: N_("unknown: no witness of time tells the two apart"),
}

TRANSFORM_WORDS: Mapping[str, str] = {
    "renamed": N_("renamed"),
    "cast": N_("another number format"),
    "quantised": N_("quantised"),
    "noised": N_("noise added"),
    "fine_tuned": N_("trained further"),
    "low_rank_update": N_("low-rank update"),
    "merged": N_("merged"),
    "permuted": N_("permuted"),
    "rotated": N_("rotated"),
    "scaled": N_("scaled"),
    "transposed": N_("transposed"),
    "fused_or_split": N_("fused or split"),
    "vocab_extended": N_("vocabulary changed"),
    "layers_dropped": N_("layers dropped"),
    "layers_repeated": N_("layers repeated"),
    "layers_reordered": N_("layers reordered"),
    "pruned": N_("pruned"),
}

_TRANSFORM_SENTENCES: Mapping[str, str] = {
    "renamed": N_("{renamed} of {matched} matched tensors carry another name."),
    "cast": N_("Matched tensors are stored in another number format."),
    "quantised": N_(
        "{blocks} changed blocks lie on a coarse grid (median {levels_per_row} distinct values a "
        "row)."
    ),
    "noised": N_(
        "The values differ by what looks like added random noise of σ = {sigma}, 95 % interval "
        "{sigma_low} to {sigma_high}. A light training hidden under the noise cannot be excluded."
    ),
    "fine_tuned": N_(
        "The values differ along a few directions, as training leaves them (z = {z}; noise stays "
        "below 5), by {rms_change} on average."
    ),
    "scaled": N_(
        "{blocks} blocks equal the match's times a factor ({factor_low} to {factor_high})."
    ),
    "pruned": N_(
        "In {blocks} blocks a share of {zeros} of the values are exact zeros on one side."
    ),
    "vocab_extended": N_(
        "Matched tensors have another number of rows ({rows_added}), as after a change of "
        "vocabulary."
    ),
}
"""By name; each place is a figure of the transform. Others are told by name and figures alone."""

_FINDING_SENTENCES: Mapping[str, str] = {
    "shaped_to_evade": N_(
        "In {count} tensors the public hash and this instance's secret hash disagree about the "
        "match: the rows that everybody samples differ from the others."
    ),
    "generated_tensors": N_("{count} tensors follow a formula and are no evidence."),
    "declared_base_not_measured": N_(
        "A model is declared as a base, but no shared weights with it were found."
    ),
    "identical_files": N_("Weight files of the two are equal byte for byte."),
    "contradiction": N_("A declaration contradicts what was measured."),
    "claimed_source_predates": N_(
        "A source that one side names is older than what was found in its place."
    ),
}


def title_of(side: Side) -> str:
    """Return what to call a side: its repo, or the source that was named."""
    return side.repo or side.source


def verdict_sentence(verdict: Verdict, a: Side, b: Side, language: Language) -> Rich:
    """Return the verdict in a sentence; in English the verdict's own."""
    mine, other = title_of(a), title_of(b)
    if language.code == "en":
        return set_apart(verdict.sentence, (mine, other, verdict.explained_by or ""))
    child = _child(verdict, a, b)
    if verdict.relation is Relation.DERIVED and child is not None:
        parent = b if child is a else a
        return language.say(
            _derived(verdict, child, parent),
            child=name(title_of(child)),
            parent=name(title_of(parent)),
        )
    return language.say(
        _SENTENCES[verdict.relation],
        a=name(mine),
        b=name(other),
        share=language.percent(verdict.shared_fraction),
        base=name(verdict.explained_by or "?"),
    )


def _derived(verdict: Verdict, child: Side, parent: Side) -> str:
    if not verdict.declared:
        return _DERIVED_FROM
    if not child.declared_bases:
        return _DECLARED_SOMEHOW
    return _DECLARED if _names(child, parent) else _THROUGH


def _child(verdict: Verdict, a: Side, b: Side) -> Side | None:
    if verdict.declared and _names(a, b) != _names(b, a):
        return a if _names(a, b) else b
    return {Direction.REPO_FROM_MATCH: a, Direction.MATCH_FROM_REPO: b}.get(verdict.direction)


def _names(child: Side, parent: Side) -> bool:
    """Whether a side's own card names the other as a base."""
    return title_of(parent).lower() in {base.lower() for base in child.declared_bases}


def direction_words(direction: Direction, a: str, b: str, language: Language) -> Rich:
    """Return which side came later."""
    return language.say(DIRECTION_WORDS[direction], a=name(a), b=name(b))


def transform_sentence(transform: Transform, language: Language) -> Rich:
    """Return what a transform says; in English its own summary."""
    if language.code == "en":
        return (transform.summary,)
    template = _TRANSFORM_SENTENCES.get(transform.name)
    figures = {key: figure_words(value, language) for key, value in transform.figures.items()}
    try:
        if template is not None:
            return language.say(template, **figures)
    except KeyError:  # a figure that this sentence needs was not measured
        pass
    return (language.word(TRANSFORM_WORDS[transform.name]),)


def figure_words(value: float | int | str, language: Language) -> str:
    """Return a measured figure."""
    if isinstance(value, float):
        return language.number(value, digits=4)
    return language.integer(value) if isinstance(value, int) else value


def finding_sentence(finding: Finding, language: Language) -> Rich:
    """Return what a finding says; in English its own summary."""
    if language.code == "en":
        return (finding.summary,)
    return language.say(
        _FINDING_SENTENCES[finding.code], count=language.integer(len(finding.tensors))
    )
