"""The files that are the model are found in every usual layout, and only those."""

from __future__ import annotations

import pytest

from kinprint.checkpoints import limits
from kinprint.checkpoints.layout import ShardIndex, WeightFile, shard_files, weight_files
from kinprint.errors import LimitExceededError, MalformedIndexError, UnsupportedFormatError


def chosen(*paths: str) -> list[str]:
    layout = weight_files([(path, 100) for path in paths])
    return [item.path for item in layout.chosen]


SHARDS = [f"model-0000{number}-of-00003.safetensors" for number in (1, 2, 3)]
INDEX = "model.safetensors.index.json"


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        pytest.param(
            ["README.md", "config.json", "model.safetensors", "tokenizer.json"],
            ["model.safetensors"],
            id="one file",
        ),
        pytest.param([INDEX, *SHARDS], [INDEX], id="sharded with an index"),
        pytest.param(SHARDS[::-1], SHARDS, id="sharded without an index"),
        pytest.param(
            ["model.safetensors", INDEX, *SHARDS],
            ["model.safetensors"],
            id="whole and sharded: the whole, as transformers does",
        ),
        pytest.param(
            ["model.safetensors", "pytorch_model.bin", "tf_model.h5", "flax_model.msgpack"],
            ["model.safetensors"],
            id="safetensors before torch",
        ),
        pytest.param(
            [
                "openvino_model.bin",
                "optimizer.pt",
                "pytorch_model.bin",
                "rng_state_0.pth",
                "scaler.pt",
                "scheduler.pt",
                "training_args.bin",
            ],
            ["pytorch_model.bin"],
            id="what a trainer leaves is no model",
        ),
        pytest.param(
            ["pytorch_model.bin.index.json", "pytorch_model-00001-of-00001.bin"],
            ["pytorch_model.bin.index.json"],
            id="sharded torch",
        ),
        pytest.param(
            ["adapter_config.json", "adapter_model.safetensors", "checkpoint-10/optimizer.pt"],
            ["adapter_model.safetensors"],
            id="an adapter",
        ),
        pytest.param(
            [
                "model_index.json",
                "v1-5.safetensors",
                "unet/diffusion_pytorch_model.safetensors",
                "unet/diffusion_pytorch_model.fp16.safetensors",
                "vae/diffusion_pytorch_model.bin",
                "text_encoder/model.safetensors",
                "text_encoder/model.fp16.safetensors",
            ],
            [
                "text_encoder/model.safetensors",
                "unet/diffusion_pytorch_model.safetensors",
                "vae/diffusion_pytorch_model.bin",
            ],
            id="a diffusers pipeline",
        ),
        pytest.param(
            ["model_index.json", "model.safetensors"], ["model.safetensors"], id="a flat pipeline"
        ),
        pytest.param(
            [
                "transformer/diffusion_pytorch_model.safetensors.index.json",
                "transformer/diffusion_pytorch_model-00001-of-00001.safetensors",
                "transformer/diffusion_pytorch_model.safetensors.index.fp16.json",
                "transformer/diffusion_pytorch_model.fp16-00001-of-00001.safetensors",
            ],
            ["transformer/diffusion_pytorch_model.safetensors.index.json"],
            id="sharded with a sharded variant",
        ),
        pytest.param(
            ["m/model.fp16.safetensors"], ["m/model.fp16.safetensors"], id="only a variant"
        ),
        pytest.param(
            ["model.safetensors", "2_Dense/pytorch_model.bin"],
            ["model.safetensors", "2_Dense/pytorch_model.bin"],
            id="sentence-transformers",
        ),
        pytest.param(
            ["my-lora-v3.1.safetensors", "other.safetensors"],
            ["my-lora-v3.1.safetensors", "other.safetensors"],
            id="names of their own",
        ),
        pytest.param(
            [INDEX, *SHARDS, "consolidated.safetensors", "original/consolidated.00.pth"],
            [INDEX],
            id="the publisher's own copy",
        ),
        pytest.param(
            ["consolidated.00.pth", "consolidated.01.pth"],
            ["consolidated.00.pth", "consolidated.01.pth"],
            id="the publisher's own format alone",
        ),
        pytest.param(
            ["original/consolidated.00.pth"], ["original/consolidated.00.pth"], id="only a copy"
        ),
        pytest.param(
            ["model.safetensors", "checkpoint-5/model.safetensors", "onnx/model.safetensors"],
            ["model.safetensors"],
            id="earlier steps beside the model",
        ),
        pytest.param(
            ["checkpoint-90/model.safetensors", "checkpoint-500/model.safetensors"],
            ["checkpoint-500/model.safetensors"],
            id="only steps: the last",
        ),
        pytest.param(
            [".cache/model.safetensors", "a/.git/model.safetensors", "b/model.safetensors"],
            ["b/model.safetensors"],
            id="hidden folders",
        ),
        pytest.param(["a.bin", "a.pt"], ["a.bin", "a.pt"], id="one stem, two suffixes"),
    ],
)
def test_the_model_is_found(paths, expected):
    assert chosen(*paths) == expected
    assert chosen(*reversed(paths)) == expected


