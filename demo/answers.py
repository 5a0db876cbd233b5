"""What an answer says, in plain words, and whether it says what is true of the cast."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from demo.cast import SIGMA, foreign_name

if TYPE_CHECKING:
    from rich.console import Console

Answer = dict[str, Any]
Check = Callable[[Answer, str], list[str]]

_RENAMES_SHOWN = 6
_HALF_WIDTH = 0.02
_DIRECTIONS = {
    "repo_from_match": "the asked one came later",
    "match_from_repo": "the match came later",
    "unknown": "who was first is not known",
}


def print_answer(console: Console, answer: Answer) -> None:
    """Print relation, direction, transforms and the rename map of each match."""
    verdict, coverage = answer["verdict"], answer["coverage"]
    console.print(f"[bold]{verdict['relation']}[/] – {escape(verdict['sentence'])}")
    for match in answer["matches"]:
        _print_match(console, match)
    console.print(f"[dim]Compared with {coverage['models']} models in the index.[/]")


def print_bytes(console: Console, bytes_read: int, bytes_stored: int) -> None:
    """Print what was fetched beside what the checkpoint holds."""
    console.print(
        f"bytes read {bytes_read:,} of {bytes_stored:,} stored ({bytes_read / bytes_stored:.1%})"
    )


def copy_is_found(answer: Answer, original: str) -> list[str]:
    """The copy comes from the original; renames right, σ right and narrow."""
    if not answer["matches"]:
        return ["the original was not found"]
    match = answer["matches"][0]
    found = _transforms(match)
    wrong = _differences(
        match,
        repo=original,
        relation="derived",
        direction="repo_from_match",
        declared=False,
    )
    if set(found) != {"renamed", "cast", "noised"}:
        wrong.append(f"transforms are {', '.join(found)}")
    pairs = [pair for pair in match["verdict"]["rename_map"] if not pair["support"]]
    mistaken = [p for p in pairs if p["repo_tensor"] != foreign_name(p["match_tensor"])]
    if mistaken or not pairs:
        wrong.append(f"{len(mistaken)} of {len(pairs)} tensors are paired with a wrong one")
    if "noised" in found:
        figures = found["noised"]["figures"]
        low, sigma, high = (figures[name] for name in ("sigma_low", "sigma", "sigma_high"))
        if not low <= SIGMA <= high:
            wrong.append(f"the interval of σ, {low:.6f} to {high:.6f}, misses 1/708")
        if max(sigma - low, high - sigma) > _HALF_WIDTH * sigma:
            wrong.append(f"the interval of σ, {low:.6f} to {high:.6f}, is wider than ±2 %")
    return wrong


def child_is_declared(answer: Answer, original: str) -> list[str]:
    """The child comes from the original and says so; nothing is held against it."""
    if not answer["matches"]:
        return ["the declared base was not found"]
    match = answer["matches"][0]
    wrong = _differences(
        match, repo=original, relation="derived", direction="repo_from_match", declared=True
    )
    wrong += [
        f"called {other['relation']} of {other['repo']}"
        for other in answer["matches"][1:]
        if other["relation"] not in ("related", "shared_base")
    ]
    return wrong


def stranger_is_left_alone(answer: Answer, _original: str) -> list[str]:
    """Nothing is claimed of the stranger."""
    wrong = _differences(answer["verdict"], relation="unrelated")
    return wrong + [f"matched with {match['repo']}" for match in answer["matches"]]


def nothing_older_is_known(answer: Answer, _original: str) -> list[str]:
    """The original is not said to come from anything."""
    return [
        f"said to come from {match['repo']}"
        for match in answer["matches"]
        if match["direction"] == "repo_from_match"
    ]


def _print_match(console: Console, match: Answer) -> None:
    verdict = match["verdict"]
    standing = "[green]declared[/]" if match["declared"] else "not declared"
    console.print(
        f"\n  {match['relation']} ↔ [bold]{match['repo']}[/], {standing}; "
        f"{_DIRECTIONS[match['direction']]}; {match['shared_fraction']:.0%} of the parameters "
        f"compared match; score {match['score']:,.0f} (a claim needs 21)"
    )
    if verdict["reason"]:
        console.print(f"  why not more: {escape(verdict['reason'])}")
    for transform in match["transforms"]:
        console.print(f"  · {transform['name']}: {escape(transform['summary'])}")
    pairs = [pair for pair in verdict["rename_map"] if not pair["support"]]
    moved = [pair for pair in pairs if pair["repo_tensor"] != pair["match_tensor"]]
    for pair in moved[:_RENAMES_SHOWN]:
        console.print(
            f"    {escape(pair['repo_tensor'])} is {escape(pair['match_tensor'])} "
            f"({pair['hamming_bits']} of 256 bits apart)"
        )
    if len(moved) > _RENAMES_SHOWN:
        console.print(f"    … and {len(moved) - _RENAMES_SHOWN} more")


def _transforms(match: Answer) -> dict[str, Answer]:
    return {transform["name"]: transform for transform in match["transforms"]}


def _differences(found: Answer, **expected: object) -> list[str]:
    return [
        f"{name} is {found[name]!r}, not {value!r}"
        for name, value in expected.items()
        if found[name] != value
    ]
