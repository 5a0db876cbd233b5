"""Real fine-tunes of varied rates for ``benchmarks/noise.py``, trained once into ``.data/noise``.

Of each matrix only the rows that any reading looks at are kept, so a model takes 20 MB at most.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
import transformers
from demo.cast import original_folder
from demo.corpus import docstrings
from demo.training import Objective, Schedule, train_on_masked_words, train_on_pairs
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import BertConfig, BertModel

from real.twins import vocabulary_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

FOLDER = Path(__file__).resolve().parent.parent / ".data" / "noise"
RATES = (1e-6, 3e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3)
KEPT_ROWS = 128
"""More than the 64 that a deep reading takes; the embeddings keep theirs from row 1,024 on."""
KEPT_EMBEDDING_ROWS = 6_144
"""16 times MiniLM's width: still read from row 1,024, as the whole table is."""


@dataclass(frozen=True)
class FineTune:
    """A really trained child with the base that it was trained from.

    Attributes:
        base: ``minilm`` or ``small``.
        objective: ``pairs`` or ``words``.
        learning_rate: Of Adam.
        steps: Updates of the weights.
    """

    base: str
    objective: str
    learning_rate: float
    steps: int

    @property
    def name(self) -> str:
        """As printed, and as its file is called."""
        return f"{self.base}-{self.objective}-{self.learning_rate:.0e}-{self.steps}"


@dataclass(frozen=True)
class _Course:
    base: str
    objective: str
    learning_rate: float
    snapshots: tuple[int, ...]
    batch: int
    tokens: int

    def fine_tunes(self) -> tuple[FineTune, ...]:
        return tuple(
            FineTune(self.base, self.objective, self.learning_rate, steps)
            for steps in self.snapshots
        )


COURSES = (
    *(_Course("minilm", "pairs", rate, (20, 60, 150), 4, 16) for rate in RATES),
    *(_Course("minilm", "words", rate, (40,), 4, 16) for rate in (1e-5, 1e-4)),
    *(_Course("small", "words", rate, (20, 60, 150, 300), 4, 32) for rate in RATES),
)
_OBJECTIVES: Mapping[str, Objective] = {"pairs": train_on_pairs, "words": train_on_masked_words}
_SMALL_STEPS = 400


def fine_tunes() -> tuple[FineTune, ...]:
    """Return all fine-tunes, training those that are not there yet (about five minutes)."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    texts = docstrings()
    for course in COURSES:
        if not all(_file(each.name).exists() for each in course.fine_tunes()):
            _train(course, texts)
    return tuple(each for course in COURSES for each in course.fine_tunes())


def weights_of(name: str) -> dict[str, torch.Tensor]:
    """Return the kept rows of a fine-tune or of a base (``minilm``, ``small``)."""
    return load_file(_file(name))


def _file(name: str) -> Path:
    return FOLDER / f"{name}.safetensors"


def _train(course: _Course, texts: Sequence[str]) -> None:
    model, tokenizer = _base(course.base, texts)

    def keep(step: int, loss: float) -> None:  # noqa: ARG001 - the trainer's callback
        if step in course.snapshots:
            child = FineTune(course.base, course.objective, course.learning_rate, step)
            _save(model, child.name)

    steps = max(course.snapshots)
    schedule = Schedule(steps, course.learning_rate, course.batch, course.tokens, seed=5)
    _OBJECTIVES[course.objective](model, tokenizer, texts[1::2], schedule, keep)


def _base(name: str, texts: Sequence[str]) -> tuple[BertModel, Tokenizer]:
    if name == "minilm":
        model = BertModel.from_pretrained(original_folder())
        tokenizer = Tokenizer.from_file(str(original_folder() / "tokenizer.json"))
    else:
        tokenizer = Tokenizer.from_str(vocabulary_of(texts))
        model = _small(tokenizer, texts)
    _save(model, name)
    return model, tokenizer


def _small(tokenizer: Tokenizer, texts: Sequence[str]) -> BertModel:
    """A small transformer trained from scratch; the same one each time."""
    torch.manual_seed(11)
    model = BertModel(
        BertConfig(
            vocab_size=2048,
            hidden_size=256,
            intermediate_size=512,
            num_hidden_layers=4,
            num_attention_heads=4,
            max_position_embeddings=64,
        )
    )
    whole = FOLDER / "small-whole.pt"
    if whole.exists():
        model.load_state_dict(torch.load(whole, weights_only=True))
        return model
    schedule = Schedule(_SMALL_STEPS, 1e-3, batch=4, tokens=32, seed=0)
    train_on_masked_words(model, tokenizer, texts[::2], schedule, _unheard)
    torch.save(model.state_dict(), whole)
    return model


def _unheard(step: int, loss: float) -> None:
    """Nobody watches the base being trained."""


def _save(model: BertModel, name: str) -> None:
    save_file(dict(_kept(model.state_dict())), _file(name))


def _kept(weights: Mapping[str, torch.Tensor]) -> Iterator[tuple[str, torch.Tensor]]:
    for name, tensor in weights.items():
        if tensor.is_floating_point():
            rows = KEPT_EMBEDDING_ROWS if "word_embeddings" in name else KEPT_ROWS
            yield name, (tensor[:rows] if tensor.ndim == 2 else tensor).clone()
