"""The repo's modules by where they come from: vision tower, projector, language model.

Modules are cut by the keys, for display; where each comes from is claimed of its tensors alone,
by the same e-value as of a whole model, and never more than is claimed of the whole.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from kinprint.lineage.change import change_of
from kinprint.lineage.claim import claim
from kinprint.lineage.differences import differences
from kinprint.lineage.evidence.record import ModuleOrigin
from kinprint.lineage.evidence.weights.counterparts import counterparts
from kinprint.lineage.evidence.weights.keys import ROOT, KeyTree
from kinprint.lineage.matching import view_groups
from kinprint.lineage.thresholds import MIN_GROUPS_FOR
from kinprint.lineage.verdict import CLAIMS, Direction, Relation
from kinprint.lineage.wording import name_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from kinprint.fingerprint.record import Fingerprint
    from kinprint.lineage.matching import Matching, Pair

_MAX_MODULES = 24
"""More modules than this tell a reader nothing; a part with more children stays whole."""

_MIN_LAYERS = 3
"""A part with so many numbered children is a stack of layers, never cut further."""

_HALF = 0.5
"""A part is cut where its origin explains less than this share of one of its children."""

_CHANGED = frozenset({Relation.DERIVED, Relation.MERGED, Relation.SHARED_BASE})
"""What a changed module may be called if the whole pair is; else it is ``related``."""


@dataclass(frozen=True)
class _Known:
    """A model that the repo matches.

    Attributes:
        name: What to call it.
        matching: The repo compared with it.
        pairs: The accepted pairs by row of the repo's evidence views.
        matched: bool (rows,), whether the view has a counterpart, copies of a layer included.
        bits: uint8 (rows,), its folded distance.
        parameters: Evidence parameters of the model.
        changed: What a module with changed values is to that of the model.
        whole: What the verdict says of the whole pair, if it was given.
    """

    name: str
    matching: Matching
    pairs: dict[int, Pair]
    matched: NDArray[np.bool_]
    bits: NDArray[np.uint8]
    parameters: int
    changed: Relation
    whole: Relation | None


@dataclass(frozen=True)
class _Repo:
    """The repo's evidence views, one row each.

    Attributes:
        parameters: int64 (rows,).
        groups: intp (rows,), number of the group of views that count as one.
    """

    parameters: NDArray[np.int64]
    groups: NDArray[np.intp]


def module_origins(
    matching: Matching,
    others: Sequence[tuple[str, Matching]] = (),
    *,
    relation: Relation | None = None,
) -> tuple[ModuleOrigin, ...]:
    """Return the repo's modules, in the order of the checkpoint, with the origin of each.

    Args:
        matching: The repo compared with the main match.
        others: Further models by name, each with the same repo compared with it.
        relation: What the verdict claims of the main match; ``related`` unless given, if the
            weights match at all.
    """
    query = matching.query
    repo = _Repo(_parameters(query, matching.query_views), view_groups(query))
    known = _known(repo, matching, others, relation)
    parts = _Parts([query.views[view].name for view in matching.query_views], repo, known)
    modules = parts.modules()
    n_claims = (1 + len(others)) * len(modules)
    return tuple(_origin(parts.prefix(node), rows, repo, known, n_claims) for node, rows in modules)


def _known(
    repo: _Repo,
    matching: Matching,
    others: Sequence[tuple[str, Matching]],
    relation: Relation | None,
) -> list[_Known]:
    """The models of which common origin with the repo is claimed."""
    found: list[_Known] = []
    everyone = [(name_of(matching.candidate), matching), *others]
    for place, (name, each) in enumerate(everyone):
        holds = claim(each.view_ln_e, repo.groups, n_revisions=len(everyone)).holds
        said = relation if place == 0 else None
        if not (holds if said is None else said in CLAIMS):
            continue
        row_of = {int(view): row for row, view in enumerate(each.query_views)}
        pairs = {row_of[pair.query]: pair for pair in each.accepted}
        matched = np.zeros(len(row_of), np.bool_)
        bits = np.zeros(len(row_of), np.uint8)
        for found_view in reversed(counterparts(each)):  # accepted pairs come first and stand
            row = row_of[found_view.repo]
            matched[row], bits[row] = True, found_view.hamming_bits
        changed = Relation.RELATED if said is None or said not in _CHANGED else said
        size = int(_parameters(each.candidate, each.candidate_views).sum())
        found.append(_Known(name, each, pairs, matched, bits, size, changed, said))
    return found


def _parameters(fingerprint: Fingerprint, views: NDArray[np.intp]) -> NDArray[np.int64]:
    facts = [fingerprint.views[view] for view in views]
    return np.array([fact.rows * fact.cols for fact in facts], np.int64)


class _Parts:
    """The tree of the repo's keys, cut into modules."""

    def __init__(self, names: Sequence[str], repo: _Repo, known: Sequence[_Known]) -> None:
        self._tree = KeyTree()
        self._repo = repo
        self._known = known
        self._rows: dict[int, list[int]] = defaultdict(list)
        self._children: dict[int, dict[int, None]] = defaultdict(dict)
        for row, name in enumerate(names):
            path = self._tree.add(name)[:-1]
            for parent, child in pairwise(path):
                self._children[parent][child] = None
            for node in path:
                self._rows[node].append(row)
        self._stacks = self._count_stacks()

    def prefix(self, node: int) -> str:
        """What all keys of a part begin with."""
        return self._tree.path(node)

    def modules(self) -> list[tuple[int, NDArray[np.intp]]]:
        """Return nodes and their rows, in the order of their first rows; all rows, once each."""
        if not self._rows:
            return []
        open_nodes = [ROOT]
        done: list[int] = []
        while open_nodes:
            node = open_nodes.pop(0)
            children = self._cut(node)
            if children and len(open_nodes) + len(done) + len(children) <= _MAX_MODULES:
                open_nodes += children
            else:
                done.append(node)
        done.sort(key=lambda node: self._rows[node][0])
        return [(node, np.array(self._rows[node], np.intp)) for node in done]

    def _count_stacks(self) -> dict[int, int]:
        """Stacks of layers below each node, none counted inside another."""
        stacks: dict[int, int] = {}
        for node in sorted(self._rows, reverse=True):  # children come after their parents
            children = self._children[node]
            if self._most_numbered(children) >= _MIN_LAYERS:
                stacks[node] = 1
            else:
                stacks[node] = sum(stacks[child] for child in children)
        return stacks

    def _most_numbered(self, children: Iterable[int]) -> int:
        """How many children differ in a number alone."""
        tree = self._tree
        alike = Counter(tree.kind[child] for child in children if tree.own_numbers(child))
        return max(alike.values(), default=0)

    def _cut(self, node: int) -> list[int]:
        """The children that are to be shown instead of a part; none if it is a module."""
        while True:
            children = list(self._children[node])
            if self._most_numbered(children) > 1:
                return []
            if len(children) != 1:
                break
            node = children[0]
        if not children or len(children) > _MAX_MODULES:
            return []
        if self._stacks[node] > 1:
            return children
        whole = self._shares(node)
        if not len(whole):
            return []
        best = int(whole.argmax())
        shares = [self._shares(child) for child in children]
        if whole[best] >= _HALF:
            differs = any(share[best] < _HALF for share in shares)
        else:
            differs = any(share.max() >= _HALF for share in shares)
        return children if differs else []

    def _shares(self, node: int) -> NDArray[np.float64]:
        """float64 (known,): share of the part's parameters that each known model matches."""
        rows = self._rows[node]
        parameters = self._repo.parameters[rows]
        total = parameters.sum()
        return np.array([parameters[each.matched[rows]].sum() / total for each in self._known])


