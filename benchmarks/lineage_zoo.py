"""Small transformers really trained for ``benchmarks/lineage.py``: kept in ``.data/lineage``.

A base, a hundred children of it, a chain of three, children by adapters, models of other seeds,
and two of one seed on different data. A few minutes on one core at the first run.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from demo.corpus import docstrings
from demo.training import Schedule, train_on_masked_words, train_on_pairs
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch.nn.utils import parametrize

from real.twins import small_model, vocabulary_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from transformers import BertModel

    from real.variants import Weights

FOLDER = Path(__file__).resolve().parent.parent / ".data" / "lineage"
CHILDREN = 100
CHAIN = 3
ADAPTED = 4
STRANGERS = 4
RANK = 8
_BASE_STEPS, _CHILD_STEPS, _STRANGER_STEPS = 300, 20, 150
_BATCH, _TOKENS = 4, 32


@dataclass(frozen=True)
class Zoo:
    """Weights by what they are."""

    base: Weights
    children: tuple[Weights, ...]
    chain: tuple[Weights, ...]
    adapted: tuple[Weights, ...]
    strangers: tuple[Weights, ...]
    twins: tuple[Weights, Weights]


class _LowRank(torch.nn.Module):
    """W + B·A, as adapters change a matrix (Hu et al., "LoRA", 2022)."""

    def __init__(self, rows: int, cols: int) -> None:
        super().__init__()
        self.down = torch.nn.Parameter(torch.randn(RANK, cols) / cols**0.5)
        self.up = torch.nn.Parameter(torch.zeros(rows, RANK))

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        return weight + self.up @ self.down


def zoo() -> Zoo:
    """Return all models, training those that are not kept yet."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    texts = docstrings()
    vocabulary = vocabulary_of(texts)

    def words(model: BertModel, part: Sequence[str], steps: int, rate: float, seed: int) -> Weights:
        schedule = Schedule(steps, rate, _BATCH, _TOKENS, seed)
        train_on_masked_words(model, Tokenizer.from_str(vocabulary), part, schedule, _quiet)
        return model.state_dict()

    def pairs(model: BertModel, part: Sequence[str], steps: int, rate: float, seed: int) -> Weights:
        schedule = Schedule(steps, rate, _BATCH, _TOKENS, seed)
        train_on_pairs(model, Tokenizer.from_str(vocabulary), part, schedule, _quiet)
        return model.state_dict()

    def model_of(weights: Weights) -> BertModel:
        model = small_model(seed=7)
        model.load_state_dict(weights)
        return model

    base = _kept("base", lambda: words(small_model(7), texts, _BASE_STEPS, 1e-3, 0))
    children = tuple(
        _kept(
            f"child-{number}",
            lambda number=number: (words if number % 2 else pairs)(
                model_of(base),
                texts[number % 7 :: 7],
                _CHILD_STEPS,
                (5e-5, 1e-4, 3e-4)[number % 3],
                number,
            ),
        )
        for number in range(CHILDREN)
    )
    chain: list[Weights] = []
    for link in range(CHAIN):
        before = chain[-1] if chain else base
        chain.append(
            _kept(
                f"chain-{link}",
                lambda before=before, link=link: (pairs if link % 2 else words)(
                    model_of(before), texts[link::4], 60, 2e-4, 500 + link
                ),
            )
        )
    return Zoo(
        base=base,
        children=children,
        chain=tuple(chain),
        adapted=tuple(
            _kept(f"adapted-{n}", lambda n=n: _adapted(model_of(base), pairs, texts[n::5], 600 + n))
            for n in range(ADAPTED)
        ),
        strangers=tuple(
            _kept(
                f"stranger-{n}",
                lambda n=n: words(small_model(20 + n), texts, _STRANGER_STEPS, 1e-3, 0),
            )
            for n in range(STRANGERS)
        ),
        twins=tuple(  # type: ignore[arg-type]  # two of them
            _kept(
                f"twin-{half}",
                lambda half=half: words(
                    small_model(9), texts[half::2], _STRANGER_STEPS, 1e-3, half
                ),
            )
            for half in (0, 1)
        ),
    )


def _adapted(
    model: BertModel,
    train: Callable[[BertModel, Sequence[str], int, float, int], Weights],
    texts: Sequence[str],
    seed: int,
) -> Weights:
    """Train adapters of rank 8 on a frozen model and merge them into it."""
    torch.manual_seed(seed)
    for parameter in model.parameters():
        parameter.requires_grad_(requires_grad=False)
    linear = [each for each in model.encoder.modules() if isinstance(each, torch.nn.Linear)]
    for each in linear:
        parametrize.register_parametrization(each, "weight", _LowRank(*each.weight.shape))
    train(model, texts, 40, 1e-3, seed)
    for each in linear:
        parametrize.remove_parametrizations(each, "weight", leave_parametrized=True)
    return deepcopy(model.state_dict())


def _kept(name: str, make: Callable[[], Weights]) -> Weights:
    path = FOLDER / f"{name}.safetensors"
    if not path.exists():
        weights = {key: tensor.contiguous().clone() for key, tensor in make().items()}
        save_file(weights, path)
    return load_file(path)


def _quiet(step: int, loss: float) -> None:
    """No bar: a model takes seconds."""
