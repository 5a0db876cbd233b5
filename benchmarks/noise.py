"""Is σ right, and is noise ever mistaken for training or training for noise? Prints tables.

.venv/bin/python benchmarks/run.py noise        # all; about 20 minutes, 5 of them training
python -m benchmarks.noise coverage simulated   # parts: edge, coverage, simulated, real
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.noise_models import fine_tunes, weights_of
from benchmarks.noise_simulated import base_weights, drawn_course, noised, stored, trained
from benchmarks.table import print_table
from kinprint.checkpoints.dtypes import lattice_dtype, rounding_variance
from kinprint.fingerprint.deep import Cut, read_deep
from kinprint.fingerprint.take import take
from kinprint.lineage.change import change_of
from kinprint.lineage.differences import differences
from kinprint.lineage.evidence.change.block_change import sigma_parts
from kinprint.lineage.evidence.change.deep_change import change_evidence_deep
from kinprint.lineage.evidence.change.edge import spectrum
from kinprint.lineage.evidence.change.sigma_likelihood import fit, interval
from kinprint.lineage.evidence.change.sketch_change import change_evidence
from kinprint.lineage.evidence.record import ChangeKind
from kinprint.lineage.matching import Matching
from kinprint.lineage.verdict import Direction
from memory_checkpoint import MemoryCheckpoint

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from kinprint.lineage.evidence.record import ChangeEvidence, Estimate

    Weights = Mapping[str, NDArray[np.float32]]

PARTS = ("edge", "coverage", "simulated", "real")
EDGE_SHAPES = ((64, 66), (64, 128), (64, 384), (64, 1536), (64, 4096), (32, 160), (8, 640))
ULPS = (0.1, 0.3, 1.0, 3.0, 10.0, 100.0)
MANTISSA_BITS = {"F32": 23, "F16": 10, "BF16": 7}
NOISE_OVER_RMS = (2.1, 8.0)
LATER = Direction.REPO_FROM_MATCH


@dataclass(frozen=True)
class Told:
    """What both depths say of one child."""

    deep: ChangeEvidence
    sketches: ChangeEvidence


def main() -> None:
    """Print the tables of the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--rounds", type=int, default=400, help="of each coverage row")
    parser.add_argument("--children", type=int, default=1_000, help="simulated fine-tunes")
    arguments = parser.parse_args()
    chosen = arguments.parts or PARTS
    if "edge" in chosen:
        print_edge(arguments.rounds)
    if "coverage" in chosen:
        print_coverage(arguments.rounds)
    if "simulated" in chosen:
        print_simulated(arguments.children)
    if "real" in chosen:
        print_real()


def print_edge(rounds: int) -> None:
    """The null of the largest singular value, by which ``EDGE_NULL`` is set."""
    rng = np.random.default_rng(4)
    rows = []
    for shape in EDGE_SHAPES:
        scales = rng.lognormal(0, 0.5, (rounds, shape[0], 1))
        found = [spectrum(rng.standard_normal(shape) * scale) for scale in scales]
        z, ratio = np.array([e.z for e in found]), np.array([e.ratio for e in found])
        row = [f"{shape[0]} × {shape[1]}", f"{z.mean():.2f} ± {z.std():.2f}", f"{z.max():.1f}"]
        row += [f"{ratio.mean():.3f}", f"{ratio.max():.3f}"]
        rows.append([*row, f"{np.min([e.floor for e in found]):.2f}"])
    head = ("block of noise", "z", "max z", "× edge", "max × edge", "least white share")
    print_table("Largest singular value of noise, rows normalised", head, rows)


def print_coverage(rounds: int) -> None:
    """How often the 95 % interval holds the true σ."""
    print_table(
        "Coverage of the 95 % interval of σ",
        ("depth", "stored as", "original", "σ / ulp", "held", "rounds with σ", "median width"),
        [*_deep_coverage(rounds), *_sketch_coverage(rounds)],
    )


