"""Prints the measured tables of ``docs/method.md`` again: strangers, relatives, trainings.

Trains for about five minutes on two cores. Everything is read through the fingerprint of a
checkpoint on disk, but for the strangers, whose blocks are cut out of the matrices.
"""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
import transformers
from demo.cast import SIGMA, make_cast, original_folder, original_weights
from demo.corpus import docstrings
from demo.training import Schedule, train_on_pairs
from safetensors.torch import load_file, save_file
from scipy.stats import binom
from tokenizers import Tokenizer
from transformers import BertModel

from benchmarks.table import print_table
from kinprint.checkpoints.local import LocalCheckpoint
from kinprint.fingerprint.take import take
from kinprint.lineage.compare import compare
from kinprint.lineage.differences import differences
from kinprint.lineage.likelihood import fold, stranger_pmf
from kinprint.lineage.matching import Matching
from kinprint.lineage.training import structure
from kinprint.sketches.distances import hamming
from real import variants
from real.strangers import all_blocks
from real.twins import LENGTHS, train_twins

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    from kinprint.fingerprint.record import Fingerprint

RELATIVES_HEAD = ("what", "d mean", "d max", "ln E", "c", "z", "σ found / true", "relation")
TAIL_BITS = (80, 85, 96, 110)
FINE_TUNE_STEPS = (100, 300)
FINE_TUNE_RATES = (2e-5, 1e-4)
MIN_PAIRS = 1_000


def main() -> None:
    """Print the three tables."""
    original, cast = original_weights(), make_cast()
    stranger = load_file(cast.stranger / "model.safetensors")
    print_table(
        "Strangers: folded distance of blocks that share nothing",
        ("what", "pairs", "mean ± sd", "min", *(f"≤ {bits}" for bits in TAIL_BITS)),
        [*_stranger_rows(original, stranger), *_reference_rows()],
    )
    known = _read(original)
    print_table(
        "all-MiniLM-L6-v2 and what was made of it (threshold of ln E: 20.7)",
        RELATIVES_HEAD,
        (
            _relative_row(name, _read(weights), known, sigma)
            for name, (weights, sigma) in _relatives(original, stranger).items()
        ),
    )
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    print_table("Fine-tunes of all-MiniLM-L6-v2", RELATIVES_HEAD, _fine_tune_rows(known))
    print_table("Two trainings from one seed on different data", RELATIVES_HEAD, _twin_rows())
    torch.set_num_threads(threads)


def _stranger_rows(
    original: Mapping[str, torch.Tensor], stranger: Mapping[str, torch.Tensor]
) -> Iterator[tuple[object, ...]]:
    mine, theirs = all_blocks(original), all_blocks(stranger)
    for (rows, cols), hashes in mine.items():
        inside = hamming(hashes, hashes)[np.triu_indices(len(hashes), 1)]
        between = hamming(hashes, theirs[rows, cols]).ravel()
        for label, bits in (("within MiniLM", inside), ("MiniLM and the stranger", between)):
            if len(bits) >= MIN_PAIRS:
                yield _distances_row(f"{label}, blocks of {rows} × {cols}", bits)


def _distances_row(label: str, bits: NDArray[np.int16]) -> tuple[object, ...]:
    folded = np.minimum(bits, 256 - bits)
    return (
        label,
        f"{len(bits):,}",
        f"{folded.mean():.1f} ± {folded.std():.1f}",
        folded.min(),
        *(f"{np.mean(folded <= bits):.1e}" for bits in TAIL_BITS),
    )


def _reference_rows() -> Iterator[tuple[object, ...]]:
    d = np.arange(129)
    for label, pmf in (
        ("binomial", fold(binom.pmf(np.arange(257), 256, 0.5))),
        ("p0 of the claim", stranger_pmf()),
    ):
        mean = pmf @ d
        sd = np.sqrt(pmf @ (d - mean) ** 2)
        tails = (f"{pmf[: bits + 1].sum():.1e}" for bits in TAIL_BITS)
        yield (label, "–", f"{mean:.1f} ± {sd:.1f}", "–", *tails)


