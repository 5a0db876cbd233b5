"""The rename map as a few patterns that hold without exception, and the pairs they leave.

A key is a path of dotted parts. Where all pairs below one path keep the rest of their keys, the
rule is a change of beginning, ``llm.{…} ← {…}``; beginnings that differ only in numbers become one
rule with variables. Pairs that go against their kind (a swap inside a layer) are exceptions; they
are found by counting, before any rule is made, so that one of them spoils no rule.

Patterns: ``{n}`` is a number without leading zeros, ``{n=3…9}`` one within these bounds, ``{n+2}``
on the match's side that number plus two, ``{…}`` the same rest of the key on both sides; a brace
of a key is written twice.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kinprint.lineage.evidence.record import RenameRule
from kinprint.lineage.evidence.weights.keys import (
    MAX_NUMBERS,
    ROOT,
    KeyTree,
    quoted,
    without_digits,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kinprint.lineage.verdict import TensorPair

_CUSTOM = 3
"""So few tensors against a more frequent custom of their kind are exceptions to it, not a rule
(a weight and its bias are two)."""

_MAX_SPLITS = 6
"""Ranges within ranges that one kind of key is split into; beyond, each beginning stands alone."""

_LETTERS = "nmkjih"[:MAX_NUMBERS]

_MIXED = -1
"""In place of a node: below it, the keys do not all change in one way."""

Source = tuple[int | None, int]
"""Where a number of the match's key comes from: (place in the repo's key, plus how much), or
(None, the number itself)."""


@dataclass(frozen=True)
class _Walk:
    """One pair of the rename map as two paths."""

    place: int
    repo: tuple[int, ...]
    match: tuple[int, ...]


@dataclass
class _Beginning:
    """Keys that begin alike and change in one way.

    Attributes:
        match: Node of the match's keys that corresponds.
        places: The pairs, by place in the rename map.
        rest: What follows in all of these keys; None if that differs.
    """

    match: int
    places: list[int]
    rest: tuple[str, ...] | None


@dataclass(frozen=True)
class _Item:
    """A node that a rule of its kind may cover (``how`` given) or must leave out (None)."""

    node: int
    numbers: tuple[int, ...]
    how: tuple[int, tuple[Source, ...]] | None


Box = tuple[dict[int, tuple[int, int]], list[_Item]]
"""Items that change in one way, and the bounds on their numbers that keep others out."""


def rename_rules(
    rename_map: Sequence[TensorPair],
) -> tuple[tuple[RenameRule, ...], tuple[TensorPair, ...]]:
    """Return rules, those that cover most first, and the pairs that none covers.

    Every pair that is no exception is counted by one rule, no other rule's pattern fits its key,
    and the rule gives exactly its partner.

    Args:
        rename_map: Pairs in any order; a repo key that occurs twice is an exception.
    """
    repo, match = KeyTree(), KeyTree()
    walks = [
        _Walk(place, repo.add(pair.repo_tensor), match.add(pair.match_tensor))
        for place, pair in enumerate(rename_map)
    ]
    odd = _against_custom(walks, repo, match)
    beginnings, used = _beginnings([walk for walk in walks if walk.place not in odd], repo, match)
    alike = Counter(without_digits(pair.repo_tensor) for pair in rename_map)
    rules: list[RenameRule] = []
    for bounds, items in _boxes_of_all(beginnings, used, repo, match):
        members = [beginnings[item.node] for item in items]
        places = [place for member in members for place in member.places]
        if len(places) > 1:
            mine, theirs = _patterns(repo, match, bounds, items, members)
        else:
            pair = rename_map[places[0]]
            if alike[without_digits(pair.repo_tensor)] > 1:
                odd.add(places[0])
                continue
            mine, theirs = quoted(pair.repo_tensor), quoted(pair.match_tensor)
        rules.append(RenameRule(repo_pattern=mine, match_pattern=theirs, tensors=len(places)))
    rules.sort(key=lambda rule: (-rule.tensors, rule.repo_pattern))
    return tuple(rules), tuple(rename_map[place] for place in sorted(odd))


def _against_custom(walks: Sequence[_Walk], repo: KeyTree, match: KeyTree) -> set[int]:
    """Places of the pairs that are named or numbered unlike most of their kind."""
    by_key: dict[int, list[_Walk]] = defaultdict(list)
    by_kinds: dict[tuple[int, int], list[_Walk]] = defaultdict(list)
    commonest: Counter[int] = Counter()
    for walk in walks:
        by_key[walk.repo[-1]].append(walk)
        by_kinds[repo.kind[walk.repo[-1]], match.kind[walk.match[-1]]].append(walk)
    for (kind, _), members in by_kinds.items():
        commonest[kind] = max(commonest[kind], len(members))
    odd = {walk.place for same in by_key.values() if len(same) > 1 for walk in same}
    shifted: list[tuple[_Walk, tuple[Source, ...], tuple[Source, ...]]] = []
    votes: Counter[tuple[int, tuple[int, ...]]] = Counter()
    for (kind, _), members in by_kinds.items():
        if len(members) < min(_CUSTOM, commonest[kind]):
            odd |= {walk.place for walk in members}
            continue
        numbers = [(repo.numbers[w.repo[-1]], match.numbers[w.match[-1]]) for w in members]
        sources = _sources(numbers)
        hows = [_how(sources, mine, theirs) for mine, theirs in numbers]
        counts = Counter(hows)
        usual, most = counts.most_common(1)[0]
        for walk, how in zip(members, hows, strict=True):
            votes.update(_votes(walk, how, repo))
            if counts[how] < min(_CUSTOM, most):
                shifted.append((walk, how, usual))
    for walk, how, usual in shifted:
        unusual = {mine[0] for mine, most in zip(how, usual, strict=True) if mine != most}
        support = [
            votes[vote]
            for vote in _votes(walk, how, repo)
            if not unusual.isdisjoint(repo.own_numbers(vote[0]))
        ]
        if min(support, default=0) < _CUSTOM:
            odd.add(walk.place)
    return odd


def _votes(
    walk: _Walk, how: tuple[Source, ...], repo: KeyTree
) -> Iterator[tuple[int, tuple[int, ...]]]:
    """For each numbered part of the key (a layer, an expert), the number it takes in the match."""
    numbers = repo.numbers[walk.repo[-1]]
    for node in walk.repo[1:-1]:
        own = repo.own_numbers(node)
        if own:
            yield (
                node,
                tuple(
                    numbers[source] + plus
                    for source, plus in how
                    if source is not None and source in own
                ),
            )


def _sources(
    numbers: Sequence[tuple[tuple[int, ...], tuple[int, ...]]],
) -> tuple[int | None, ...]:
    """Which number of the repo's key each number of the match's follows; None if it is constant.

    The one is taken whose difference takes fewest values, of several the one in the same place.
    """
    mine, theirs = numbers[0]
    chosen: list[int | None] = []
    for place in range(len(theirs)):
        column = [each[1][place] for each in numbers]
        if len(set(column)) == 1 or not mine:
            chosen.append(None)
            continue
        spread = [
            len({value - each[0][source] for value, each in zip(column, numbers, strict=True)})
            for source in range(len(mine))
        ]
        ranked = [(values, abs(source - place), source) for source, values in enumerate(spread)]
        chosen.append(min(ranked)[-1])
    return tuple(chosen)


def _how(
    sources: tuple[int | None, ...], mine: tuple[int, ...], theirs: tuple[int, ...]
) -> tuple[Source, ...]:
    return tuple(
        (source, value if source is None else value - mine[source])
        for source, value in zip(sources, theirs, strict=True)
    )


def _beginnings(
    walks: Sequence[_Walk], repo: KeyTree, match: KeyTree
) -> tuple[dict[int, _Beginning], list[int]]:
    """Return the shortest beginnings below which all keys change in one way, and all nodes used."""
    target: dict[int, int] = {}
    for walk in walks:
        length, other = len(walk.repo), len(walk.match)
        kept = _common_parts(walk, repo, match)
        target[walk.repo[-1]] = walk.match[-1]
        # The path's last two nodes are the whole key, open and closed; only the closed one is used.
        for back in range(3, length + 1):
            node = walk.repo[length - back]
            there = walk.match[other - back] if back - 2 <= kept else _MIXED
            target[node] = there if target.get(node, there) == there else _MIXED
    found: dict[int, _Beginning] = {}
    for walk in walks:
        path = (*walk.repo[:-2], walk.repo[-1])
        depth = next(depth for depth, node in enumerate(path) if target[node] != _MIXED)
        node = path[depth]
        rest = tuple(str(repo.part[after]) for after in walk.repo[depth + 1 : -1])
        if node not in found:
            found[node] = _Beginning(target[node], [], rest)
        elif found[node].rest != rest:
            found[node].rest = None
        found[node].places.append(walk.place)
    return found, list(target)


def _common_parts(walk: _Walk, repo: KeyTree, match: KeyTree) -> int:
    """How many dotted parts the two keys have in common at their ends."""
    kept = 0
    for mine, theirs in zip(walk.repo[-2:0:-1], walk.match[-2:0:-1], strict=False):
        if repo.part[mine] != match.part[theirs]:
            break
        kept += 1
    return kept


def _boxes_of_all(
    beginnings: Mapping[int, _Beginning], used: Sequence[int], repo: KeyTree, match: KeyTree
) -> Iterator[Box]:
    kinds = {repo.kind[node] for node in beginnings}
    nodes_of: dict[int, list[int]] = defaultdict(list)
    for node in used:
        if repo.kind[node] in kinds:
            nodes_of[repo.kind[node]].append(node)
    for nodes in nodes_of.values():
        yield from _boxes(_items(nodes, beginnings, repo, match), {}, _MAX_SPLITS)


def _items(
    nodes: Sequence[int], beginnings: Mapping[int, _Beginning], repo: KeyTree, match: KeyTree
) -> list[_Item]:
    by_kind: dict[int, list[int]] = defaultdict(list)
    for node in nodes:
        if node in beginnings:
            by_kind[match.kind[beginnings[node].match]].append(node)
    items = [_Item(node, repo.numbers[node], None) for node in nodes if node not in beginnings]
    for kind, members in by_kind.items():
        numbers = [(repo.numbers[n], match.numbers[beginnings[n].match]) for n in members]
        sources = _sources(numbers)
        for node, (mine, theirs) in zip(members, numbers, strict=True):
            items.append(_Item(node, mine, (kind, _how(sources, mine, theirs))))
    return items


def _boxes(items: list[_Item], bounds: dict[int, tuple[int, int]], splits: int) -> Iterator[Box]:
    """Split items along their numbers until each part changes in one way."""
    if len({item.how for item in items}) == 1:
        if items[0].how is not None:
            yield bounds, items
        return
    if not splits:
        yield from ((bounds, [item]) for item in items if item.how is not None)
        return
    ways = [(place, _runs(items, place)) for place in range(len(items[0].numbers))]
    several = [way for way in ways if len(way[1]) > 1]
    if several:
        place, runs = min(several, key=lambda way: len(way[1]))
    else:
        place = min(
            (place for place, _ in ways if len({item.numbers[place] for item in items}) > 1),
            key=lambda place: len({item.numbers[place] for item in items}),
        )
        runs = list(_by_value(items, place).values())
    for run in runs:
        values = [item.numbers[place] for item in run]
        yield from _boxes(run, {**bounds, place: (min(values), max(values))}, splits - 1)


def _by_value(items: Sequence[_Item], place: int) -> dict[int, list[_Item]]:
    values: dict[int, list[_Item]] = defaultdict(list)
    for item in items:
        values[item.numbers[place]].append(item)
    return dict(sorted(values.items()))


def _runs(items: Sequence[_Item], place: int) -> list[list[_Item]]:
    """Items by neighbouring values of one number between which nothing changes."""
    runs: list[list[_Item]] = []
    before: set[object] | None = None
    for members in _by_value(items, place).values():
        hows: set[object] = {item.how for item in members}
        if hows == before:
            runs[-1] += members
        else:
            runs.append(members)
        before = hows
    return runs


def _patterns(
    repo: KeyTree,
    match: KeyTree,
    bounds: Mapping[int, tuple[int, int]],
    items: Sequence[_Item],
    members: Sequence[_Beginning],
) -> tuple[str, str]:
    first = items[0]
    letters: dict[int, str] = {}
    written = [str(number) for number in first.numbers]
    for place in range(len(written)):
        if any(item.numbers[place] != first.numbers[place] for item in items):
            letter = letters[place] = _LETTERS[len(letters)]
            low, high = bounds.get(place, (None, None))
            written[place] = f"{{{letter}}}" if low is None else f"{{{letter}={low}…{high}}}"
    theirs = []
    for source, plus in first.how[1] if first.how is not None else ():
        if source is None:
            theirs.append(str(plus))
        elif source in letters:
            theirs.append(f"{{{letters[source]}{f'{plus:+d}' if plus else ''}}}")
        else:
            theirs.append(str(first.numbers[source] + plus))
    rests = {member.rest for member in members}
    rest = next(iter(rests)) if len(rests) == 1 else None
    ending = "{…}" if rest is None else ".".join(quoted(part) for part in rest)
    return (
        _joined(repo, first.node, repo.pattern(first.node, written), ending),
        _joined(match, members[0].match, match.pattern(members[0].match, theirs), ending),
    )


def _joined(tree: KeyTree, node: int, beginning: str, ending: str) -> str:
    if tree.is_closing(node):
        return beginning
    return ending if node == ROOT else f"{beginning}.{ending}"
