"""The family tree and the order of time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kinprint.lineage.verdict import Direction
from kinprint.report.blocks import Listing, Paragraph, Section
from kinprint.report.plots.timeline import timeline_plot
from kinprint.report.plots.tree import sound_parents, tree_plot
from kinprint.report.sections.rows import absent, table
from kinprint.report.texts.language import N_, name
from kinprint.report.texts.sentences import is_translated, said
from kinprint.report.texts.verdict_words import (
    EDGE_WORDS,
    TRANSFORM_WORDS,
    direction_words,
    title_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kinprint.lineage.evidence.record import (
        Comparison,
        DirectionHint,
        LineageTree,
        TimelineEvent,
        TreeNode,
    )
    from kinprint.report.blocks import Block, Rich, Table
    from kinprint.report.texts.language import Language

_ROLES = {
    "repo": N_("the first model"),
    "match": N_("the second model"),
    "ancestor": N_("ancestor"),
    "relative": N_("relative"),
}
_ORDERS = {
    "repo_first": N_("{a} was seen first: witnesses that neither side can backdate say so."),
    "match_first": N_("{b} was seen first: witnesses that neither side can backdate say so."),
    "cannot_tell": N_("Which of the two was first cannot be told from what nobody could forge."),
}
_EVENTS = {
    "repo_created": N_("repo created"),
    "first_seen": N_("first seen by this instance"),
    "external_timestamp": N_("external timestamp"),
    "commit": N_("commit"),
    "card": N_("model card"),
    "child": N_("child published"),
    "discussion": N_("discussion"),
    "published_at": N_("claimed date of publication"),
}
_HINTS = {
    "residual_norms": N_("size of the changes to a common base"),
    "rounding_lattice": N_("traces of an earlier rounding"),
    "added_modules": N_("added modules"),
}


def tree_section(comparison: Comparison, language: Language) -> Section:
    """Return the family tree, drawn and in words."""
    tree = comparison.evidence.tree
    blocks: tuple[Block, ...]
    if tree is None or not tree.nodes:
        otherwise = language.word("No ancestors or relatives were looked up in this comparison.")
        blocks = (absent(comparison.evidence, "tree", otherwise, language),)
    else:
        blocks = (tree_plot(tree, language), _tree_table(tree, language))
    return Section("tree", language.word("Family tree"), blocks)


def _tree_table(tree: LineageTree, language: Language) -> Table:
    parents = sound_parents(tree.nodes)
    return table(
        (language.word("Models of the tree"),),
        [
            language.word("Model"),
            language.word("Role"),
            language.word("Came from"),
            language.word("Relation to it"),
            language.word("Remark"),
        ],
        [
            _tree_row(node, None if parent is None else tree.nodes[parent], language)
            for node, parent in zip(tree.nodes, parents, strict=True)
        ],
    )


def _tree_row(node: TreeNode, parent: TreeNode | None, language: Language) -> tuple[Rich, ...]:
    relation: list[str] = []
    if node.relation is not None:
        relation.append(language.word(EDGE_WORDS[node.relation]))
    if node.declared:
        relation.append(language.word("declared"))
    relation += [_transform_word(each, language) for each in node.transforms]
    return (
        (name(node.name),),
        (language.word(_ROLES[node.role]),),
        ("–",) if parent is None else (name(parent.name),),
        language.series(relation) or ("–",),
        said(node.reason, language) if node.reason else ("",),
    )


def _transform_word(transform: str, language: Language) -> str:
    known = TRANSFORM_WORDS.get(transform)
    return transform if known is None else language.word(known)


def timeline_section(comparison: Comparison, language: Language) -> Section:
    """Return who was first, how that is known, and what is shown but not counted."""
    timeline = comparison.evidence.timeline
    a, b = title_of(comparison.a), title_of(comparison.b)
    blocks: list[Block] = []
    if timeline is None:
        otherwise = language.word("Witnesses of time were not gathered in this comparison.")
        blocks.append(absent(comparison.evidence, "timeline", otherwise, language))
    else:
        order = language.say(_ORDERS[timeline.order], a=name(a), b=name(b))
        blocks.append(Paragraph(order))
        reason = said(timeline.reason, language, (a, b))
        if is_translated(reason):
            blocks.append(Paragraph(reason))
        plot = timeline_plot(timeline, comparison.a, comparison.b, language)
        if plot is not None:
            blocks.append(plot)
        if timeline.events:
            blocks.append(_events(timeline.events, a, b, language))
        if timeline.hints:
            blocks += _hints(timeline.hints, a, b, language)
    return Section("timeline", language.word("Who was first"), tuple(blocks))


def _events(events: Sequence[TimelineEvent], a: str, b: str, language: Language) -> Table:
    return table(
        (language.word("What happened when"),),
        [
            language.word("Time"),
            language.word("Model"),
            language.word("Event"),
            language.word("Counted"),
            language.word("In words"),
        ],
        [
            (
                language.time(event.at),
                name(a if event.side == "repo" else b),
                language.word(_EVENTS[event.kind]),
                language.word("yes") if event.counted else language.word("no"),
                said(event.summary, language, (a, b)),
            )
            for event in events
        ],
    )


def _hints(hints: Sequence[DirectionHint], a: str, b: str, language: Language) -> list[Block]:
    intro = language.word("What the weights themselves suggest; never counted as proof:")
    items: list[Rich] = []
    for hint in hints:
        told: Rich = said(hint.summary, language, (a, b))
        if language.code != "en":
            told = direction_words(hint.direction, a, b, language)
        if language.code != "en" and hint.direction is Direction.UNKNOWN:
            told = (language.word("does not tell"),)
        items.append(
            language.say("{kind}: {told}", kind=language.word(_HINTS[hint.kind]), told=told)
        )
    return [Paragraph((intro,)), Listing(tuple(items))]
