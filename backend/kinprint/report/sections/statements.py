"""What either side says of itself, both configurations, and findings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kinprint.report.blocks import Paragraph, Section
from kinprint.report.sections.rows import absent, table
from kinprint.report.texts.language import N_, name
from kinprint.report.texts.sentences import said
from kinprint.report.texts.verdict_words import finding_sentence, title_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kinprint.lineage.evidence.record import (
        Comparison,
        ConfigComparison,
        ConfigField,
        Declaration,
    )
    from kinprint.report.blocks import Block, Rich, Table
    from kinprint.report.texts.language import Language

_OUTCOMES = {
    "agrees": N_("agrees"),
    "contradicts": N_("contradicts"),
    "cannot_tell": N_("cannot tell"),
}
_STANDINGS = {
    "architecture": N_("follows from the shapes"),
    "family": N_("shared by every model of the family"),
    "free": N_("free to choose"),
    "bookkeeping": N_("bookkeeping"),
}
FINDING_WORDS = {
    "shaped_to_evade": N_("public and secret hashes disagree"),
    "generated_tensors": N_("generated tensors"),
    "declared_base_not_measured": N_("declared base not found in the weights"),
    "identical_files": N_("identical files"),
    "contradiction": N_("contradiction"),
    "claimed_source_predates": N_("named source is too old"),
}


def declarations_section(comparison: Comparison, language: Language) -> Section:
    """Return what is declared beside what was measured."""
    declared = comparison.evidence.declarations
    blocks: tuple[Block, ...]
    if declared:
        blocks = (_declarations(declared, comparison, language),)
    else:
        otherwise = language.word("Neither side says anything of itself that could be measured.")
        blocks = (absent(comparison.evidence, "declarations", otherwise, language),)
    return Section("declarations", language.word("Declared and measured"), blocks)


def _declarations(
    declared: Sequence[Declaration], comparison: Comparison, language: Language
) -> Table:
    a, b = title_of(comparison.a), title_of(comparison.b)
    return table(
        (language.word("Statements, each with its place"),),
        [
            language.word("Model"),
            language.word("Place"),
            language.word("Quote"),
            language.word("Claim"),
            language.word("Measured"),
            language.word("Outcome"),
        ],
        [
            (
                name(a if each.side == "repo" else b),
                _place(each, language),
                name(each.quote),
                said(each.claim, language, (a, b)),
                said(each.measured, language, (a, b)),
                language.word(_OUTCOMES[each.outcome]),
            )
            for each in declared
        ],
    )


def _place(declaration: Declaration, language: Language) -> Rich:
    if declaration.line is None:
        return (name(declaration.source),)
    return language.say(
        "{source}, line {line}",
        source=name(declaration.source),
        line=language.integer(declaration.line),
    )


def config_section(comparison: Comparison, language: Language) -> Section:
    """Return both configurations, field by field."""
    config = comparison.evidence.config
    blocks: tuple[Block, ...]
    if config is None:
        otherwise = language.word("The two config.json files were not compared.")
        blocks = (absent(comparison.evidence, "config", otherwise, language),)
    else:
        blocks = (Paragraph(_config_sentence(config, language)),)
        if config.fields:
            blocks = (*blocks, _fields(config.fields, language))
    return Section("config", language.word("Configuration"), blocks)


def _config_sentence(config: ConfigComparison, language: Language) -> Rich:
    if language.code == "en":
        return (config.sentence,)
    counted = language.say(
        "Of {compared} fields that either author was free to choose and both set, {equal} agree; "
        "{renamed} fields carry another name on the other side.",
        compared=language.integer(config.free_compared),
        equal=language.integer(config.free_equal),
        renamed=language.integer(config.renamed),
    )
    caveat = language.word(
        "Honest models of one family or one base agree in such fields, too: by itself this is no "
        "evidence of a relation."
    )
    return (*counted, caveat)


def _fields(fields: Sequence[ConfigField], language: Language) -> Table:
    return table(
        (language.word("Fields of config.json"),),
        [
            language.word("Field"),
            language.word("In the first model"),
            language.word("In the second"),
            language.word("Equal"),
            language.word("Standing"),
        ],
        [
            (
                name(field.name),
                _value(field.repo_name, field.repo_value, field.name),
                _value(field.match_name, field.match_value, field.name),
                language.word("yes") if field.equal else language.word("no"),
                language.word(_STANDINGS[field.standing]),
            )
            for field in fields
        ],
    )


def _value(written_as: str | None, value: str | None, normalised: str) -> Rich:
    if value is None:
        return ("–",)
    if written_as is None or written_as == normalised:
        return (name(value),)
    return (name(value), " (", name(written_as), ")")


def findings_section(comparison: Comparison, language: Language) -> Section:
    """Return what else a person should know."""
    findings = comparison.verdict.findings
    blocks: list[Block] = []
    if not findings:
        blocks.append(Paragraph((language.word("No further findings."),), "muted"))
    else:
        blocks.append(
            table(
                (language.word("Findings"),),
                [
                    language.word("Finding"),
                    language.word("In words"),
                    language.word("Tensors"),
                ],
                [
                    (
                        language.word(FINDING_WORDS[each.code]),
                        finding_sentence(each, language),
                        language.integer(len(each.tensors)),
                    )
                    for each in findings
                ],
                numeric=[2],
            )
        )
        for each in findings:
            if each.tensors:
                rows = [(name(tensor),) for tensor in each.tensors]
                caption = language.say(
                    "Tensors of this finding: {finding}",
                    finding=language.word(FINDING_WORDS[each.code]),
                )
                blocks.append(table(caption, [language.word("Tensor")], rows))
    return Section("findings", language.word("Findings"), tuple(blocks))
