"""How the values differ: σ per tensor, the kind of change, and each transform with its figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kinprint.lineage.evidence.record import ChangeKind
from kinprint.report.blocks import Facts, Paragraph, Section
from kinprint.report.plots.sigma import sigma_plot
from kinprint.report.sections.rows import absent, estimate, sigma, table
from kinprint.report.texts.language import N_, name
from kinprint.report.texts.verdict_words import (
    TRANSFORM_WORDS,
    figure_words,
    transform_sentence,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kinprint.lineage.evidence.record import ChangeEvidence, Comparison, TensorChange
    from kinprint.lineage.verdict import Transform
    from kinprint.report.blocks import Block, Rich, Run, Table
    from kinprint.report.texts.language import Language

_KINDS = {
    ChangeKind.NONE: N_("The values do not differ beyond rounding."),
    ChangeKind.ADDED_NOISE: N_("The difference is what added random noise leaves."),
    ChangeKind.FINE_TUNING: N_("The difference is what further training leaves."),
    ChangeKind.LOW_RANK_UPDATE: N_("The difference is what a low-rank update (LoRA) leaves."),
    ChangeKind.QUANTISATION: N_("The difference is what rounding to a coarse grid leaves."),
    ChangeKind.PRUNING: N_("The difference is what pruning leaves."),
    ChangeKind.MIXTURE: N_("Several kinds of change lie over one another."),
    ChangeKind.NOT_SEPARABLE: N_("What made the difference cannot be told from these figures."),
}


def sigma_section(comparison: Comparison, language: Language) -> Section:
    """Return σ tensor by tensor."""
    change = comparison.evidence.change
    blocks: tuple[Block, ...]
    found = [] if change is None else [each.sigma for each in change.tensors if each.sigma]
    if change is None or not found:
        otherwise = language.word("No σ was measured tensor by tensor.")
        blocks = (absent(comparison.evidence, "change", otherwise, language),)
    else:
        blocks = (
            Paragraph(
                language.say(
                    "Noise of one recipe has the same σ in every tensor; training and rounding "
                    "change each tensor by another amount."
                )
            ),
            sigma_plot(found, change.sigma, language),
        )
    return Section("sigma", language.word("Size of the change"), blocks)


def change_section(comparison: Comparison, language: Language) -> Section:
    """Return the kind of change with its figures, tensor by tensor."""
    change = comparison.evidence.change
    if change is None:
        otherwise = language.word("The change was not measured any further.")
        blocks: tuple[Block, ...] = (absent(comparison.evidence, "change", otherwise, language),)
    else:
        blocks = (Paragraph(_sentence(change, language)), _figures(change, language))
        if change.tensors:
            blocks = (*blocks, _tensors(change.tensors, language))
    return Section("change", language.word("What happened to the values"), blocks)


def _sentence(change: ChangeEvidence, language: Language) -> Rich:
    if language.code == "en":
        return (change.sentence,)
    kind = language.word(_KINDS[change.kind])
    if change.kind is not ChangeKind.ADDED_NOISE:
        return (kind,)
    hidden = language.word("A light training hidden under the noise cannot be excluded.")
    return (kind, hidden)


def _figures(change: ChangeEvidence, language: Language) -> Facts:
    if change.depth == "deep":
        depth = language.count(
            "{n} row of each tensor, read again",
            "{n} rows of each tensor, read again",
            change.rows_read,
        )
    else:
        depth = language.count("sketches of {n} row", "sketches of {n} rows", change.rows_read)
    rows: list[tuple[str, Rich]] = [(language.word("Read"), depth)]
    if change.sigma is not None:
        rows.append(
            (
                language.word("One σ for all tensors"),
                language.say(
                    "{sigma}, 95 % interval {low} to {high}",
                    sigma=sigma(change.sigma.value, language),
                    low=language.number(change.sigma.low, 4),
                    high=language.number(change.sigma.high, 4),
                ),
            )
        )
    if change.censored:
        words = language.word("below the resolution of the number format, so from a censored fit")
        rows.append((language.word("Remark"), (words,)))
    rows += [
        (title, (language.short(value),))
        for title, value in (
            (language.word("p-value of “one σ fits all tensors”"), change.one_scalar_p),
            (language.word("Gain c"), change.gain),
            (
                language.word("z of the singular shares (noise stays below 5)"),
                change.singular_z,
            ),
            (
                language.word("Top singular value over the edge of noise"),
                change.edge_ratio,
            ),
        )
        if value is not None
    ]
    return Facts(tuple(rows))


def _tensors(changes: Sequence[TensorChange], language: Language) -> Table:
    deep = any(each.edge_ratio is not None for each in changes)
    columns = [
        language.word("In the first model"),
        language.word("In the second"),
        language.word("Bits apart"),
        language.word("Std"),
        language.word("σ with 95 % interval"),
        *([language.word("Edge ratio")] if deep else []),
    ]
    rows = [_tensor(each, language, deep=deep) for each in changes]
    caption = language.count(
        "Change of each tensor ({n} tensor)", "Change of each tensor ({n} tensors)", len(changes)
    )
    return table(caption, columns, rows, numeric=range(2, len(columns)))


def _tensor(change: TensorChange, language: Language, *, deep: bool) -> tuple[Run, ...]:
    ratio = "–" if change.edge_ratio is None else language.number(change.edge_ratio)
    return (
        name(change.repo_tensor),
        name(change.match_tensor),
        language.integer(change.hamming_bits),
        language.number(change.std),
        estimate(change.sigma, language),
        *([ratio] if deep else []),
    )


def transforms_section(comparison: Comparison, language: Language) -> Section:
    """Return each transform with its figures."""
    transforms = comparison.verdict.transforms
    blocks: tuple[Block, ...]
    if transforms:
        blocks = (_transforms(transforms, language),)
    else:
        blocks = (Paragraph((language.word("No transform was measured."),), "muted"),)
    return Section("transforms", language.word("How they differ"), blocks)


def _transforms(transforms: Sequence[Transform], language: Language) -> Table:
    return table(
        (language.word("Transforms with their figures"),),
        [
            language.word("Transform"),
            language.word("In words"),
            language.word("Figures"),
            language.word("Tensors"),
        ],
        [
            (
                language.word(TRANSFORM_WORDS[each.name]),
                transform_sentence(each, language),
                _listed(each, language),
                language.integer(len(each.tensors)),
            )
            for each in transforms
        ],
        numeric=[3],
    )


def _listed(transform: Transform, language: Language) -> Rich:
    return language.series(
        (name(key), " ", name(value) if isinstance(value, str) else figure_words(value, language))
        for key, value in transform.figures.items()
    )
