"""Verdicts in words: a sentence first, then small tables, for readers outside the field."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from kinprint.cli.failure import one_line
from kinprint.lineage.thresholds import LN_E_CLAIM
from kinprint.lineage.verdict import CLAIMS, Direction, Relation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kinprint.lineage.evidence.record import Comparison
    from kinprint.lineage.verdict import (
        Interval,
        Match,
        Similar,
        TensorPair,
        Transform,
        Verdict,
    )

RENAME_LINES = 5
"""Lines of the rename map shown; ``--json`` gives all."""

_WORDS = {
    Relation.SAME_WEIGHTS: "the same weights",
    Relation.DERIVED: "one set of weights, changed",
    Relation.MERGED: "looks merged from several models",
    Relation.SHARES_PARTS: "whole parts look shared",
    Relation.SHARED_BASE: "both look derived from a third model",
    Relation.RELATED: "related, origin unknown",
    Relation.UNRELATED: "no common origin found",
    Relation.INSUFFICIENT: "nothing can be said",
}

_DIRECTIONS = {
    Direction.REPO_FROM_MATCH: "{repo} is the later one",
    Direction.MATCH_FROM_REPO: "{match} is the later one",
    Direction.UNKNOWN: "unknown (no witness of time tells the two apart)",
}


def console() -> Console:
    """Return the console for results; wide enough not to cut names when piped."""
    piped_width = None if os.isatty(1) else 120
    return Console(width=piped_width, highlight=False)


def show_comparison(out: Console, comparison: Comparison) -> None:
    """Print what ``compare`` found."""
    a = one_line(comparison.a.repo or comparison.a.source)
    b = one_line(comparison.b.repo or comparison.b.source)
    out.print(Text(one_line(comparison.verdict.sentence), style="bold"))
    out.print()
    _show_verdict(out, comparison.verdict, repo=a, match=b)
    _show_limits(out, comparison.verdict)


def show_similar(out: Console, similar: Similar) -> None:
    """Print what ``similar`` found: the sentence, each relative, and what was searched."""
    out.print(Text(one_line(similar.verdict.sentence), style="bold"))
    out.print()
    for match in similar.matches:
        out.print(Text(_match_line(match), style="bold"))
        if match.verdict.sentence != similar.verdict.sentence:
            out.print(Text(one_line(match.verdict.sentence)))
        _show_verdict(out, match.verdict, repo=similar.repo, match=match.repo, first=match.first)
    if not similar.matches and similar.verdict.reason:
        out.print(Text(one_line(similar.verdict.reason)))
        out.print()
    coverage = similar.coverage
    as_of = f" as of {coverage.as_of:%Y-%m-%d %H:%M} UTC" if coverage.as_of else ""
    out.print(Text(f"Searched: {coverage.models:,} models{as_of}.", style="dim"))
    _show_limits(out, similar.verdict.model_copy(update={"coverage": coverage}))


def _match_line(match: Match) -> str:
    declared = ", declared" if match.declared else ""
    return f"{one_line(match.repo)}@{match.revision[:8]}: {_WORDS[match.relation]}{declared}"


def _show_verdict(
    out: Console, verdict: Verdict, *, repo: str, match: str, first: Interval | None = None
) -> None:
    facts = Table(box=None, show_header=False, pad_edge=False)
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column()
    declared = ", and declared so" if verdict.declared else ""
    relation = f"{verdict.relation.value} ({_WORDS[verdict.relation]}{declared})"
    facts.add_row("relation", Text(relation, style="green" if verdict.declared else ""))
    if verdict.reason:
        facts.add_row("why not more", Text(one_line(verdict.reason)))
    if verdict.relation in CLAIMS:
        facts.add_row("direction", _DIRECTIONS[verdict.direction].format(repo=repo, match=match))
        facts.add_row("shared", f"{verdict.shared_fraction:.0%} of the parameters measured")
        facts.add_row(
            "certainty",
            f"score {verdict.score:,.0f} (a claim needs {LN_E_CLAIM}); "
            f"{verdict.groups_for} of {verdict.groups} groups of tensors speak for it",
        )
    if verdict.explained_by:
        facts.add_row("explained by", one_line(verdict.explained_by))
    if first is not None and (first.not_before or first.not_after):
        facts.add_row("match existed", _when(first))
    out.print(facts)
    _show_transforms(out, verdict.transforms)
    _show_renames(out, verdict.rename_map)
    for finding in verdict.findings:
        out.print(Text(f"note: {one_line(finding.summary)}"))
    out.print()


def _show_transforms(out: Console, transforms: Sequence[Transform]) -> None:
    if not transforms:
        return
    table = Table(box=None, pad_edge=False, title="How they differ", title_justify="left")
    table.add_column("change", no_wrap=True)
    table.add_column("in words")
    table.add_column("size", no_wrap=True)
    for transform in transforms:
        table.add_row(transform.name, Text(one_line(transform.summary)), _size(transform))
    out.print()
    out.print(table)


def _size(transform: Transform) -> str:
    figures = transform.figures
    sigma = figures.get("sigma")
    if not isinstance(sigma, float) or sigma <= 0:
        return ""
    low, high = figures.get("sigma_low"), figures.get("sigma_high")
    text = f"σ = {sigma:.4g} ≈ 1/{1 / sigma:,.0f}"
    if isinstance(low, float) and isinstance(high, float):
        text += f"\n95 %: {low:.4g} … {high:.4g}"
    return text


def _show_renames(out: Console, pairs: Sequence[TensorPair]) -> None:
    renamed = [pair for pair in pairs if pair.repo_tensor != pair.match_tensor]
    # Evidence first: vectors only support.
    moved = sorted(renamed, key=lambda pair: pair.support)
    if not moved:
        return
    table = Table(box=None, pad_edge=False, title="Which tensor became which")
    table.title_justify = "left"
    table.add_column("here", overflow="fold")
    table.add_column("there", overflow="fold")
    table.add_column("bits apart", justify="right")
    for pair in moved[:RENAME_LINES]:
        # Names come from strangers' files: escaped, and never read as markup.
        table.add_row(
            Text(one_line(pair.repo_tensor)),
            Text(one_line(pair.match_tensor)),
            f"{pair.hamming_bits} of 128",
        )
    out.print()
    out.print(table)
    if len(moved) > RENAME_LINES:
        out.print(f"… and {len(moved) - RENAME_LINES} more (--json lists all)")


def _when(first: Interval) -> str:
    after = f"not before {first.not_before:%Y-%m-%d}" if first.not_before else ""
    before = f"not after {first.not_after:%Y-%m-%d}" if first.not_after else ""
    return ", ".join(part for part in (after, before) if part)


def _show_limits(out: Console, verdict: Verdict) -> None:
    coverage = verdict.coverage
    for repo, reason in coverage.ancestors_unread.items():
        line = f"Not read: declared ancestor {one_line(repo)} ({one_line(reason)})."
        out.print(Text(line, style="dim"))
    if verdict.relation in CLAIMS:
        says_not = (
            "What this does not say: who was first unless the direction says so, who was allowed "
            "to do what, or that this is the oldest relative there is."
        )
    else:
        says_not = (
            "What this does not say: that there is no relative; only that none was found among "
            "the models compared."
        )
    out.print(Text(says_not, style="dim"))
    if coverage.advice:
        out.print(Text(one_line(coverage.advice), style="dim"))
