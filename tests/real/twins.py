"""Two small transformers trained from one seed on different data."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import torch
from demo.training import Schedule, train_on_masked_words
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import BertConfig, BertModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from real.variants import Weights

LENGTHS = (100, 300, 800)
Twins = tuple[list["Weights"], list["Weights"]]
_WORDS = 2048


def train_twins(texts: Sequence[str]) -> Twins:
    """Return the weights of both after each of ``LENGTHS`` steps.

    Their matrices are 256 columns wide, so that each is evidence. Give torch one thread: both
    train at once.
    """
    vocabulary = vocabulary_of(texts)
    pair = (small_model(seed=7), small_model(seed=7))
    with ThreadPoolExecutor(2) as pool:
        jobs = [
            pool.submit(_snapshots, model, vocabulary, texts[half::2])
            for half, model in enumerate(pair)
        ]
        first, second = (job.result() for job in jobs)
    return first, second


def vocabulary_of(texts: Sequence[str]) -> str:
    """A word-piece tokenizer trained on the texts, as JSON."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=_WORDS, special_tokens=["[PAD]", "[UNK]", "[MASK]"], show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer.to_str()


def small_model(seed: int) -> BertModel:
    """An untrained model of 4 layers, 256 wide."""
    torch.manual_seed(seed)
    return BertModel(
        BertConfig(
            vocab_size=_WORDS,
            hidden_size=256,
            intermediate_size=512,
            num_hidden_layers=4,
            num_attention_heads=4,
            max_position_embeddings=64,
        )
    )


def _snapshots(model: BertModel, vocabulary: str, texts: Sequence[str]) -> list[Weights]:
    kept = []

    def keep(step: int, loss: float) -> None:
        if step in LENGTHS:
            kept.append({name: tensor.clone() for name, tensor in model.state_dict().items()})

    schedule = Schedule(steps=max(LENGTHS), learning_rate=1e-3, batch=4, tokens=32, seed=0)
    train_on_masked_words(model, Tokenizer.from_str(vocabulary), texts, schedule, keep)
    return kept