def test_what_is_left_out_is_said():
    layout = weight_files([("model.safetensors", 9), ("model.fp16.safetensors", 5), ("a.bin", 5)])
    assert {entry.name for entry in layout.left_out} == {"model.fp16.safetensors", "a.bin"}
    assert layout.chosen == (WeightFile("model.safetensors", 9),)


def test_of_variants_alone_the_largest_is_read():
    layout = weight_files([("model.fp16.safetensors", 5), ("model.fp32.safetensors", 9)])
    assert layout.chosen == (WeightFile("model.fp32.safetensors", 9),)


@pytest.mark.parametrize("others", [[], ["model.gguf", "model.onnx", "config.json"]])
def test_no_weights_is_an_error_that_names_what_there_is(others):
    with pytest.raises(UnsupportedFormatError) as caught:
        chosen(*others)
    assert ("found .gguf, .onnx" in caught.value.message) == bool(others)


def test_a_missing_numbered_shard_is_refused():
    with pytest.raises(MalformedIndexError, match="2 numbered shards where 3"):
        chosen(SHARDS[0], SHARDS[2])


def test_two_sets_of_numbered_shards_are_refused():
    with pytest.raises(MalformedIndexError):
        chosen(*SHARDS, "model-00001-of-00002.safetensors")


def test_a_file_listed_twice_is_refused():
    with pytest.raises(MalformedIndexError, match="listed twice"):
        chosen("model.safetensors", "model.safetensors")


OUTSIDE = ["../model.safetensors", "/etc/model.safetensors", "a/../../b.safetensors"]
MISSPELT = ["./model.safetensors", "a//b.safetensors", "a\\b.safetensors", "", ".", "..", "a\0"]


@pytest.mark.parametrize("path", OUTSIDE + MISSPELT)
def test_paths_that_leave_the_repo_or_have_a_second_spelling_are_refused(path):
    with pytest.raises(MalformedIndexError):
        chosen(path)
    with pytest.raises(MalformedIndexError):
        shard_files(ShardIndex("m/i.json", 1), {"w": path}, {path: 1, f"m/{path}": 1})


def test_shards_lie_beside_their_index():
    sizes = {"m/1.safetensors": 7, "m/s/2.safetensors": 8}
    weight_map = {"a": "s/2.safetensors", "b": "1.safetensors", "c": "1.safetensors"}
    assert shard_files(ShardIndex("m/i.json", 1), weight_map, sizes) == (
        WeightFile("m/1.safetensors", 7),
        WeightFile("m/s/2.safetensors", 8),
    )


@pytest.mark.parametrize("weight_map", [{}, {"w": "absent.safetensors"}])
def test_an_index_without_its_shards_is_refused(weight_map):
    with pytest.raises(MalformedIndexError):
        shard_files(ShardIndex("i.json", 1), weight_map, {"other.safetensors": 1})


def test_more_shards_than_any_model_are_refused(monkeypatch):
    monkeypatch.setattr(limits, "SHARDS", 2)
    with pytest.raises(LimitExceededError):
        chosen(*SHARDS)
    weight_map = {name: name for name in SHARDS}
    with pytest.raises(LimitExceededError):
        shard_files(ShardIndex("i.json", 1), weight_map, dict.fromkeys(SHARDS, 1))
