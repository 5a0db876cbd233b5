"""The family tree of a comparison: declared and measured parents of both sides."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from kinprint.lineage.evidence.record import LineageTree, TreeNode
from kinprint.lineage.matching import Matching
from kinprint.lineage.parentage import declared_direction, declares
from kinprint.lineage.relation import Circumstances, judge
from kinprint.lineage.verdict import CLAIMS, Coverage, Direction, Relation
from kinprint.lineage.wording import name_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Literal

    from kinprint.fingerprint.record import Fingerprint
    from kinprint.lineage.verdict import Verdict

NOT_MEASURED = "Declared, but no shared weights were found."


@dataclass(frozen=True)
class _Edge:
    """A child's way to one parent."""

    parent: int
    relation: Relation | None
    declared: bool
    transforms: tuple[str, ...] = ()
    reason: str | None = None


def lineage_tree(
    repo: Fingerprint, match: Fingerprint, others: Sequence[Fingerprint], verdict: Verdict
) -> LineageTree:
    """Arrange both sides, the further models and the bases that could not be read as a forest.

    A parent is what a card declares; between the two sides, also what the verdict says in which
    direction; under `shared_base`, the third model. Each edge shows what was measured along it.

    Args:
        repo: The side asked about.
        match: The other side.
        others: Further models that were read, such as declared ancestors.
        verdict: What was claimed of the two.
    """
    members = (repo, match, *others)
    names = [name_of(member) for member in members]
    unread = {
        name: reason
        for name, reason in verdict.coverage.ancestors_unread.items()
        if name not in names
    }
    edges: dict[int, _Edge] = {}
    for child, parent, measure in _edges(members, names, list(unread), verdict):
        if child not in edges and not _is_above(edges, child, parent):
            edges[child] = measure()
    roles: list[Literal["repo", "match", "ancestor", "relative"]] = ["repo", "match"]
    above = {edge.parent for edge in edges.values()}
    roles += ["ancestor" if number in above else "relative" for number in range(2, len(names))]
    nodes = [
        _node(name, member.origin.revision, role, edges.get(number))
        for number, (name, member, role) in enumerate(zip(names, members, roles, strict=True))
    ]
    nodes += [
        TreeNode(name=name, role="ancestor", reason=f"Could not be read: {reason}.")
        for name, reason in unread.items()
    ]
    return LineageTree(nodes=tuple(nodes))


def _edges(
    members: Sequence[Fingerprint], names: Sequence[str], unread: Sequence[str], verdict: Verdict
) -> Iterator[tuple[int, int, Callable[[], _Edge]]]:
    """Yield (child, parent, how to measure along it), the more certain edges of a child first."""
    # Of the two sides time and cards have decided together; two cards may name each other.
    pair = {
        Direction.REPO_FROM_MATCH: (0, 1),
        Direction.MATCH_FROM_REPO: (1, 0),
        Direction.UNKNOWN: None,
    }[_pair_direction(members, verdict)]
    for child, member in enumerate(members):
        for parent, other in enumerate(members):
            if child == parent or not declares(member, other):
                continue
            if {child, parent} != {0, 1}:
                yield child, parent, _lazily(members, child, parent, declared=True)
            elif (child, parent) == pair:
                yield child, parent, partial(_edge, parent, verdict, declared=True)
    if pair is not None and verdict.relation in CLAIMS:
        child, parent = pair
        yield child, parent, partial(_edge, parent, verdict, declared=verdict.declared)
    if verdict.relation is Relation.SHARED_BASE and verdict.explained_by in names:
        base = names.index(verdict.explained_by)
        for child in (0, 1):
            declared = declares(members[child], members[base])
            yield child, base, _lazily(members, child, base, declared=declared)
    first_unread: Mapping[str, int] = {
        name.lower(): len(members) + number for number, name in enumerate(unread)
    }
    for child, member in enumerate(members):
        for name in member.origin.declared_bases:
            if name.lower() in first_unread:
                parent = first_unread[name.lower()]
                yield child, parent, partial(_Edge, parent, relation=None, declared=True)


def _pair_direction(members: Sequence[Fingerprint], verdict: Verdict) -> Direction:
    if verdict.direction is not Direction.UNKNOWN:
        return verdict.direction
    return declared_direction(members[0], members[1])


def _lazily(
    members: Sequence[Fingerprint], child: int, parent: int, *, declared: bool
) -> Callable[[], _Edge]:
    """Measure an edge only once it is kept: strangers' cards may name many."""
    return lambda: _edge(parent, _along(members, child, parent), declared=declared)


def _edge(parent: int, along: Verdict, *, declared: bool) -> _Edge:
    return _Edge(
        parent,
        relation=along.relation,
        declared=declared,
        transforms=tuple(each.name for each in along.transforms),
        reason=along.reason if along.relation in CLAIMS else NOT_MEASURED,
    )


def _along(members: Sequence[Fingerprint], child: int, parent: int) -> Verdict:
    """Measure a child against one parent."""
    declared = declares(members[child], members[parent])
    return judge(
        Matching(members[child], members[parent]),
        n_revisions=len(members),
        circumstances=Circumstances(
            coverage=Coverage(models=len(members)),
            by_card=Direction.REPO_FROM_MATCH if declared else Direction.UNKNOWN,
            declared=declared,
            declared_directly=declared,
        ),
    )


def _is_above(edges: Mapping[int, _Edge], child: int, parent: int) -> bool:
    """Whether the child already stands above its new parent: two cards may name each other."""
    at: int | None = parent
    while at is not None:
        if at == child:
            return True
        at = edges[at].parent if at in edges else None
    return False


def _node(
    name: str,
    revision: str | None,
    role: Literal["repo", "match", "ancestor", "relative"],
    edge: _Edge | None,
) -> TreeNode:
    if edge is None:
        return TreeNode(name=name, revision=revision, role=role)
    return TreeNode(
        name=name,
        revision=revision,
        role=role,
        parent=edge.parent,
        relation=edge.relation,
        declared=edge.declared,
        transforms=edge.transforms,
        reason=edge.reason,
    )