def _origin(
    module: str,
    rows: NDArray[np.intp],
    repo: _Repo,
    known: Sequence[_Known],
    n_claims: int,
) -> ModuleOrigin:
    parameters = repo.parameters[rows]
    total = int(parameters.sum())
    groups = np.unique(repo.groups[rows], return_inverse=True)[1]
    nearest = max(
        (each for each in known if each.matched[rows].any()),
        key=lambda each: _closeness(each, rows, parameters),
        default=None,
    )
    if nearest is None:
        told = len(np.unique(groups)) >= MIN_GROUPS_FOR
        return ModuleOrigin(
            module=module,
            tensors=len(rows),
            parameters=total,
            matched=0.0,
            origin=None,
            relation=Relation.UNRELATED if told else Relation.INSUFFICIENT,
        )
    matched = nearest.matched[rows]
    holds = claim(nearest.matching.view_ln_e[rows], groups, n_revisions=n_claims).holds
    return ModuleOrigin(
        module=module,
        tensors=len(rows),
        parameters=total,
        matched=int(parameters[matched].sum()) / total,
        origin=nearest.name,
        relation=_relation(nearest, rows) if holds else Relation.INSUFFICIENT,
        median_bits=float(np.median(nearest.bits[rows[matched]])),
    )


def _closeness(
    known: _Known, rows: NDArray[np.intp], parameters: NDArray[np.int64]
) -> tuple[int, float, int]:
    """What explains most; of equals the nearest; of those the smallest model, a lone tower."""
    matched = known.matched[rows]
    median_bits = float(np.median(known.bits[rows[matched]]))
    return int(parameters[matched].sum()), -median_bits, -known.parameters


def _relation(known: _Known, rows: NDArray[np.intp]) -> Relation:
    if known.whole is not None and len(rows) == len(known.matched):
        return known.whole
    pairs = [known.pairs[row] for row in rows.tolist() if row in known.pairs]
    query, candidate = known.matching.query, known.matching.candidate
    change = change_of(
        query, candidate, differences(query, candidate, pairs), direction=Direction.UNKNOWN
    )
    if not change.untouched:
        return known.changed
    return Relation.SAME_WEIGHTS if len(pairs) == len(rows) else Relation.SHARES_PARTS
