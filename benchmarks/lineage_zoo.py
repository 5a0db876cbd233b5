"""Small transformers really trained for ``benchmarks/lineage.py``: kept in ``.data/lineage``.

A base, a hundred children of it, a chain of three, children by adapters, models of other seeds,
and two of one seed on different data. A few minutes on one core at the first run.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from demo.corpus import docstrings
from demo.training import Objective, Schedule, train_on_masked_words, train_on_pairs
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
    school = _School(vocabulary_of(texts))

    def kept(name: str, seed: int, start: Weights | None, course: _Course) -> Weights:
        return _kept(name, partial(school.taught, seed, start, course))

    base = kept("base", 7, None, _Course(train_on_masked_words, texts, _BASE_STEPS, 1e-3, 0))
    children = tuple(
        kept(
            f"child-{n}",
            7,
            base,
            _Course(
                (train_on_pairs, train_on_masked_words)[n % 2],
                texts[n % 7 :: 7],
                _CHILD_STEPS,
                (5e-5, 1e-4, 3e-4)[n % 3],
                n,
            ),
        )
        for n in range(CHILDREN)
    )
    chain: list[Weights] = []
    for link in range(CHAIN):
        objective = (train_on_masked_words, train_on_pairs)[link % 2]
        course = _Course(objective, texts[link::4], 60, 2e-4, 500 + link)
        chain.append(kept(f"chain-{link}", 7, chain[-1] if chain else base, course))
    adapted = tuple(
        _kept(f"adapted-{n}", partial(school.adapted, base, texts[n::5], 600 + n))
        for n in range(ADAPTED)
    )
    strangers = tuple(
        kept(
            f"stranger-{n}",
            20 + n,
            None,
            _Course(train_on_masked_words, texts, _STRANGER_STEPS, 1e-3, 0),
        )
        for n in range(STRANGERS)
    )
    first, second = (
        kept(
            f"twin-{half}",
            9,
            None,
            _Course(train_on_masked_words, texts[half::2], _STRANGER_STEPS, 1e-3, half),
        )
        for half in (0, 1)
    )
    return Zoo(base, children, tuple(chain), adapted, strangers, (first, second))


@dataclass(frozen=True)
class _Course:
    """One training."""

    objective: Objective
    texts: Sequence[str]
    steps: int
    learning_rate: float
    seed: int


@dataclass(frozen=True)
class _School:
    """Trains models under one vocabulary."""

    vocabulary: str

    def taught(self, seed: int, start: Weights | None, course: _Course) -> Weights:
        """Train a model from given weights, or from those that a seed draws."""
        model = small_model(seed)
        if start is not None:
            model.load_state_dict(start)
        return self._train(model, course)

    def adapted(self, base: Weights, texts: Sequence[str], seed: int) -> Weights:
        """Train adapters of rank 8 on a frozen model and merge them into it."""
        model = small_model(seed=7)
        model.load_state_dict(base)
        torch.manual_seed(seed)
        for parameter in model.parameters():
            parameter.requires_grad = False
        linear = [each for each in model.encoder.modules() if isinstance(each, torch.nn.Linear)]
        for each in linear:
            parametrize.register_parametrization(each, "weight", _LowRank(*each.weight.shape))
        self._train(model, _Course(train_on_pairs, texts, 40, 1e-3, seed))
        for each in linear:
            parametrize.remove_parametrizations(each, "weight", leave_parametrized=True)
        return dict(model.state_dict())

    def _train(self, model: BertModel, course: _Course) -> Weights:
        schedule = Schedule(course.steps, course.learning_rate, _BATCH, _TOKENS, course.seed)
        tokenizer = Tokenizer.from_str(self.vocabulary)
        course.objective(model, tokenizer, course.texts, schedule, _quiet)
        return dict(model.state_dict())


def _kept(name: str, make: Callable[[], Weights]) -> Weights:
    path = FOLDER / f"{name}.safetensors"
    if not path.exists():
        weights = {key: tensor.contiguous().clone() for key, tensor in make().items()}
        save_file(weights, path)
    return load_file(path)


def _quiet(step: int, loss: float) -> None:
    """No bar: a model takes seconds."""
