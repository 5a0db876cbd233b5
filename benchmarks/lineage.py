"""How often lineage is right on really trained small transformers; every miss is listed.

Each case asks an index one question, as ``/similar`` does: models that were there before, and one
that came five days later. Nothing is told but the weights and, where it says so, the cards.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors.torch import save_file

from benchmarks.lineage_zoo import Zoo, zoo
from benchmarks.table import print_table
from kinprint.checkpoints.local import LocalCheckpoint
from kinprint.checkpoints.tensors import Visibility
from kinprint.fingerprint.take import take
from kinprint.index.store import Index
from kinprint.lineage.similar import similar
from kinprint.lineage.verdict import Relation
from real import variants

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from kinprint.fingerprint.record import Fingerprint
    from kinprint.lineage.verdict import Match, Similar
    from real.variants import Weights

DAY_0 = datetime(2026, 1, 1, tzinfo=UTC)
DAY_5 = DAY_0 + timedelta(days=5)
SIGMA = 1 / 708
MERGES = 20
COEFFICIENT = 0.02
AT_MOST_RELATED = frozenset({Relation.RELATED, Relation.UNRELATED, Relation.SHARED_BASE})
BASE = "acme/base"


@dataclass(frozen=True)
class Told:
    """One thing that was asked, and whether the answer was right."""

    subject: str
    what: str
    right: bool
    said: str


def main() -> None:
    """Ask everything with and without the base in the index; print shares and misses."""
    torch.set_num_threads(1)
    models = zoo()
    told: list[Told] = []
    for has_base in (True, False):
        label = "base indexed" if has_base else "base unknown"
        with _index(models, has_base=has_base) as index:
            told += (replace(each, what=f"{each.what} ({label})") for each in _asked(index, models))
    told += _transforms(models)
    groups: dict[tuple[str, str], list[Told]] = defaultdict(list)
    for each in told:
        groups[each.subject, each.what].append(each)
    print_table(
        "Lineage of really trained small transformers",
        ("what", "of what", "right", "of", "share"),
        (
            (what, subject, right, len(group), f"{right / len(group):.1%}")
            for (subject, what), group in groups.items()
            for right in (sum(each.right for each in group),)
        ),
    )
    print_table(
        "Every miss",
        ("what", "of what", "said"),
        ((each.what, each.subject, each.said) for each in told if not each.right),
    )


def _asked(index: Index, models: Zoo) -> Iterator[Told]:
    known = {f"bo/child-{n}": weights for n, weights in enumerate(models.children)}
    for repo, weights in known.items():
        copy = {f"llm.{name}": t for name, t in variants.noised(weights, SIGMA).items()}
        answer = _ask(index, copy, "eve/copy")
        first = answer.matches[0] if answer.matches else None
        yield Told("noised copies", "relation", _is(first, Relation.DERIVED), _said(first))
        yield Told(
            "noised copies", "true parent first", _is(first, repo=repo), f"{repo}: {_said(first)}"
        )
        yield _none_claims("noised copies", "no sibling called a parent", answer, but=repo)
    for n, weights in enumerate(models.chain):
        yield _none_claims("fine-tunes, undeclared", "relation", _ask(index, weights, f"di/c{n}"))
    for n, weights in enumerate(models.adapted):
        answer = _ask(index, weights, f"di/adapted-{n}")
        yield _none_claims("adapters merged in, undeclared", "relation", answer)
        if index.find(BASE) is not None:
            declared = _ask(index, weights, f"di/adapted-{n}", bases=(BASE,))
            first = next((each for each in declared.matches if each.repo == BASE), None)
            right = _is(first, Relation.DERIVED) and first is not None and first.declared
            yield Told("adapters merged in, declared", "relation", right, _said(first))
    for n, weights in enumerate(models.strangers):
        answer = _ask(index, weights, f"cy/stranger-{n}")
        yield Told("other seeds", "relation", not answer.matches, answer.verdict.relation)
    yield _none_claims("one seed, other data", "relation", _ask(index, models.twins[1], "cy/twin"))
    chance = torch.Generator().manual_seed(0)
    for number in range(MERGES):
        yield from _merge(index, known, chance, parents=2 + number % 4)


def _merge(
    index: Index, known: Mapping[str, Weights], chance: torch.Generator, *, parents: int
) -> Iterator[Told]:
    repos = list(known)
    chosen = [repos[row] for row in torch.randperm(len(repos), generator=chance)[:parents]]
    shares = torch.rand(parents, generator=chance) + 0.3
    true = dict(zip(chosen, (shares / shares.sum()).tolist(), strict=True))
    mixed = {
        name: sum((true[repo] * known[repo][name] for repo in chosen), torch.zeros_like(value))
        if value.is_floating_point()
        else value
        for name, value in known[chosen[0]].items()
    }
    answer = _ask(index, mixed, "eve/merge")
    merged = next(
        (t for each in answer.matches for t in each.transforms if t.name == "merged"), None
    )
    figures = {} if merged is None else merged.figures
    found = {
        str(figures[f"parent_{n}"]): float(figures[f"coefficient_{n}"])
        for n in range(1, 6)
        if f"parent_{n}" in figures
    }
    subject = f"merges of {parents}"
    said = ", ".join(f"{repo} {share:.3f}" for repo, share in found.items()) or "no mixture"
    yield Told(subject, "parents", set(found) == set(true), f"{true}: {said}")
    if set(found) == set(true):
        error = max(abs(found[repo] - true[repo]) for repo in true)
        yield Told(subject, f"coefficients within {COEFFICIENT}", error <= COEFFICIENT, f"{error}")
        relations = {each.relation for each in answer.matches if each.repo in true}
        yield Told(subject, "relation", relations == {Relation.MERGED}, str(relations))


def _transforms(models: Zoo) -> Iterator[Told]:
    children = models.children[:10]
    changed: Mapping[str, Callable[[Weights], Weights]] = {
        "renamed": lambda w: {f"llm.{name}": t for name, t in w.items()},
        "cast": lambda w: variants.cast_to(w, torch.bfloat16),
        "noised": lambda w: variants.noised(w, SIGMA),
        "quantised": variants.int8_per_row,
        "pruned": lambda w: variants.pruned(w, 0.3),
    }
    for number, child in enumerate(children):
        for name, change in changed.items():
            with _index_of({f"bo/child-{number}": (child, ())}) as index:
                answer = _ask(index, change(_floats(child)), "eve/changed")
            names = {t.name for t in answer.matches[0].transforms} if answer.matches else set()
            yield Told(name, "transforms", names == {name}, str(sorted(names)))


def _none_claims(subject: str, what: str, answer: Similar, but: str | None = None) -> Told:
    wrong = [
        each for each in answer.matches if each.repo != but and each.relation not in AT_MOST_RELATED
    ]
    return Told(subject, what, not wrong, "; ".join(map(_said, wrong)))


def _is(match: Match | None, relation: Relation | None = None, repo: str | None = None) -> bool:
    return match is not None and relation in (None, match.relation) and repo in (None, match.repo)


def _said(match: Match | None) -> str:
    if match is None:
        return "nothing found"
    return f"{match.relation.value} of {match.repo}: {match.verdict.reason or ''}"


@contextmanager
def _index(models: Zoo, *, has_base: bool) -> Iterator[Index]:
    known: dict[str, tuple[Weights, Sequence[str]]] = {
        f"bo/child-{n}": (weights, (BASE,) if has_base else ())
        for n, weights in enumerate(models.children)
    }
    known["cy/twin-0"] = (models.twins[0], ())
    if has_base:
        known = {BASE: (models.base, ()), **known}
    with _index_of(known) as index:
        yield index


@contextmanager
def _index_of(known: Mapping[str, tuple[Weights, Sequence[str]]]) -> Iterator[Index]:
    with (
        tempfile.TemporaryDirectory() as folder,
        Index.open(f"sqlite:///{Path(folder) / 'kinprint.db'}") as index,
    ):
        for repo, (weights, bases) in known.items():
            index.add(_published(weights, repo, DAY_0, bases), seen_at=DAY_0)
        yield index


def _ask(index: Index, weights: Weights, repo: str, bases: Sequence[str] = ()) -> Similar:
    return similar(
        index,
        _published(weights, repo, DAY_5, bases),
        checked_at=DAY_5,
        evidence_base_url="http://127.0.0.1",
    )


def _published(weights: Weights, repo: str, at: datetime, bases: Sequence[str]) -> Fingerprint:
    with tempfile.TemporaryDirectory() as folder:
        save_file(_floats(weights), Path(folder) / "model.safetensors")
        with closing(LocalCheckpoint(folder)) as checkpoint:
            fingerprint = take(checkpoint)
    origin = fingerprint.origin.model_copy(
        update={
            "source": repo,
            "repo": repo,
            "revision": "a" * 40,
            "visibility": Visibility.PUBLIC,
            "created_at": at,
            "declared_bases": tuple(bases),
        }
    )
    return replace(fingerprint, origin=origin)


def _floats(weights: Weights) -> Weights:
    return {name: t.contiguous() for name, t in weights.items() if t.is_floating_point()}