def _relatives(
    original: variants.Weights, stranger: variants.Weights
) -> dict[str, tuple[variants.Weights, float | None]]:
    """What was made of the original, with the σ that was added where one scalar was."""
    noises = {
        f"noise 1/{round(1 / s)}{suffix}": (cast(variants.noised(original, s)), s)
        for s in (SIGMA / 10, SIGMA)
        for suffix, cast in (
            ("", dict),
            (", fp16", partial(variants.cast_to, dtype=torch.float16)),
            (", bf16", partial(variants.cast_to, dtype=torch.bfloat16)),
        )
    }
    others = {
        **{
            f"noise {s:.0%} of std": variants.noised_by_share(original, s)
            for s in (0.1, 0.3, 1.0, 2.0)
        },
        "bf16": variants.cast_to(original, torch.bfloat16),
        "fp16": variants.cast_to(original, torch.float16),
        "fp8": variants.cast_to(original, torch.float8_e4m3fn),
        "int8 per row": variants.int8_per_row(original),
        "int4, groups of 32": variants.int4_in_groups(original),
        **{f"{s:.0%} pruned": variants.pruned(original, s) for s in (0.3, 0.5, 0.9)},
        **{
            f"merged {s:.0%} with a stranger": variants.merged(original, stranger, s)
            for s in (0.97, 0.7, 0.5, 0.3)
        },
        "8 words added": variants.with_longer_vocabulary(original, 8),
        "4 of 6 layers": variants.without_layers(original, (2, 4)),
        "stranger: numbers shuffled": variants.shuffled(original),
        "stranger: redrawn": variants.redrawn(original),
        "stranger: independently trained": stranger,
    }
    return noises | {name: (weights, None) for name, weights in others.items()}


def _relative_row(
    label: str, suspect: Fingerprint, known: Fingerprint, sigma: float | None = None
) -> tuple[object, ...]:
    matching = Matching(suspect, known)
    verdict = compare(suspect, known).verdict
    bits = [pair.hamming_bits for pair in matching.pairs]
    found = differences(suspect, known, matching.accepted)
    changed = structure([each for each in found if each.is_changed])
    noised = next((each for each in verdict.transforms if each.name == "noised"), None)
    ratio = "–"
    if noised is not None and sigma is not None:
        figures = {name: float(value) for name, value in noised.figures.items()}
        half_width = (figures["sigma_high"] - figures["sigma_low"]) / 2
        ratio = f"{figures['sigma'] / sigma:.3f} ± {half_width / sigma:.3f}"
    return (
        label,
        f"{np.mean(bits):.1f}",
        max(bits),
        f"{verdict.ln_e:,.1f}",
        f"{changed.gain.value:.2f}" if changed.changed else "–",
        f"{changed.z:.1f}" if changed.changed else "–",
        ratio,
        verdict.relation.value,
    )


def _fine_tune_rows(known: Fingerprint) -> Iterable[tuple[object, ...]]:
    texts = docstrings()
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    models = [BertModel.from_pretrained(original_folder()) for _ in FINE_TUNE_RATES]
    with ThreadPoolExecutor(2) as pool:
        jobs = [
            pool.submit(_fine_tune, model, texts, rate)
            for model, rate in zip(models, FINE_TUNE_RATES, strict=True)
        ]
        trained = {name: weights for job in jobs for name, weights in job.result().items()}
    treatments: dict[str, Callable[[variants.Weights], variants.Weights]] = {
        "": dict,
        ", then int8 per row": variants.int8_per_row,
        ", then 1/708": partial(variants.noised, sigma=SIGMA),
    }
    for name, weights in trained.items():
        for suffix, treat in treatments.items():
            yield _relative_row(name + suffix, _read(treat(weights)), known)


def _fine_tune(
    model: BertModel, texts: tuple[str, ...], rate: float
) -> dict[str, variants.Weights]:
    kept = {}

    def keep(step: int, loss: float) -> None:  # noqa: ARG001 - the trainer's callback
        if step in FINE_TUNE_STEPS:
            weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
            kept[f"Adam {rate:.0e}, {step} steps"] = weights

    tokenizer = Tokenizer.from_file(str(original_folder() / "tokenizer.json"))
    schedule = Schedule(max(FINE_TUNE_STEPS), rate, batch=6, tokens=20, seed=1)
    train_on_pairs(model, tokenizer, texts, schedule, keep)
    return kept


def _twin_rows() -> Iterator[tuple[object, ...]]:
    first, second = train_twins(docstrings())
    for steps, one, other in zip(LENGTHS, first, second, strict=True):
        yield _relative_row(f"{steps} steps", _read(one), _read(other))


def _read(weights: Mapping[str, torch.Tensor]) -> Fingerprint:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.safetensors"
        save_file({name: tensor.contiguous() for name, tensor in weights.items()}, file)
        with closing(LocalCheckpoint(file)) as checkpoint:
            return take(checkpoint)
