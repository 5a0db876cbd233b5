"""Merges made by mergekit (PyPI), and whether their parents and coefficients are found again.

Six siblings are really trained from one base, then mixed by mergekit's own recipes. The first run
installs mergekit into a throwaway environment under ``.data/mergekit``. Nothing is told to
Kinprint but the fingerprints in an index; two of the siblings, a twin of the base on other data
and its checkpoints on the way are there to be mistaken for parents.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from demo.corpus import docstrings
from transformers import LlamaConfig, LlamaForCausalLM

from benchmarks.other_tools import python_with
from benchmarks.table import print_table
from kinprint.checkpoints.local import LocalCheckpoint
from kinprint.checkpoints.tensors import Visibility
from kinprint.fingerprint.take import take
from kinprint.index.store import Index
from kinprint.lineage.matching import Matching
from kinprint.lineage.merges.alignment import align
from kinprint.lineage.merges.evidence import MAX_KIN, merge_evidence
from kinprint.lineage.merges.mixture import block_residuals, excess, structure_z
from kinprint.lineage.merges.parents import merge_parents
from kinprint.lineage.merges.selection import left_by

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kinprint.fingerprint.record import Fingerprint
    from kinprint.lineage.evidence.record import Estimate, MergeEvidence

ENVIRONMENT = Path(__file__).resolve().parent.parent / ".data" / "mergekit"
REQUIREMENTS = ("mergekit==0.1.5", "accelerate==1.15.0", "peft==0.21.2", "immutables==0.21")
THEIR_SIDE = """
import json, sys
from mergekit.config import MergeConfiguration
from mergekit.merge import run_merge
from mergekit.options import MergeOptions

options = MergeOptions(copy_tokenizer=False, write_model_card=False, quiet=True, random_seed=1)
for line in sys.stdin:
    recipe, folder = json.loads(line)
    run_merge(MergeConfiguration.model_validate(recipe), folder, options)
"""
LAYERS = 6
SIBLINGS = 6
BASE_STEPS, CHILD_STEPS, CHECKPOINT_EVERY = 300, 100, 25
DAY = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Truth:
    """What a recipe mixes.

    Attributes:
        shares: Coefficient of each parent in the whole model.
        by_layer: Coefficient of the first parent in each layer, where it is another in each.
        has_shares: The coefficients of the whole model are defined.
    """

    shares: dict[str, float]
    by_layer: tuple[float, ...] = ()
    has_shares: bool = True


Recipe = tuple[str, dict[str, object], Truth | None]
"""Label, mergekit's configuration, and the truth; None where nothing should be claimed."""


