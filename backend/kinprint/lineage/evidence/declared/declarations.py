"""What both models say of themselves, beside what was measured.

Quotes are shown with their lines; no statement is ever evidence for a relation. The listed
patterns and their checks are in `statements` and `outcomes`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kinprint.checkpoints.documents import CARD, CONFIG
from kinprint.lineage.evidence.declared.findings import (
    predating_source,
    unexplained_bases,
)
from kinprint.lineage.evidence.declared.model_names import is_same
from kinprint.lineage.evidence.declared.outcomes import Case, Outcome, of_origin, of_size, of_source
from kinprint.lineage.evidence.declared.patterns import PART_NAMES
from kinprint.lineage.evidence.record import Declaration

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kinprint.lineage.evidence.declared.parties import KnownSource, Party
    from kinprint.lineage.evidence.declared.patterns import Part
    from kinprint.lineage.evidence.declared.statements import Statement
    from kinprint.lineage.verdict import Finding, Verdict

_CHANGES_OF = {
    "finetune": frozenset({"fine_tuned", "low_rank_update"}),
    "quantized": frozenset({"quantised"}),
    "merge": frozenset({"merged"}),
}
"""Declared relation → the changes that bear it out; others neither agree nor contradict."""

QUOTE_CHARACTERS = 300
MEASURED_CHARACTERS = 600

_CLAIMS = {
    "trained_from_scratch": "Its weights were trained from scratch.",
    "own_architecture": "Its architecture is its authors' own.",
    "parameter_size": "It has about {parameters} parameters.",
    "based_on": "It was made from {name}.",
    "part_source": "Its {part} came from {name}.",
}


_Predating = dict[tuple[str, "Part | None"], "Finding"]


@dataclass(frozen=True)
class Declared:
    """The section on declarations.

    Attributes:
        declarations: Of the repo, then of the match, each in the order of its files.
        findings: What a person should look at.
        unread: ``repo README.md`` and the like, with the reason why it could not be read whole.
    """

    declarations: tuple[Declaration, ...]
    findings: tuple[Finding, ...]
    unread: dict[str, str]


def declared(
    repo: Party, match: Party, verdict: Verdict, sources: Sequence[KnownSource] = ()
) -> Declared:
    """Set what both sides say of themselves beside the verdict.

    Args:
        repo: The model asked about.
        match: The other model.
        verdict: What was measured of them.
        sources: Third models that statements may name, as far as they were read.
    """
    cases = (Case(repo, match, verdict, sources), Case(match, repo, verdict, sources))
    declarations: list[Declaration] = []
    findings: list[Finding] = []
    for case in cases:
        predating = {
            (name, part): finding
            for name, part in _sources_named(case.party)
            if (finding := predating_source(case, name, part)) is not None
        }
        declarations += _declarations(case, predating)
        findings += [*unexplained_bases(case), *predating.values()]
    return Declared(
        declarations=tuple(declarations),
        findings=tuple(dict.fromkeys(findings)),
        unread={**_unread(repo), **_unread(match)},
    )


def _sources_named(party: Party) -> Iterator[tuple[str, Part | None]]:
    for base in party.bases:
        yield base, None
    for statement in party.statements:
        if statement.name is not None and statement.is_own:
            yield statement.name, statement.part


def _declarations(case: Case, predating: _Predating) -> Iterator[Declaration]:
    yield from _of_front_matter(case, predating)
    for statement in case.party.statements:
        yield _declaration(
            case,
            statement.code,
            statement.sentence.text,
            _claim(statement),
            _checked(case, statement, predating),
            line=statement.sentence.line,
        )
    yield from _of_config(case)


def _of_front_matter(case: Case, predating: _Predating) -> Iterator[Declaration]:
    front = case.party.front_matter
    lines = {base.text: base.line for base in front.bases}
    for base in case.party.bases:
        finding = predating.get((base, None))
        yield _declaration(
            case,
            "base_model",
            _line_of(case.party, lines.get(base)) or f"base_model: {base}",
            f"It was made from {base}.",
            Outcome("contradicts", finding.summary) if finding else of_source(case, base),
            line=lines.get(base),
        )
    relation = case.party.declared_relation
    line = front.relation.line if front.relation else None
    relation = front.relation.text if front.relation else relation
    if relation is not None:
        yield _declaration(
            case,
            "base_model_relation",
            _line_of(case.party, line) or f"base_model_relation: {relation}",
            f"What it is to its base: {relation}.",
            _of_relation(case, relation),
            line=line,
        )


def _of_relation(case: Case, relation: str) -> Outcome:
    """Set the declared relation beside the changes, where these are against the declared base."""
    bases = case.party.bases
    if not any(is_same(base, case.other.names) for base in bases):
        return Outcome(
            "cannot_tell",
            f"Its changes against {bases[0] if bases else 'its base'} were not measured here.",
        )
    names = [transform.name for transform in case.verdict.transforms]
    agrees = not _CHANGES_OF.get(relation, frozenset()).isdisjoint(names)
    measured = f"Measured changes against {case.other.name}: {', '.join(names) or 'none'}."
    return Outcome("agrees" if agrees else "cannot_tell", measured)


def _of_config(case: Case) -> Iterator[Declaration]:
    setting = case.party.settings.get("_name_or_path")
    name = setting.value if setting else None
    if not isinstance(name, str) or not name.strip() or is_same(name, case.party.names):
        return
    yield _declaration(
        case,
        "name_or_path",
        f'"_name_or_path": "{name}"',
        f"It was saved from what was loaded as {name}.",
        of_source(case, name),
        source=CONFIG,
    )


def _checked(case: Case, statement: Statement, predating: _Predating) -> Outcome:
    finding = predating.get((statement.name or "", statement.part)) if statement.is_own else None
    if finding is not None:
        # A tokenizer can be an extended one, and a part's weights may have been read amiss.
        sure = statement.part is None
        return Outcome("contradicts" if sure else "cannot_tell", finding.summary)
    match statement.code:
        case "trained_from_scratch" | "own_architecture":
            return of_origin(case, statement)
        case "parameter_size":
            return of_size(case, statement)
        case "based_on" | "part_source":
            return of_source(case, statement.name or "", part=statement.part)


def _claim(statement: Statement) -> str:
    parameters = statement.parameters
    return _CLAIMS[statement.code].format(
        name=statement.name,
        part=PART_NAMES[statement.part] if statement.part else "",
        parameters="" if parameters is None else _size(parameters),
    )


def _size(parameters: float) -> str:
    """Write a number of parameters as people do, 8B."""
    unit, letter = (1e9, "B") if parameters >= 1e9 else (1e6, "M")
    return f"{parameters / unit:,.4g}{letter}"


def _declaration(
    case: Case,
    code: str,
    quote: str,
    claim: str,
    outcome: Outcome,
    *,
    line: int | None = None,
    source: str = CARD,
) -> Declaration:
    return Declaration(
        side=case.party.side,
        source=source,
        line=line,
        quote=_cut(quote),
        code=code,
        claim=_cut(claim),
        measured=_cut(outcome.measured, MEASURED_CHARACTERS),
        outcome=outcome.outcome,
    )


def _line_of(party: Party, line: int | None) -> str | None:
    card = party.documents.card
    if card is None or line is None:
        return None
    return card.split("\n")[line - 1].strip()


def _cut(text: str, characters: int = QUOTE_CHARACTERS) -> str:
    # A lone surrogate of a hostile file could not be written out again.
    clean = text[: characters + 1].encode("utf-8", "replace").decode()
    return clean if len(clean) <= characters else clean[: characters - 1] + "…"


def _unread(party: Party) -> dict[str, str]:
    reasons = {
        CONFIG: party.documents.config_reason,
        CARD: party.documents.card_reason,
        f"{CARD} front matter": "it is no YAML mapping" if party.front_matter.broken else None,
    }
    return {
        f"{party.side} {name}": reason for name, reason in reasons.items() if reason is not None
    }
