"""What the answer rests on, what would make it wrong, and how to check it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kinprint.lineage.verdict import CLAIMS
from kinprint.report.blocks import Code, Commands, Facts, Listing, Paragraph, Section
from kinprint.report.sections.rows import absent, table
from kinprint.report.texts.language import name
from kinprint.report.texts.sentences import said
from kinprint.report.texts.verdict_words import title_of

if TYPE_CHECKING:
    from kinprint.lineage.evidence.record import Comparison, Reproduction
    from kinprint.lineage.verdict import Coverage
    from kinprint.report.blocks import Block, Rich
    from kinprint.report.texts.language import Language


def coverage_section(comparison: Comparison, language: Language) -> Section:
    """Return among how many models the answer was found, and what could not be read."""
    blocks = coverage_blocks(comparison.verdict.coverage, language)
    return Section("coverage", language.word("What the answer rests on"), blocks)


def coverage_blocks(coverage: Coverage, language: Language) -> tuple[Block, ...]:
    """Return the same without a heading."""
    read: Rich = (language.word("none"),)
    if coverage.ancestors_read:
        read = language.series(name(each) for each in coverage.ancestors_read)
    models = language.count(
        "{n} model beside the one asked about",
        "{n} models beside the one asked about",
        coverage.models,
    )
    rows: list[tuple[str, Rich]] = [
        (language.word("Compared with"), models),
        (language.word("Declared ancestors read"), read),
    ]
    if coverage.as_of is not None:
        rows.append((language.word("Newest reading"), (language.time(coverage.as_of),)))
    blocks: list[Block] = [Facts(tuple(rows))]
    if coverage.ancestors_unread:
        blocks.append(
            table(
                (language.word("Declared ancestors that could not be read"),),
                [language.word("Model"), language.word("Reason")],
                [
                    (name(repo), said(reason, language))
                    for repo, reason in coverage.ancestors_unread.items()
                ],
            )
        )
    if coverage.advice:
        blocks.append(Paragraph(said(coverage.advice, language), "muted"))
    return tuple(blocks)


def doubts_section(comparison: Comparison, language: Language) -> Section:
    """Return what would make the verdict wrong: what the evidence names, else what holds always."""
    names = (title_of(comparison.a), title_of(comparison.b))
    items: list[Rich] = [said(doubt, language, names) for doubt in comparison.evidence.doubts]
    if not items and comparison.verdict.relation in CLAIMS:
        items += [
            (
                language.word(
                    "An older model that nobody compared here, and from which both come, would "
                    "explain the likeness as well."
                ),
            ),
            (
                language.word(
                    "The files read here may not be those that were published first under these "
                    "names; the digests below say which were read."
                ),
            ),
        ]
    elif not items:
        items += [
            (
                language.word(
                    "Changes made to hide an origin, such as rotating all tensors, can make "
                    "relatives look like strangers."
                ),
            ),
            (
                language.word(
                    "Nothing found means: not among the models compared. It is no proof of an "
                    "independent origin."
                ),
            ),
        ]
    return Section("doubts", language.word("What would make this wrong"), (Listing(tuple(items)),))


def reproduction_section(comparison: Comparison, language: Language) -> Section:
    """Return commands, digests and versions."""
    reproduction = comparison.evidence.reproduction
    blocks: tuple[Block, ...]
    if reproduction is None:
        otherwise = language.word("Run the comparison again with the two models named above.")
        blocks = (absent(comparison.evidence, "reproduction", otherwise, language),)
    else:
        blocks = (
            Paragraph(
                (
                    language.word(
                        "Anyone with access to both models gets the same figures from the same "
                        "digests:"
                    ),
                )
            ),
            Commands(reproduction.commands),
            _facts(reproduction, comparison, language),
        )
    return Section("reproduction", language.word("How to check it"), blocks)


def _facts(reproduction: Reproduction, comparison: Comparison, language: Language) -> Facts:
    titles = {"repo": title_of(comparison.a), "match": title_of(comparison.b)}
    rows: list[tuple[str, Rich]] = [(language.word("Sketch"), (name(reproduction.sketch_name),))]
    rows += [
        (
            language.word("Digest"),
            (name(titles.get(side, side)), " ", Code(digest)),
        )
        for side, digest in reproduction.digests.items()
    ]
    versions = language.series(
        name(f"{package} {version}") for package, version in sorted(reproduction.versions.items())
    )
    rows.append((language.word("Versions"), versions or ("–",)))
    return Facts(tuple(rows))
