"""What 64 rows of both sides say: noise, training, a low-rank update, or that nobody can tell."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

import weights as w
from kinprint.fingerprint.deep import read_deep
from kinprint.fingerprint.take import take
from kinprint.lineage.change import change_of
from kinprint.lineage.differences import differences
from kinprint.lineage.evidence.change.deep_change import change_evidence_deep
from kinprint.lineage.evidence.change.edge import spectrum
from kinprint.lineage.evidence.change.sketch_change import change_evidence
from kinprint.lineage.evidence.record import ChangeEvidence, ChangeKind
from kinprint.lineage.matching import Matching
from kinprint.lineage.verdict import Direction
from memory_checkpoint import MemoryCheckpoint

pytestmark = pytest.mark.slow

BASE = w.strangers(0, layers=8, size=128)
SIGMA = 1 / 708
LATER = Direction.REPO_FROM_MATCH


def evidence(
    mine: w.Weights,
    theirs: w.Weights = BASE,
    *,
    dtype: str = "F32",
    other_dtype: str = "F32",
    direction: Direction = LATER,
    depth: str = "deep",
) -> ChangeEvidence:
    one = MemoryCheckpoint({name: (value, dtype) for name, value in mine.items()})
    other = MemoryCheckpoint({name: (value, other_dtype) for name, value in theirs.items()})
    query, candidate = take(one), take(other)
    pairs = Matching(query, candidate).accepted
    found = differences(query, candidate, pairs)
    if depth == "sketches":
        change = change_of(query, candidate, found, direction=direction)
        return change_evidence(query, candidate, found, change, direction=direction)
    reading = read_deep(one, query, other, candidate, pairs)
    return change_evidence_deep(query, candidate, found, reading, direction=direction)


def bf16(weights: w.Weights) -> w.Weights:
    return {
        name: value.astype(ml_dtypes.bfloat16).astype(np.float32) for name, value in weights.items()
    }


def stepped(weights: w.Weights, rate: float, steps: int = 12, seed: int = 5) -> w.Weights:
    """Adam on gradients that add up a few tokens' outer products, which keep some directions."""
    rng = np.random.default_rng(seed)
    trained = {}
    for name, value in weights.items():
        if value.ndim == 1:
            trained[name] = value
            continue
        rows, cols = value.shape
        left, right = rng.normal(size=(rows, 4)), rng.normal(size=(4, cols))
        mean, square = np.zeros((rows, cols)), np.zeros((rows, cols))
        delta = np.zeros((rows, cols))
        for step in range(1, steps + 1):
            tokens = rng.normal(size=(8, rows)).T @ rng.normal(size=(8, cols))
            gradient = left @ (rng.normal(1, 1, (4, 1)) * right) + tokens
            mean = 0.9 * mean + 0.1 * gradient
            square = 0.999 * square + 0.001 * gradient**2
            delta -= rate * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
        trained[name] = (value + delta).astype(np.float32)
    return trained


@pytest.mark.parametrize("dtype", ["F32", "F16", "BF16"])
def test_one_scalar_added_everywhere_is_added_noise_with_its_sigma(dtype: str) -> None:
    found = evidence(w.renamed(w.noised(BASE, SIGMA)), dtype=dtype)
    assert found.kind is ChangeKind.ADDED_NOISE
    assert "perhaps over a light training" in found.sentence
    assert found.sigma is not None
    assert found.sigma.low <= SIGMA <= found.sigma.high
    assert found.sigma.high - found.sigma.low < 0.03 * SIGMA
    assert found.gain == pytest.approx(1, abs=0.002)
    assert found.edge_ratio is not None
    assert found.edge_ratio < 1.05
    assert found.one_scalar_p is not None
    assert found.one_scalar_p > 1e-3
    assert len(found.tensors) == 8
    assert all(each.sigma is not None for each in found.tensors)


@pytest.mark.parametrize("ulps", [0.3, 1.0, 3.0])
@pytest.mark.parametrize("original_is_rounded", [True, False])
def test_sigma_is_recovered_about_and_below_the_grid_of_bf16(
    ulps: float, original_is_rounded: bool
) -> None:
    sigma = ulps * 0.05 * 2**-8
    base = bf16(BASE) if original_is_rounded else BASE
    found = evidence(w.noised(base, sigma), base, dtype="BF16")
    assert found.censored
    assert found.sigma is not None
    assert found.sigma.low <= sigma <= found.sigma.high
    assert found.sigma.high - found.sigma.low < 0.06 * sigma


