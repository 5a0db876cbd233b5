"""The noisy twin: the noise asked for, the same to the bit each time, in bounded memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from scipy.stats import kstest

from hostile_files import Name, tensor, torch_archive
from kinprint.checkpoints.local import LocalCheckpoint
from kinprint.checkpoints.tensors import Span
from kinprint.checkpoints.write_safetensors import NewTensor, lay_out
from kinprint.cli import main
from kinprint.errors import CheckpointError, UnsupportedFormatError
from kinprint.experiment import slices
from kinprint.experiment.noise_stream import standard_normal
from kinprint.experiment.perturb import plan_twin, write_twin
from kinprint.fingerprint.source import fingerprint_of
from kinprint.lineage.compare import compare
from memory_checkpoint import MemoryCheckpoint
from weights import strangers

WEIGHTS = strangers(3, size=128, layers=6)
SIGMA = 1 / 708


def run(*arguments: object):
    return CliRunner().invoke(main, [str(each) for each in arguments])


def twin_of(checkpoint, folder, *, sigma=SIGMA, seed=0, dtype=None):
    write_twin(checkpoint, plan_twin(checkpoint, dtype=dtype), folder, sigma=sigma, seed=seed)
    return load_file(folder / "model.safetensors")


@given(st.integers(0, 2**64 - 1), st.lists(st.integers(0, 40), min_size=1, max_size=5))
def test_noise_does_not_depend_on_how_a_tensor_is_cut(seed, cuts):
    whole = standard_normal(seed, "w", 0, sum(cuts))
    starts = np.cumsum([0, *cuts[:-1]])
    parts = [standard_normal(seed, "w", int(a), n) for a, n in zip(starts, cuts, strict=True)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_noise_is_normal_and_another_for_each_seed_and_tensor():
    streams = [standard_normal(s, name, 0, 200_000) for s in (0, 1) for name in ("a", "b")]
    for stream in streams:
        assert kstest(stream, "norm").pvalue > 1e-3
    correlations = np.corrcoef(streams) - np.eye(4)
    assert np.abs(correlations).max() < 0.012


def test_the_noise_of_a_seed_never_changes_between_versions():
    np.testing.assert_allclose(
        standard_normal(708, "model.embed_tokens.weight", 0, 4),
        [0.8543932220727793, -0.06751295883813165, -0.699816031812068, -0.06771068662189336],
        rtol=1e-9,
    )


@pytest.mark.parametrize("dtype", [None, "bf16", "f16", "f32"])
def test_compare_measures_the_noise_that_was_asked_for(tmp_path, dtype):
    (tmp_path / "a").mkdir()
    weights = strangers(3, size=128, layers=12)
    save_file(weights, tmp_path / "a" / "model.safetensors")
    more = ["--dtype", dtype] if dtype else []
    done = run("perturb", tmp_path / "a", "--sigma", "1/708", "-o", tmp_path / "b", *more)
    assert done.exit_code == 0, done.output
    found = compare(fingerprint_of(str(tmp_path / "b")), fingerprint_of(str(tmp_path / "a")))
    (noised,) = [each for each in found.verdict.transforms if each.name == "noised"]
    assert noised.figures["sigma_low"] <= SIGMA <= noised.figures["sigma_high"]
    with safe_open(tmp_path / "b" / "model.safetensors", "np") as file:
        dtypes = {file.get_slice(name).get_dtype() for name in weights}
    assert dtypes == {(dtype or "f32").upper()}


def test_every_float_tensor_gets_noise_of_sigma_vectors_and_scalars_too(tmp_path):
    weights = {**WEIGHTS, "scale": np.array(4.6, np.float32)}
    found = twin_of(MemoryCheckpoint(weights), tmp_path / "out", sigma=0.01)
    residual = {name: found[name] - weights[name] for name in weights}
    every = np.concatenate([each.ravel() for each in residual.values()])
    assert every.std() == pytest.approx(0.01, rel=0.02)
    assert all(each.any() for each in residual.values())
    for name in ("layers.0.weight", "layers.5.norm"):
        spread = 4 / np.sqrt(2 * residual[name].size)
        assert residual[name].std() == pytest.approx(0.01, rel=spread)


def test_one_seed_gives_one_twin_however_the_model_is_sharded_and_read(tmp_path, monkeypatch):
    first = twin_of(MemoryCheckpoint(WEIGHTS), tmp_path / "a", seed=5)
    monkeypatch.setattr(slices, "PIECE_ELEMENTS", 1_000)
    shuffled = dict(reversed(WEIGHTS.items()))
    again = twin_of(MemoryCheckpoint(shuffled, files=3), tmp_path / "b", seed=5)
    other = twin_of(MemoryCheckpoint(WEIGHTS), tmp_path / "c", seed=6)
    for name in WEIGHTS:
        assert first[name].tobytes() == again[name].tobytes()
        assert first[name].tobytes() != other[name].tobytes()


def test_tied_tensors_stay_equal_and_integers_stay_as_they_are(tmp_path):
    table, steps = WEIGHTS["layers.0.weight"], np.arange(6)
    numel = table.size
    file = torch_archive(
        tmp_path / "m.pt",
        {
            "embed": tensor("0", numel, table.shape, (128, 1)),
            "head": tensor("0", numel, table.shape, (128, 1)),
            "steps": tensor("1", 6, (6,), (1,), storage=Name("torch", "LongStorage")),
        },
        {"0": table.tobytes(), "1": steps.tobytes()},
    )
    found = twin_of(LocalCheckpoint(file), tmp_path / "out")
    assert found["embed"].tobytes() == found["head"].tobytes() != table.tobytes()
    np.testing.assert_array_equal(found["steps"], steps)


@pytest.mark.parametrize("dtype", ["F8_E4M3", "F8_E5M2"])
def test_quantised_weights_are_refused_with_what_to_do(tmp_path, dtype):
    checkpoint = MemoryCheckpoint({"w": (np.ones((64, 64)), dtype)})
    with pytest.raises(UnsupportedFormatError, match="scales stored elsewhere") as caught:
        plan_twin(checkpoint)
    assert "quantised from" in caught.value.hint


def test_a_value_that_does_not_fit_is_an_error_and_leaves_nothing(tmp_path):
    checkpoint = MemoryCheckpoint({"w": np.array([1.0, 1e5, np.inf])})
    with pytest.raises(CheckpointError, match="does not fit F16"):
        twin_of(checkpoint, tmp_path / "out", dtype="F16")
    assert list(tmp_path.iterdir()) == []


def test_infinities_and_nan_stay(tmp_path):
    odd = np.array([np.inf, -np.inf, np.nan, 1.0], np.float32)
    found = twin_of(MemoryCheckpoint({"w": odd}), tmp_path / "out", dtype="F16")["w"]
    assert found[0] == np.inf
    assert found[1] == -np.inf
    assert np.isnan(found[2])
    assert np.isfinite(found[3])


@pytest.mark.parametrize(
    "sigma", ["0", "-1", "1/0", "x", "1/708/2", "1e", "nan", "inf", "1e999999999", "", "0/5"]
)
def test_what_is_no_positive_number_is_refused(tmp_path, sigma):
    done = run("perturb", tmp_path, f"--sigma={sigma}", "-o", tmp_path / "out")
    assert done.exit_code == 2
    assert "no positive number" in done.stderr


@pytest.mark.parametrize(("text", "value"), [("1/708", 1 / 708), ("0.25", 0.25), ("1e-3/2", 5e-4)])
def test_a_dry_run_names_files_bytes_and_noise_and_writes_nothing(tmp_path, text, value):
    (tmp_path / "a").mkdir()
    save_file(WEIGHTS, tmp_path / "a" / "model.safetensors")
    arguments = ("perturb", tmp_path / "a", "--sigma", text, "-o", tmp_path / "b", "--seed", 9)
    done = run(*arguments, "--dry-run", "--json")
    assert done.exit_code == 0, done.output
    promised = json.loads(done.output)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert promised["sigma"] == value
    assert promised["seed"] == 9
    assert set(promised["noised"]) == WEIGHTS.keys()
    assert run(*arguments).exit_code == 0
    (file,) = promised["files"]
    assert (tmp_path / "b" / file["file"]).stat().st_size == file["bytes"] == promised["bytes"]


MEASURE = """
import sys
from pathlib import Path
from kinprint.checkpoints.local import LocalCheckpoint
from kinprint.experiment import perturb
from kinprint.experiment.pairing import Model
from kinprint.experiment.rekey import Part, Rekeying, write_rekeyed
from kinprint.experiment.slices import PIECE_ELEMENTS, Slice
source, folder, which = sys.argv[1:]
checkpoint = LocalCheckpoint(Path(source))
if which == "perturb":
    # One piece of real noise, the others repeat it: all would take twenty seconds.
    piece = perturb.standard_normal(0, "w", 0, PIECE_ELEMENTS)
    perturb.standard_normal = lambda seed, name, first, count: piece[:count].copy()
    twin = perturb.plan_twin(checkpoint)
    perturb.write_twin(checkpoint, twin, Path(folder), sigma=0.1)
else:
    layout = perturb.plan_twin(checkpoint).layout
    parts = {each.name: (Part(Slice.whole(each), True),) for each in checkpoint.tensors}
    write_rekeyed(checkpoint, checkpoint, Rekeying(layout, (), (), (), (), parts), Path(folder))
status = Path("/proc/self/status").read_text()
print(int(status.split("VmHWM:")[1].split()[0]) * 1024)
"""


@pytest.mark.slow
@pytest.mark.parametrize("which", ["perturb", "rekey"])
def test_memory_stays_under_300_mb_however_large_a_tensor_is(tmp_path, which):
    (shard,) = lay_out([NewTensor("w", "F32", (400, 250_000))]).shards
    file = tmp_path / "model.safetensors"
    file.write_bytes(shard.header)
    os.truncate(file, shard.nbytes)
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(file), str(tmp_path / "out"), which],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 300e6
    written = LocalCheckpoint(tmp_path / "out")
    (found,) = written.tensors
    assert found.nbytes == 400_000_000
    (last,) = written.read([Span(found.file, shard.nbytes - 4, shard.nbytes)])
    assert last != bytes(4)