def _deep_coverage(rounds: int) -> Iterator[tuple[object, ...]]:
    rng = np.random.default_rng(0)
    for dtype, bits in MANTISSA_BITS.items():
        for original in ("F32", dtype) if dtype != "F32" else ("F32",):
            for ulps in ULPS:
                sigma = ulps * 2.0**-bits / 32  # the ulp of weights from 1/32 to 1/16
                found = [_deep_interval(rng, dtype, original, sigma) for _ in range(rounds)]
                yield ("deep", dtype, original, ulps, *_held(found, sigma))


def _deep_interval(
    rng: np.random.Generator, dtype: str, original: str, sigma: float
) -> Estimate | None:
    """One block of 32 x 64, cut as a reading cuts it."""
    known = stored({"": rng.normal(0, 0.05, (32, 64)).astype(np.float32)}, original)
    values = stored(noised(known, sigma, rng), dtype)[""]
    later = Cut(values, lattice_dtype(values, dtype), rounding_variance(values, dtype))
    parts, _ = sigma_parts(known[""].astype(np.float64), values.astype(np.float64), later)
    return interval(parts, fit(parts))


def _sketch_coverage(rounds: int) -> Iterator[tuple[object, ...]]:
    rng = np.random.default_rng(1)
    base = base_weights(1)
    for dtype, bits in MANTISSA_BITS.items():
        for ulps in ULPS:
            sigma = ulps * 2.0**-bits / 32
            found = []
            for _ in range(max(rounds // 2, 1)):
                told = _sketches(noised(base, sigma, rng), base, dtype)
                found.append(told.sigma)
            yield ("sketches", dtype, "F32", ulps, *_held(found, sigma))


def _held(found: Sequence[Estimate | None], sigma: float) -> tuple[object, ...]:
    told = [each for each in found if each is not None]
    if not told:
        return ("below resolution", f"0 of {len(found)}", "–")
    share = np.mean([each.low <= sigma <= each.high for each in told])
    width = np.median([(each.high - each.low) / 2 / each.value for each in told])
    return (f"{share:.1%}", f"{len(told)} of {len(found)}", f"± {width:.1%}")


def print_simulated(children: int) -> None:
    """Simulated fine-tunes, as they are and under noise."""
    rng = np.random.default_rng(2)
    base = base_weights(2)
    kinds: dict[str, Counter[str]] = {}
    wrong: list[tuple[object, ...]] = []
    for number in range(children):
        course = drawn_course(rng)
        child = trained(base, course, rng)
        dtype = ("F32", "F32", "BF16", "F16")[number % 4]
        told = _told(child, base, dtype)
        _count(kinds, f"fine-tune, {dtype}", told)
        if any(_names_noise(each) for each in (told.deep, told.sketches)):
            wrong.append((course, dtype, told.deep.sentence, told.sketches.sentence))
        if number % 4 == 0:
            for ratio in NOISE_OVER_RMS:
                over = _told(noised(child, ratio * _rms(child, base), rng), base, "F32")
                _count(kinds, f"noise of {ratio:g} × its rms over it", over)
    _print_kinds(f"{children} simulated fine-tunes of Adam, AdamW and Lion", kinds)
    print_table("Of these called noise", ("course", "stored as", "deep", "sketches"), wrong)


def print_real() -> None:
    """Really trained children, each as it is, stored in bf16, and under noise."""
    rng = np.random.default_rng(3)
    kinds: dict[str, Counter[str]] = {}
    rows: list[tuple[object, ...]] = []
    wrong: list[tuple[object, ...]] = []
    for each in fine_tunes():
        base, child = (_arrays(name) for name in (each.base, each.name))
        rms = _rms(child, base)
        plain, halved = _told(child, base, "F32"), _told(child, base, "BF16")
        for dtype, told in (("F32", plain), ("BF16", halved)):
            _count(kinds, f"fine-tune, {dtype}", told)
            if any(_names_noise(one) for one in (told.deep, told.sketches)):
                wrong.append((each.name, dtype, told.deep.sentence, told.sketches.sentence))
        over = {
            ratio: _told(noised(dict(child), ratio * rms, rng), base, "F32")
            for ratio in NOISE_OVER_RMS
        }
        for ratio, told in over.items():
            _count(kinds, f"noise of {ratio:g} × its rms over it", told)
            if not _names_noise(told.deep):
                wrong.append((each.name, f"noise × {ratio:g}", told.deep.sentence, ""))
        rows.append(
            (
                each.name,
                f"{rms:.1e}",
                f"{plain.deep.edge_ratio:.2f}",
                f"{plain.deep.singular_z:,.0f}",
                plain.deep.kind.value,
                halved.deep.kind.value,
                *(_short(over[ratio].deep) for ratio in NOISE_OVER_RMS),
            )
        )
    for name in ("minilm", "small"):
        base = _arrays(name)
        for sigma in (1 / 708, 1 / 7080, 1e-5):
            _count(kinds, "noise over nothing, F32", _told(noised(dict(base), sigma, rng), base))
            dtype = "BF16" if sigma > 1e-3 else "F16"
            told = _told(noised(dict(base), sigma, rng), base, dtype)
            _count(kinds, f"noise over nothing, {dtype}", told)
    head = ("what", "rms", "edge", "z", "F32", "BF16", *(f"noise × {r:g}" for r in NOISE_OVER_RMS))
    print_table("Real fine-tunes, deep reading", head, rows)
    _print_kinds(f"{len(rows)} real fine-tunes, and noise", kinds)
    print_table("Misses", ("what", "stored as", "deep", "sketches"), wrong)


def _told(mine: Weights, theirs: Weights, dtype: str = "F32") -> Told:
    later, earlier = _checkpoint(mine, dtype), _checkpoint(theirs, "F32")
    query, candidate = take(later), take(earlier)
    pairs = Matching(query, candidate).accepted
    found = differences(query, candidate, pairs)
    change = change_of(query, candidate, found, direction=LATER)
    reading = read_deep(later, query, earlier, candidate, pairs)
    return Told(
        change_evidence_deep(query, candidate, found, reading, direction=LATER),
        change_evidence(query, candidate, found, change, direction=LATER),
    )


def _sketches(mine: Weights, theirs: Weights, dtype: str) -> ChangeEvidence:
    query, candidate = take(_checkpoint(mine, dtype)), take(_checkpoint(theirs, "F32"))
    found = differences(query, candidate, Matching(query, candidate).accepted)
    change = change_of(query, candidate, found, direction=LATER)
    return change_evidence(query, candidate, found, change, direction=LATER)


def _checkpoint(weights: Weights, dtype: str) -> MemoryCheckpoint:
    return MemoryCheckpoint({name: (value, dtype) for name, value in weights.items()})


def _arrays(name: str) -> dict[str, NDArray[np.float32]]:
    return {key: tensor.numpy() for key, tensor in weights_of(name).items()}


def _rms(child: Weights, base: Weights) -> float:
    """Root mean square of what training changed in the matrices, each weighing the same."""
    squares = [
        np.mean((child[name] - value).astype(np.float64) ** 2)
        for name, value in base.items()
        if value.ndim == 2
    ]
    return float(np.sqrt(np.mean(squares)))


def _names_noise(told: ChangeEvidence) -> bool:
    """Whether it is called added noise, alone or over a training."""
    over = told.kind is ChangeKind.MIXTURE and "added noise over" in told.sentence
    return told.kind is ChangeKind.ADDED_NOISE or over


def _short(told: ChangeEvidence) -> str:
    if told.kind is ChangeKind.MIXTURE and _names_noise(told):
        return "noise over training"
    return told.kind.value


def _count(kinds: dict[str, Counter[str]], what: str, told: Told) -> None:
    for depth, each in (("deep", told.deep), ("sketches", told.sketches)):
        kinds.setdefault(f"{what} ({depth})", Counter())[_short(each)] += 1


def _print_kinds(title: str, kinds: Mapping[str, Counter[str]]) -> None:
    names = sorted({name for counter in kinds.values() for name in counter})
    rows = [
        (what, sum(counter.values()), *(counter[name] or "–" for name in names))
        for what, counter in sorted(kinds.items())
    ]
    print_table(title, ("what", "cases", *names), rows)


if __name__ == "__main__":
    main()