def main() -> None:
    """Train, merge in both formats, look each merge up and print what was found."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    models = _cast()
    torch.set_num_threads(threads)
    for dtype in ("float32", "bfloat16"):
        with tempfile.TemporaryDirectory() as temporary:
            folders = _save(models, Path(temporary), dtype)
            made = _merge(_recipes(folders, dtype), Path(temporary))
            rows = list(_found(folders, made, Path(temporary)))
            spared = list(_spared(folders, made, Path(temporary)))
            chains = list(_chains(folders))
        print_table(
            f"mergekit's recipes in {dtype}, {len(models)} models in the index",
            (
                "recipe",
                "base indexed",
                "true",
                "found",
                "kind",
                "unexplained",
                "largest error",
                "in interval",
            ),
            rows,
        )
        print_table(
            f"What was trained, not mixed, in {dtype}, with all merges in the index undeclared",
            ("model", "candidates", "base not known", "base known"),
            spared,
        )
        print_table(
            f"Share that a chain's neighbours leave of the nearer one's, in {dtype}",
            ("middle", "between", "left", "z of what is left"),
            chains,
        )


def _cast() -> dict[str, Mapping[str, torch.Tensor]]:
    """A base, siblings trained from it, what lies between them, a grandchild and a stranger."""
    texts = docstrings()
    base = _model(0)
    models: dict[str, Mapping[str, torch.Tensor]] = {}
    _train(base, texts[:1_500], BASE_STEPS, rate=1e-3, seed=0)
    models["base"] = _weights(base)
    for number in range(SIBLINGS):
        child = _model(0)
        child.load_state_dict(models["base"])
        part = texts[1_500 + 250 * number : 1_750 + 250 * number]
        for step in range(CHECKPOINT_EVERY, CHILD_STEPS + 1, CHECKPOINT_EVERY):
            _train(child, part, CHECKPOINT_EVERY, rate=3e-4, seed=100 * number + step)
            if number == 0 and step < CHILD_STEPS:
                models[f"s0-step-{step}"] = _weights(child)
        models[f"s{number}"] = _weights(child)
    _train(child, texts[:250], CHECKPOINT_EVERY, rate=3e-5, seed=9)
    models[f"child-of-s{SIBLINGS - 1}"] = _weights(child)
    models["stranger"] = _weights(_model(1))
    return models


def _model(seed: int) -> LlamaForCausalLM:
    torch.manual_seed(seed)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=512,
            hidden_size=128,
            intermediate_size=256,
            num_hidden_layers=LAYERS,
            num_attention_heads=4,
            max_position_embeddings=128,
            initializer_range=0.04,
        )
    )


def _weights(model: LlamaForCausalLM) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def _train(
    model: LlamaForCausalLM, texts: Sequence[str], steps: int, *, rate: float, seed: int
) -> None:
    """Next-byte prediction with Adam."""
    data = torch.tensor(list("\n".join(texts).encode()))
    chance = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adam(model.parameters(), lr=rate, fused=True)
    for _ in range(steps):
        starts = torch.randint(0, len(data) - 32, (8,), generator=chance)
        batch = torch.stack([data[start : start + 32] for start in starts])
        optimiser.zero_grad()
        model(input_ids=batch, labels=batch).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()


def _save(
    models: Mapping[str, Mapping[str, torch.Tensor]], root: Path, dtype: str
) -> dict[str, Path]:
    folders = {}
    for name, weights in models.items():
        model = _model(0)
        model.load_state_dict(weights)
        folders[name] = root / name
        model.to(getattr(torch, dtype)).save_pretrained(folders[name])
    return folders


def _recipes(folders: Mapping[str, Path], dtype: str) -> list[Recipe]:
    base = str(folders["base"])

    def weighted(method: str, shares: Mapping[str, float], **more: object) -> dict[str, object]:
        return {
            "merge_method": method,
            "dtype": dtype,
            "models": [
                {"model": str(folders[name]), "parameters": {"weight": weight}}
                for name, weight in shares.items()
            ],
            **more,
        }

    def mixed(method: str, shares: Mapping[str, float], label: str, **more: object) -> Recipe:
        return label, weighted(method, shares, **more), Truth(dict(shares))

    def slerp(t: object, label: str, true: Truth) -> Recipe:
        config: dict[str, object] = {
            "merge_method": "slerp",
            "dtype": dtype,
            "base_model": str(folders["s1"]),
            "models": [{"model": str(folders["s1"])}, {"model": str(folders["s2"])}],
            "parameters": {"t": t},
        }
        return label, config, true

    def stack(*slices: tuple[str, int, int]) -> dict[str, object]:
        return {
            "merge_method": "passthrough",
            "dtype": dtype,
            "slices": [
                {"sources": [{"model": str(folders[name]), "layer_range": [first, last]}]}
                for name, first, last in slices
            ],
        }

    even = {"s1": 0.5, "s2": 0.5}
    three = {"s0": 0.5, "s2": 0.3, "s4": 0.2}
    five = {"s0": 0.3, "s1": 0.25, "s2": 0.2, "s3": 0.15, "s5": 0.1}
    gradient = weighted("linear", {})
    gradient["models"] = [
        {"model": str(folders["s1"]), "parameters": {"weight": [0.0, 1.0]}},
        {"model": str(folders["s3"]), "parameters": {"weight": [1.0, 0.0]}},
    ]
    filtered = [
        {"filter": "self_attn", "value": [0, 0.5, 0.3, 0.7, 1]},
        {"filter": "mlp", "value": [1, 0.5, 0.7, 0.3, 0]},
        {"value": 0.5},
    ]
    dense = {"s1": 0.5, "s3": 0.5}
    rising = tuple(layer / (LAYERS - 1) for layer in range(LAYERS))
    return [
        mixed("linear", {"s0": 0.6, "s1": 0.4}, "linear, 2"),
        mixed("linear", even, "linear, 2, even"),
        mixed("linear", {"s3": 0.9, "s5": 0.1}, "linear, 2, uneven"),
        mixed("linear", three, "linear, 3"),
        mixed("linear", five, "linear, 5"),
        ("linear, 2, by layer", gradient, Truth(dense, by_layer=rising)),
        mixed("task_arithmetic", {"s0": 0.7, "s3": 0.5}, "task arithmetic, 2", base_model=base),
        mixed("task_arithmetic", {"s1": 1.0, "s2": 1.0}, "task arithmetic, sum", base_model=base),
        mixed("task_arithmetic", three, "task arithmetic, 3", base_model=base),
        slerp(0.3, "slerp", Truth({"s1": 0.7, "s2": 0.3})),
        slerp(filtered, "slerp, by layer and module", Truth(even, has_shares=False)),
        ("passthrough", stack(("s1", 0, 3), ("s4", 3, 6)), Truth({"s1": 0.5, "s4": 0.5})),
        (
            "passthrough, repeated layers",
            stack(("s1", 0, 4), ("s4", 2, 6)),
            Truth({"s1": 0.5, "s4": 0.5}),
        ),
        ("ties", weighted("ties", dense, base_model=base), None),
        ("dare_ties", weighted("dare_ties", dense, base_model=base), None),
        ("dare_linear", weighted("dare_linear", dense, base_model=base), None),
    ]


def _merge(recipes: Sequence[Recipe], root: Path) -> list[tuple[Recipe, Path]]:
    made = [(recipe, root / f"merge-{number}") for number, recipe in enumerate(recipes)]
    for recipe, _ in made:
        if recipe[0].startswith(("ties", "dare")):
            for model in recipe[1]["models"]:  # type: ignore[attr-defined]
                model["parameters"]["density"] = 0.5
    lines = "".join(f"{json.dumps([recipe[1], str(folder)])}\n" for recipe, folder in made)
    subprocess.run(
        [str(python_with(ENVIRONMENT, *REQUIREMENTS)), "-c", THEIR_SIDE],
        input=lines,
        text=True,
        check=True,
    )
    return made


def _read(folder: Path, repo: str, bases: tuple[str, ...] = ()) -> Fingerprint:
    with closing(LocalCheckpoint(folder)) as checkpoint:
        found = take(checkpoint)
    facts = {
        "source": repo,
        "repo": repo,
        "revision": "a" * 40,
        "visibility": Visibility.PUBLIC,
        "declared_bases": bases,
    }
    return replace(found, origin=found.origin.model_copy(update=facts))


def _found(
    folders: Mapping[str, Path], made: Sequence[tuple[Recipe, Path]], root: Path
) -> Iterator[tuple[object, ...]]:
    for has_base in (True, False):
        with Index.open(f"sqlite:///{root / f'{has_base}.db'}") as index:
            for name, folder in folders.items():
                if has_base or name != "base":
                    bases = () if name in ("base", "stranger") else ("bench/base",)
                    index.add(_read(folder, f"bench/{name}", bases), seen_at=DAY)
            for (label, _, true), folder in made:
                query = _read(folder, "bench/merge")
                candidates = index.candidates(query, limit=MAX_KIN)
                possible = merge_parents(index, query, candidates)
                evidence = merge_evidence(query, possible.kin, possible.base)
                yield (label, "yes" if has_base else "no", *_row(true, evidence))


def _row(true: Truth | None, evidence: MergeEvidence | None) -> tuple[object, ...]:
    wanted = "–" if true is None else _listed(true.shares)
    if evidence is None:
        return wanted, "nothing claimed", "–", "–", "–", "–"
    found = _coefficients(evidence, "")
    listed = _listed({name: each.value for name, each in found.items()})
    left = f"{evidence.modules[0].unexplained:.1e}"
    if true is None or set(true.shares) != set(found):
        return wanted, listed, evidence.kind, left, "other parents", "–"
    pairs = [(found[name], value) for name, value in true.shares.items()]
    if true.by_layer:
        first = next(iter(true.shares))
        pairs = [
            (_coefficients(evidence, f"model.layers.{layer}")[first], value)
            for layer, value in enumerate(true.by_layer)
        ]
    if not true.has_shares:
        return wanted, listed, evidence.kind, left, "–", "–"
    error = max(abs(each.value - value) for each, value in pairs)
    inside = sum(each.low <= value <= each.high for each, value in pairs)
    return wanted, listed, evidence.kind, left, f"{error:.4f}", f"{inside} of {len(pairs)}"


def _coefficients(evidence: MergeEvidence, module: str) -> dict[str, Estimate]:
    mixture = next(each for each in evidence.modules if each.module == module)
    return {each.parent.removeprefix("bench/"): each.coefficient for each in mixture.shares}


def _spared(
    folders: Mapping[str, Path], made: Sequence[tuple[Recipe, Path]], root: Path
) -> Iterator[tuple[object, ...]]:
    """Ask of every trained model with all others in the index, their merges undeclared."""
    everything = {**folders, **{recipe[0]: folder for recipe, folder in made}}
    prints = {name: _read(folder, f"bench/{name}") for name, folder in everything.items()}
    with Index.open(f"sqlite:///{root / 'all.db'}") as index:
        for each in prints.values():
            index.add(each, seen_at=DAY)
        for name in folders:
            query = prints[name]
            own = query.origin.repo
            kin = merge_parents(
                index, query, index.candidates(query, limit=MAX_KIN, exclude_repo=own)
            ).kin
            bases = [each for each in kin if each.candidate.origin.repo == "bench/base"]
            claims = [merge_evidence(query, kin, base) for base in [None, *bases]]
            yield name, len(kin), *(_claimed(each) for each in claims), *["–"] * (1 - len(bases))


def _chains(folders: Mapping[str, Path]) -> Iterator[tuple[object, ...]]:
    """The honest model that lies nearest to a mixture: a checkpoint between two others."""
    steps = ["base", "s0-step-25", "s0-step-50", "s0-step-75", "s0"]
    for before, middle, after in zip(steps, steps[1:], steps[2:], strict=False):
        query = _read(folders[middle], middle)
        matchings = [Matching(query, _read(folders[name], name)) for name in (before, after)]
        aligned = align(matchings, (before, after), most_blocks=MAX_KIN)
        left, fitted = block_residuals(aligned, affine=False)
        share = excess(aligned, left, fitted).mean / min(
            left_by(aligned, [model]).mean for model in (0, 1)
        )
        z = structure_z(aligned, left)
        yield middle, f"{before}, {after}", f"{share:.3f}", f"{z:.1f}"


def _claimed(evidence: MergeEvidence | None) -> str:
    return "nothing claimed" if evidence is None else f"CLAIMED: {evidence.sentence}"


def _listed(shares: Mapping[str, float]) -> str:
    ordered = sorted(shares.items(), key=lambda each: (-each[1], each[0]))
    return ", ".join(f"{name} {value:.3f}" for name, value in ordered)


if __name__ == "__main__":
    main()
