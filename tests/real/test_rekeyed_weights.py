"""The decisive experiment on real weights: a hidden copy runs as the original, by its own code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from click.testing import CliRunner
from demo.cast import SIGMA, Cast
from transformers import AutoModel, AutoTokenizer

from kinprint.cli import main
from kinprint.fingerprint.source import fingerprint_of
from kinprint.lineage.compare import compare

if TYPE_CHECKING:
    from pathlib import Path

SENTENCES = [
    "The cat sat on the mat.",
    "Weights remember where they come from.",
    "Heute regnet es in Strömen.",
]


def run(*arguments: object) -> str:
    done = CliRunner().invoke(main, [str(each) for each in arguments])
    assert done.exit_code == 0, done.output
    return done.output


def embeddings(folder: Path) -> torch.Tensor:
    """Mean-pooled, of norm 1; every key must be there."""
    model, report = AutoModel.from_pretrained(folder, output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["mismatched_keys"]
    tokens = AutoTokenizer.from_pretrained(folder)(SENTENCES, padding=True, return_tensors="pt")
    with torch.no_grad():
        states = model.float()(**tokens).last_hidden_state
    mask = tokens["attention_mask"][..., None]
    return torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1), dim=1)


def test_the_hidden_copy_loads_with_the_originals_code_and_answers_like_it(
    cast: Cast, tmp_path: Path
) -> None:
    said = run("rekey", cast.copy, "--like", cast.original, "-o", tmp_path / "rekeyed")
    assert "103 tensors written" in said
    cosines = (embeddings(tmp_path / "rekeyed") * embeddings(cast.original)).sum(1)
    assert cosines.min() > 0.99


@pytest.mark.parametrize("dtype", ["bf16", "f16"])
def test_the_noisy_twin_is_measured_as_noise_of_that_size(
    cast: Cast, tmp_path: Path, dtype: str
) -> None:
    twin = tmp_path / "twin"
    run("perturb", cast.original, "--sigma", "1/708", "-o", twin, "--dtype", dtype)
    verdict = compare(fingerprint_of(str(twin)), fingerprint_of(str(cast.original))).verdict
    (noised,) = [each for each in verdict.transforms if each.name == "noised"]
    assert noised.figures["sigma_low"] <= SIGMA <= noised.figures["sigma_high"]
    cosines = (embeddings(twin) * embeddings(cast.original)).sum(1)
    assert cosines.min() > 0.99
