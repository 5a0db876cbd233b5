"""What a deep reading says of a real model's noisy copy and of its real fine-tune."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest
import torch
from demo.cast import SIGMA, original_folder
from demo.corpus import docstrings
from demo.training import Schedule, train_on_pairs
from safetensors.torch import save_file
from tokenizers import Tokenizer
from transformers import BertModel

from kinprint.checkpoints.local import LocalCheckpoint
from kinprint.fingerprint.deep import read_deep
from kinprint.fingerprint.take import take
from kinprint.lineage.differences import differences
from kinprint.lineage.evidence.change.deep_change import change_evidence_deep
from kinprint.lineage.evidence.record import ChangeEvidence, ChangeKind
from kinprint.lineage.matching import Matching
from kinprint.lineage.verdict import Direction
from real import variants

if TYPE_CHECKING:
    from pathlib import Path


def deep_evidence(weights: variants.Weights, folder: Path) -> ChangeEvidence:
    save_file(
        {name: tensor.contiguous() for name, tensor in weights.items()},
        folder / "model.safetensors",
    )
    with (
        closing(LocalCheckpoint(folder)) as copy,
        closing(LocalCheckpoint(original_folder())) as known,
    ):
        query, candidate = take(copy), take(known)
        pairs = Matching(query, candidate).accepted
        found = differences(query, candidate, pairs)
        reading = read_deep(copy, query, known, candidate, pairs)
    return change_evidence_deep(query, candidate, found, reading, direction=Direction.UNKNOWN)


def test_the_noise_of_a_hidden_copy_in_bf16_is_measured_to_half_a_per_cent(
    original: variants.Weights, tmp_path: Path
) -> None:
    copy = variants.cast_to(variants.noised(variants.renamed(original), SIGMA), torch.bfloat16)
    found = deep_evidence(copy, tmp_path)
    assert found.kind is ChangeKind.ADDED_NOISE
    assert found.sigma is not None
    assert found.sigma.low <= SIGMA <= found.sigma.high
    assert found.sigma.value == pytest.approx(SIGMA, rel=0.005)
    assert found.sigma.high - found.sigma.low < 0.01 * SIGMA
    assert len(found.tensors) == 39


def test_a_real_fine_tune_carries_its_directions_far_above_the_edge_of_noise(
    tmp_path: Path,
) -> None:
    child = BertModel.from_pretrained(original_folder())
    train_on_pairs(
        child,
        Tokenizer.from_file(str(original_folder() / "tokenizer.json")),
        docstrings(),
        Schedule(steps=12, learning_rate=1e-5, batch=4, tokens=16, seed=2),
        lambda step, loss: None,
    )
    found = deep_evidence(child.state_dict(), tmp_path)
    assert found.kind is ChangeKind.FINE_TUNING
    assert found.edge_ratio is not None
    assert found.edge_ratio > 1.4