@pytest.mark.parametrize("dtype", ["BF16", "F16", "F32"])
@pytest.mark.parametrize("direction", list(Direction))
def test_rounding_alone_is_never_noise(dtype: str, direction: Direction) -> None:
    cast = evidence(BASE, dtype=dtype, direction=direction)
    assert cast.kind is ChangeKind.NONE
    assert cast.sigma is None
    back = evidence(BASE, BASE, other_dtype=dtype, direction=direction)
    assert back.kind is ChangeKind.NONE


def test_rounding_towards_zero_is_never_noise() -> None:
    cut = {
        name: (value.view(np.uint32) & 0xFFFF0000).view(np.float32) for name, value in BASE.items()
    }
    assert evidence(cut).kind is ChangeKind.NONE


def test_rounding_twice_is_never_noise() -> None:
    twice = bf16({n: v.astype(np.float16).astype(np.float32) for n, v in BASE.items()})
    assert evidence(twice, dtype="BF16").kind in {ChangeKind.NONE, ChangeKind.NOT_SEPARABLE}


def test_noise_far_below_the_grid_cannot_be_told_and_says_so() -> None:
    found = evidence(w.noised(bf16(BASE), 1e-6), bf16(BASE), dtype="BF16", other_dtype="BF16")
    assert found.kind is ChangeKind.NOT_SEPARABLE
    assert "resol" in found.sentence


def test_noise_in_proportion_to_each_tensor_is_not_called_added_noise() -> None:
    rng = np.random.default_rng(8)
    mine = {
        name: (value + 0.05 * value.std() * rng.normal(size=value.shape)).astype(np.float32)
        for name, value in BASE.items()
    }
    found = evidence(mine)
    assert found.kind is ChangeKind.NOT_SEPARABLE
    assert found.one_scalar_p is not None
    assert found.one_scalar_p < 1e-4


def test_noise_in_proportion_to_each_weight_is_not_called_added_noise() -> None:
    rng = np.random.default_rng(8)
    one_scale = w.strangers(1, layers=8, size=128)
    one_scale = {n: (v / v.std() if v.ndim == 2 else v) for n, v in one_scale.items()}
    mine = {
        name: (value * (1 + 0.02 * rng.normal(size=value.shape))).astype(np.float32)
        for name, value in one_scale.items()
    }
    assert evidence(mine, one_scale).kind is ChangeKind.NOT_SEPARABLE


@pytest.mark.parametrize("rate", [1e-6, 1e-4, 1e-3])
@pytest.mark.parametrize("dtype", ["F32", "BF16"])
def test_a_fine_tune_is_never_noise(rate: float, dtype: str) -> None:
    found = evidence(stepped(BASE, rate), dtype=dtype)
    if dtype == "F32":
        assert found.kind is ChangeKind.FINE_TUNING
    assert found.kind is not ChangeKind.ADDED_NOISE
    assert "Added" not in found.sentence


def test_one_trained_layer_among_noised_ones_is_seen() -> None:
    one = {"layers.3.weight": BASE["layers.3.weight"]}
    mine = w.noised(BASE, SIGMA) | stepped(one, 1e-3)
    assert evidence(mine).kind is not ChangeKind.ADDED_NOISE


def test_noise_of_twice_a_training_is_named_beside_it_and_hides_it_when_much_larger() -> None:
    child = stepped(BASE, 1e-4)
    matrices = [name for name, value in BASE.items() if value.ndim == 2]
    rms = float(np.sqrt(np.mean([((child[n] - BASE[n]) ** 2).mean() for n in matrices])))
    visible = evidence(w.noised(child, 2.2 * rms))
    assert visible.kind in {ChangeKind.MIXTURE, ChangeKind.ADDED_NOISE}
    assert visible.sentence.startswith("The values differ by what looks like added")
    hidden = evidence(w.noised(child, 30 * rms))
    assert hidden.kind is ChangeKind.ADDED_NOISE
    assert "perhaps over a light training" in hidden.sentence


@pytest.mark.parametrize("dtype", ["F32", "BF16"])
def test_a_merged_adapter_is_a_low_rank_update(dtype: str) -> None:
    found = evidence(w.trained(BASE, 5e-3, rank=8), dtype=dtype)
    assert found.kind is ChangeKind.LOW_RANK_UPDATE


def test_quantisation_and_pruning_are_named() -> None:
    assert evidence(w.int8(BASE)).kind is ChangeKind.QUANTISATION
    assert evidence(w.int8(stepped(BASE, 1e-3))).kind is ChangeKind.MIXTURE
    cut = evidence(w.pruned(BASE, 0.3))
    assert cut.kind is ChangeKind.PRUNING
    assert "30%" in cut.sentence


