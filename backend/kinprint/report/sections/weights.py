"""Which tensors are which: the map, the distances, and the rules behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kinprint.lineage.verdict import CLAIMS
from kinprint.report.blocks import Paragraph, Section
from kinprint.report.plots.distances import distances_plot
from kinprint.report.plots.tensor_map import tensor_map
from kinprint.report.sections.rows import absent, table
from kinprint.report.texts.language import N_, name
from kinprint.report.texts.verdict_words import EDGE_WORDS, title_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kinprint.lineage.evidence.record import (
        Comparison,
        LayerStack,
        ModuleOrigin,
        WeightsEvidence,
    )
    from kinprint.lineage.verdict import TensorPair
    from kinprint.report.blocks import Block, Rich, Table
    from kinprint.report.texts.language import Language

_ORDERS = {
    "in_order": N_("in order"),
    "dropped": N_("some dropped"),
    "added": N_("some added"),
    "repeated": N_("some repeated"),
    "moved": N_("some moved"),
}
_MAX_LAYER_PAIRS = 48


def map_section(comparison: Comparison, language: Language) -> Section:
    """Return the tensor map."""
    weights = comparison.evidence.weights
    blocks: list[Block] = []
    if weights is None or not (weights.repo_tensors and weights.match_tensors):
        otherwise = language.word("The tensors were not laid side by side in this comparison.")
        blocks.append(absent(comparison.evidence, "weights", otherwise, language))
    else:
        blocks.append(
            Paragraph(
                language.say(
                    "{share} of the float parameters of {a} lie in tensors that match one of {b}. "
                    "Names play no part in the matching; they only label the drawing.",
                    share=language.percent(weights.explained),
                    a=name(title_of(comparison.a)),
                    b=name(title_of(comparison.b)),
                )
            )
        )
        blocks.append(tensor_map(weights, title_of(comparison.a), title_of(comparison.b), language))
    return Section("map", language.word("The tensor map"), tuple(blocks))


def distances_section(comparison: Comparison, language: Language) -> Section:
    """Return the distances of matched tensors against those of strangers."""
    evidence = [pair for pair in comparison.verdict.rename_map if not pair.support]
    if evidence:
        blocks: tuple[Block, ...] = (
            Paragraph(
                language.say(
                    "Each tensor is known by 256 signs. Two unrelated tensors disagree in about "
                    "half of them, a copy in hardly any. Bars far to the left of the hill do not "
                    "come about by chance."
                )
            ),
            distances_plot([pair.hamming_bits for pair in evidence], language),
        )
    else:
        blocks = (
            Paragraph(
                (language.word("No tensors were matched, so there is no distance to show."),),
                "muted",
            ),
        )
    return Section("distances", language.word("Distances against chance"), blocks)


def tensors_section(comparison: Comparison, language: Language) -> Section:
    """Return the rename map as rules and pairs, the stacks and the modules."""
    weights, pairs = comparison.evidence.weights, comparison.verdict.rename_map
    blocks: list[Block] = []
    if weights is None:
        otherwise = language.word("No rules were derived from the matched pairs.")
        blocks.append(absent(comparison.evidence, "weights", otherwise, language))
    else:
        blocks += _of_weights(weights, language)
    if pairs:
        caption = language.count(
            "All matched tensors ({n} pair)", "All matched tensors ({n} pairs)", len(pairs)
        )
        blocks.append(_pairs(caption, pairs, language))
    elif comparison.verdict.relation not in CLAIMS:
        blocks.append(Paragraph((language.word("No tensors were matched."),), "muted"))
    return Section("tensors", language.word("Which tensor became which"), tuple(blocks))


def _of_weights(weights: WeightsEvidence, language: Language) -> list[Block]:
    blocks: list[Block] = []
    if weights.rules:
        blocks.append(
            table(
                (language.word("Rename map as rules"),),
                [
                    language.word("In the first model"),
                    language.word("In the second"),
                    language.word("Tensors"),
                ],
                [
                    (
                        name(rule.repo_pattern),
                        name(rule.match_pattern),
                        language.integer(rule.tensors),
                    )
                    for rule in weights.rules
                ],
                numeric=[2],
            )
        )
    if weights.exceptions:
        caption = language.word("Matched tensors that follow no rule")
        blocks.append(_pairs((caption,), weights.exceptions, language))
    if weights.stacks:
        blocks.append(_stacks(weights.stacks, language))
    if weights.modules:
        blocks.append(_modules(weights.modules, language))
    for caption, names in (
        (language.word("Tensors of the first model without a match"), weights.unmatched_repo),
        (language.word("Tensors of the second model without a match"), weights.unmatched_match),
    ):
        if names:
            rows = [(name(each),) for each in names]
            blocks.append(table((caption,), [language.word("Tensor")], rows))
    return blocks


def _pairs(caption: Rich, pairs: Sequence[TensorPair], language: Language) -> Table:
    return table(
        caption,
        [
            language.word("In the first model"),
            language.word("In the second"),
            language.word("Bits apart"),
            language.word("Remark"),
        ],
        [
            (
                name(pair.repo_tensor),
                name(pair.match_tensor),
                language.integer(pair.hamming_bits),
                _remark(pair, language),
            )
            for pair in pairs
        ],
        numeric=[2],
    )


def _remark(pair: TensorPair, language: Language) -> Rich:
    return language.series(
        language.word(words)
        for applies, words in (
            (pair.same_bytes, N_("same bytes")),
            (pair.negated, N_("sign turned")),
            (pair.support, N_("vector")),
        )
        if applies
    )


def _stacks(stacks: Sequence[LayerStack], language: Language) -> Table:
    return table(
        (language.word("Stacks of layers"),),
        [
            language.word("In the first model"),
            language.word("In the second"),
            language.word("Layers"),
            language.word("Order"),
            language.word("Layer ← layer"),
        ],
        [
            (
                name(stack.repo_stack),
                name(stack.match_stack),
                f"{language.integer(stack.repo_layers)} / {language.integer(stack.match_layers)}",
                language.series(language.word(_ORDERS[each]) for each in stack.order),
                _layer_pairs(stack),
            )
            for stack in stacks
        ],
    )


def _layer_pairs(stack: LayerStack) -> str:
    """Runs of layers that go together: ``0–11 ← 2–13``."""
    runs: list[list[tuple[int, int]]] = []
    for mine, other in stack.pairs:
        if runs and runs[-1][-1] == (mine - 1, other - 1):
            runs[-1].append((mine, other))
        else:
            runs.append([(mine, other)])
    shown = [
        f"{_span(run[0][0], run[-1][0])} ← {_span(run[0][1], run[-1][1])}"
        for run in runs[:_MAX_LAYER_PAIRS]
    ]
    return ", ".join(shown) + (" …" if len(runs) > _MAX_LAYER_PAIRS else "")


def _span(low: int, high: int) -> str:
    return str(low) if low == high else f"{low}–{high}"


def _modules(modules: Sequence[ModuleOrigin], language: Language) -> Table:
    return table(
        (language.word("Modules by origin"),),
        [
            language.word("Module"),
            language.word("Looks like"),
            language.word("Relation"),
            language.word("Matched"),
            language.word("Parameters"),
            language.word("Median bits"),
        ],
        [
            (
                name(module.module) if module.module else language.word("the whole model"),
                name(module.origin) if module.origin else language.word("no known model"),
                language.word(EDGE_WORDS[module.relation]),
                language.percent(module.matched),
                language.integer(module.parameters),
                "–" if module.median_bits is None else language.short(module.median_bits),
            )
            for module in modules
        ],
        numeric=[3, 4, 5],
    )
