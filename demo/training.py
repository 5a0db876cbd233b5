"""Two real training objectives, short enough for two cores: sentence pairs and masked words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tokenizers import Tokenizer
    from transformers import BertModel

_MASKED_SHARE = 0.15
_TEMPERATURE = 0.05
_CLIP_NORM = 1.0


class OnStep(Protocol):
    """Is told of each finished step; draws the progress bar."""

    def __call__(self, step: int, loss: float) -> None:
        """Report step number ``step`` (from 1) and its loss."""


@dataclass(frozen=True)
class Schedule:
    """How long and on how much a model is trained.

    Attributes:
        steps: Updates of the weights.
        learning_rate: Of Adam, after a warm-up over the first tenth of the steps.
        batch: Texts a step.
        tokens: Length to which each text is cut.
        seed: Of the order of the texts and of what is masked.
    """

    steps: int
    learning_rate: float
    batch: int
    tokens: int
    seed: int


class _Loss(Protocol):
    def __call__(self) -> torch.Tensor:
        """Draw the next batch and return its loss, a scalar with a gradient."""


class Objective(Protocol):
    """One way to train: `train_on_pairs` or `train_on_masked_words`."""

    def __call__(
        self,
        model: BertModel,
        tokenizer: Tokenizer,
        texts: Sequence[str],
        schedule: Schedule,
        on_step: OnStep,
        /,
    ) -> None:
        """Change the model in place."""


def train_on_pairs(
    model: BertModel,
    tokenizer: Tokenizer,
    texts: Sequence[str],
    schedule: Schedule,
    on_step: OnStep,
) -> None:
    """Fine-tune so that the two halves of a text embed alike and those of others do not.

    In-batch negatives with a softmax over cosines, as sentence encoders are trained (Henderson et
    al., "Efficient Natural Language Response Suggestion for Smart Reply", 2017).

    Args:
        model: Changed in place.
        tokenizer: Of the model; its truncation and padding are set.
        texts: At least ``schedule.batch`` of them.
        schedule: How long, how fast, from which seed.
        on_step: Told of each step.
    """
    halves = [(text[: len(text) // 2], text[len(text) // 2 :]) for text in texts]
    batches = _batches(len(halves), schedule)

    def loss() -> torch.Tensor:
        rows = next(batches)
        sides = [halves[row][side] for side in (0, 1) for row in rows]
        vectors = _embed(model, *_encode(tokenizer, sides, schedule))
        cosines = vectors[: len(rows)] @ vectors[len(rows) :].T
        return functional.cross_entropy(cosines / _TEMPERATURE, torch.arange(len(rows)))

    _descend(model, loss, schedule, on_step)


def train_on_masked_words(
    model: BertModel,
    tokenizer: Tokenizer,
    texts: Sequence[str],
    schedule: Schedule,
    on_step: OnStep,
) -> None:
    """Train to fill in masked words, the decoder tied to the word embeddings.

    Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers", 2019, without the
    shares of kept and random words.

    Args:
        model: Changed in place.
        tokenizer: Of the model, with the token ``[MASK]``; its truncation and padding are set.
        texts: At least ``schedule.batch`` of them.
        schedule: How long, how fast, from which seed.
        on_step: Told of each step.

    Raises:
        ValueError: The tokenizer has no ``[MASK]``.
    """
    mask_id = tokenizer.token_to_id("[MASK]")
    if mask_id is None:
        raise ValueError("the tokenizer has no [MASK] token")
    chance = torch.Generator().manual_seed(schedule.seed)
    batches = _batches(len(texts), schedule)

    def loss() -> torch.Tensor:
        ids, seen = _encode(tokenizer, [texts[row] for row in next(batches)], schedule)
        masked = (torch.rand(ids.shape, generator=chance) < _MASKED_SHARE) & seen.bool()
        states = model(
            input_ids=ids.masked_fill(masked, mask_id), attention_mask=seen
        ).last_hidden_state[masked]
        scores = states @ model.embeddings.word_embeddings.weight.T
        return functional.cross_entropy(scores, ids[masked])

    _descend(model, loss, schedule, on_step)


def _descend(model: BertModel, loss: _Loss, schedule: Schedule, on_step: OnStep) -> None:
    """Run Adam; without dropout, so that no global random state is touched (threads may train)."""
    model.train(mode=False)
    optimiser = torch.optim.Adam(model.parameters(), lr=schedule.learning_rate, fused=True)
    warm_up = max(schedule.steps // 10, 1)
    ramp = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: min(1, (step + 1) / warm_up))
    for step in range(1, schedule.steps + 1):
        value = loss()
        optimiser.zero_grad(set_to_none=False)
        value.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), _CLIP_NORM)
        optimiser.step()
        ramp.step()
        on_step(step, value.item())


def _batches(texts: int, schedule: Schedule) -> Iterator[list[int]]:
    chance = torch.Generator().manual_seed(schedule.seed)
    while True:
        order = torch.randperm(texts, generator=chance).tolist()
        for start in range(0, texts - schedule.batch + 1, schedule.batch):
            yield order[start : start + schedule.batch]


def _encode(
    tokenizer: Tokenizer, texts: Sequence[str], schedule: Schedule
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return ids and attention mask, int64 (texts, tokens)."""
    tokenizer.enable_truncation(schedule.tokens)
    tokenizer.enable_padding(length=schedule.tokens)
    encoded = tokenizer.encode_batch(list(texts))
    return (
        torch.tensor([one.ids for one in encoded]),
        torch.tensor([one.attention_mask for one in encoded]),
    )


def _embed(model: BertModel, ids: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
    """Return unit vectors, the mean over the tokens seen: float32 (texts, hidden)."""
    states = model(input_ids=ids, attention_mask=seen).last_hidden_state
    weights = seen.unsqueeze(-1).to(states.dtype)
    return functional.normalize((states * weights).sum(1) / weights.sum(1), dim=-1)