def test_a_mixture_with_a_stranger_is_not_separable() -> None:
    found = evidence(w.mixed(BASE, w.strangers(7, layers=8, size=128), 0.97))
    assert found.kind is ChangeKind.NOT_SEPARABLE
    assert found.gain == pytest.approx(0.97, abs=0.01)


def test_a_handful_of_changed_tensors_is_not_enough() -> None:
    few = {f"layers.{n}.weight": BASE[f"layers.{n}.weight"] for n in range(4)}
    assert evidence(BASE | w.noised(few, SIGMA)).kind is ChangeKind.NOT_SEPARABLE


def test_without_a_known_order_the_side_that_the_other_explains_whole_came_first() -> None:
    noisy = w.noised(BASE, 0.01)
    for mine, theirs in ((noisy, BASE), (BASE, noisy)):
        found = evidence(mine, theirs, direction=Direction.UNKNOWN)
        assert found.sigma is not None
        assert found.sigma.low <= 0.01 <= found.sigma.high
        assert found.gain == pytest.approx(1, abs=0.002)


def test_tensors_that_are_all_zero_or_not_finite_do_not_break_the_answer() -> None:
    odd = {
        "zero": np.zeros((128, 128), np.float32),
        "nan": np.full((128, 128), np.nan, np.float32),
    }
    found = evidence(w.noised(BASE, SIGMA) | odd, BASE | odd)
    assert found.kind is ChangeKind.ADDED_NOISE
    gaps = {name: value.copy() for name, value in BASE.items()}
    gaps["layers.0.weight"][:3] = 0
    assert evidence(w.noised(gaps, SIGMA), gaps).kind is ChangeKind.ADDED_NOISE


def test_a_step_of_signs_without_any_direction_is_not_called_added_noise() -> None:
    rng = np.random.default_rng(6)
    mine = {
        name: (value + 1e-4 * rng.choice([-1.0, 1.0], value.shape)).astype(np.float32)
        for name, value in BASE.items()
    }
    found = evidence(mine)
    assert found.kind is ChangeKind.NOT_SEPARABLE
    assert "not Gaussian" in found.sentence


def test_models_that_share_nothing_have_nothing_between_them() -> None:
    found = evidence(w.strangers(9, layers=8, size=128))
    assert found.kind is ChangeKind.NOT_SEPARABLE
    assert found.sentence == "No matched tensor was read again."
    assert found.tensors == ()
    assert found.sigma is None


@pytest.mark.parametrize("shape", [(64, 128), (64, 384), (40, 256)])
def test_noise_stays_at_the_edge_of_marchenko_and_pastur(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    found = [
        spectrum(rng.normal(size=shape) * rng.lognormal(size=(shape[0], 1))) for _ in range(99)
    ]
    z = [each.z for each in found]
    assert abs(np.mean(z)) < 0.4
    assert 0.7 < np.std(z) < 1.2
    assert max(each.ratio for each in found) < 1.06
    assert np.median([each.floor for each in found]) == pytest.approx(1, abs=0.1)


def test_the_sketches_alone_give_the_same_section() -> None:
    few = evidence(w.noised(BASE, SIGMA), depth="sketches")
    assert few.kind is ChangeKind.NOT_SEPARABLE
    many = w.strangers(0, layers=12, size=128)
    noise = evidence(w.noised(many, SIGMA), many, depth="sketches")
    assert noise.kind is ChangeKind.ADDED_NOISE
    assert noise.depth == "sketches"
    assert not noise.censored
    assert noise.edge_ratio is None
    assert noise.sigma is not None
    assert noise.sigma.low <= SIGMA <= noise.sigma.high
    assert noise.one_scalar_p is not None
    assert len(noise.tensors) == 12
    for each in noise.tensors:
        assert each.sigma is not None
        assert each.sigma.low < each.sigma.value < each.sigma.high
    kinds = {
        "none": evidence(BASE, dtype="BF16", depth="sketches"),
        "fine_tuning": evidence(stepped(BASE, 1e-3), depth="sketches"),
        "quantisation": evidence(w.int8(BASE), depth="sketches"),
        "pruning": evidence(w.pruned(BASE, 0.3), depth="sketches"),
        "not_separable": evidence(
            w.mixed(BASE, w.strangers(7, layers=8, size=128), 0.9), depth="sketches"
        ),
    }
    assert {name: found.kind.value for name, found in kinds.items()} == {n: n for n in kinds}
    assert all(found.sentence for found in kinds.values())
