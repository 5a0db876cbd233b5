"""A mixture of several models, module by module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kinprint.lineage.verdict import Relation
from kinprint.report.blocks import Paragraph, Section
from kinprint.report.plots.merge_bars import merge_plot
from kinprint.report.sections.rows import absent, estimate, table
from kinprint.report.texts.language import N_, name

if TYPE_CHECKING:
    from kinprint.lineage.evidence.record import Comparison, MergeEvidence
    from kinprint.report.blocks import Block, Rich, Table
    from kinprint.report.texts.language import Language

_KINDS = {
    "linear": N_("A linear mixture: each number is a weighted sum of the parents' numbers."),
    "task_arithmetic": N_(
        "Task arithmetic: the parents' changes to a common base were added up with weights."
    ),
    "slerp": N_("A mixture whose shares turn smoothly from layer to layer (SLERP)."),
    "layer_wise": N_("A mixture put together layer by layer."),
    "unknown": N_("A mixture of a kind that the shares do not tell."),
}


def merge_section(comparison: Comparison, language: Language) -> Section:
    """Return the mixture."""
    merge = comparison.evidence.merge
    blocks: list[Block] = []
    if merge is None:
        otherwise = (
            language.word("The parents' shares were not measured.")
            if comparison.verdict.relation is Relation.MERGED
            else language.word("Nothing here looks like a mixture of several models.")
        )
        blocks.append(absent(comparison.evidence, "merge", otherwise, language))
    else:
        sentence = merge.sentence if language.code == "en" else language.word(_KINDS[merge.kind])
        blocks.append(Paragraph((sentence,)))
        if merge.base:
            blocks.append(Paragraph(language.say("Common base: {base}.", base=name(merge.base))))
        if any(module.shares for module in merge.modules):
            blocks.append(merge_plot(merge, language))
            blocks.append(_shares(merge, language))
    return Section("merge", language.word("Mixture"), tuple(blocks))


def _shares(merge: MergeEvidence, language: Language) -> Table:
    rows: list[tuple[Rich, ...]] = []
    for module in merge.modules:
        label: Rich = (
            (name(module.module),) if module.module else (language.word("the whole model"),)
        )
        rows += [
            (
                label,
                (name(share.parent),),
                (estimate(share.coefficient, language, 3),),
                (language.percent(module.unexplained),),
            )
            for share in module.shares
        ]
    return table(
        (language.word("Shares of the parents"),),
        [
            language.word("Module"),
            language.word("Parent"),
            language.word("Share with 95 % interval"),
            language.word("Left unexplained"),
        ],
        rows,
        numeric=[2, 3],
    )
