"""Models on the Hub are rekeyed and perturbed by ranges, and none of their code is fetched."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner
from safetensors.numpy import load, load_file, save

from kinprint.cli import main
from kinprint.experiment import companions
from weights import renamed, strangers

WEIGHTS = strangers(4, layers=6, size=128)
BESIDE = {
    "config.json": '{"model_type": "bert"}',
    "vocab.txt": "[PAD]\n",
    "modeling_own.py": "raise SystemExit",
    "tokenizer.pkl": "cos\nsystem\n",
    "onnx/config.json": "{}",
    "README.md": "# Card",
}


def run(*arguments: object):
    return CliRunner().invoke(main, [str(each) for each in arguments])


@pytest.fixture
def hub(connected_hub):
    connected_hub.repo("acme/original").commit({"model.safetensors": save(WEIGHTS), **BESIDE})
    names = list(renamed(WEIGHTS))
    shards = {
        f"model-0000{number}-of-00002.safetensors": save(
            {name: renamed(WEIGHTS)[name] for name in names[number - 1 :: 2]}
        )
        for number in (1, 2)
    }
    connected_hub.repo("birch/copy").commit({**shards, "config.json": '{"model_type": "own"}'})
    return connected_hub


def test_a_copy_on_the_hub_comes_out_under_the_originals_keys(hub, tmp_path) -> None:
    done = run("rekey", "birch/copy", "--like", "acme/original", "-o", tmp_path / "out")
    assert done.exit_code == 0, done.output
    found = load_file(tmp_path / "out" / "model.safetensors")
    assert found.keys() == WEIGHTS.keys()
    assert all(found[name].tobytes() == value.tobytes() for name, value in WEIGHTS.items())
    assert (tmp_path / "out" / "config.json").read_text() == BESIDE["config.json"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "config.json",
        "model.safetensors",
        "vocab.txt",
    ]
    for never in ("*.py", "*.pkl", "*README.md", "*onnx*"):
        assert not hub.log.of(never)


def test_a_twin_of_a_model_on_the_hub_has_its_noise_and_its_config(hub, tmp_path) -> None:
    done = run("perturb", "acme/original", "--sigma", "0.01", "-o", tmp_path / "out")
    assert done.exit_code == 0, done.output
    found = load((tmp_path / "out" / "model.safetensors").read_bytes())
    every = np.concatenate([(found[name] - WEIGHTS[name]).ravel() for name in WEIGHTS])
    assert every.std() == pytest.approx(0.01, rel=0.02)
    assert (tmp_path / "out" / "vocab.txt").read_text() == BESIDE["vocab.txt"]


def test_a_config_of_absurd_length_is_not_fetched(hub, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(companions, "COMPANION_BYTES", 10)
    done = run("perturb", "acme/original", "--sigma", "0.01", "-o", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert not (tmp_path / "out" / "config.json").exists()
    assert not hub.log.of("*config.json")
