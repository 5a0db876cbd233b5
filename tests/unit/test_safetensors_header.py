"""Whatever a safetensors header declares, it is believed only where the file bears it out."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors import SafetensorError, deserialize
from safetensors.numpy import save

from hostile_files import entry, safetensors_file
from kinprint.checkpoints import limits
from kinprint.checkpoints.safetensors import (
    FIRST_READ_BYTES,
    read_header,
    read_index,
)
from kinprint.errors import (
    CheckpointError,
    LimitExceededError,
    MalformedHeaderError,
    MalformedIndexError,
)


def inventory(raw: bytes):
    return read_header(lambda start, stop: raw[start:stop], len(raw), "m.safetensors")


def refused(raw: bytes, error=MalformedHeaderError) -> str:
    with pytest.raises(error) as caught:
        inventory(raw)
    assert "m.safetensors" in caught.value.message
    return caught.value.message


def test_tensors_come_in_order_of_offset_with_absolute_offsets():
    raw = save({"b": np.ones((2, 3), np.float32), "a": np.zeros(4, np.float16)})
    found = {tensor.name: tensor for tensor in inventory(raw).tensors}
    b = found["b"]
    assert (b.dtype, b.shape, b.file, b.nbytes) == ("F32", (2, 3), "m.safetensors", 24)
    assert raw[b.offset : b.offset + b.nbytes] == np.ones(6, np.float32).tobytes()
    offsets = [tensor.offset for tensor in inventory(raw).tensors]
    assert offsets == sorted(offsets)


def test_zero_size_and_rank_zero_tensors_are_legal():
    raw = save({"none": np.zeros((0, 5), np.float32), "one": np.array(3.0, np.float32)})
    assert {tensor.shape for tensor in inventory(raw).tensors} == {(0, 5), ()}


def test_integers_and_bools_are_noted_not_weights():
    raw = save({"ids": np.arange(3), "mask": np.ones(2, bool), "w": np.ones(1, np.float32)})
    found = inventory(raw)
    assert [tensor.name for tensor in found.tensors] == ["w"]
    assert {entry.name: entry.reason for entry in found.skipped} == {
        "ids": "I64 holds no float weights",
        "mask": "BOOL holds no float weights",
    }


def test_a_dtype_of_tomorrow_leaves_its_tensor_out_not_the_model():
    header = {"new": entry("F3_E1M1", [8], 0, 3), "w": entry("F32", [1], 3, 7)}
    found = inventory(safetensors_file(header, bytes(7)))
    assert [tensor.name for tensor in found.tensors] == ["w"]
    assert found.skipped[0].reason == "dtype F3_E1M1 is not known"


@pytest.mark.parametrize(
    ("tensors", "reads"), [(10, 1), (2_000, 2)], ids=["short header", "long header"]
)
def test_two_reads_are_enough(tensors, reads):
    raw = save({f"layer.{i}.weight": np.ones(1, np.float32) for i in range(tensors)})
    seen = []

    def read(start: int, stop: int) -> bytes:
        seen.append((start, stop))
        return raw[start:stop]

    assert len(read_header(read, len(raw), "f").tensors) == tensors
    assert len(seen) == reads
    assert seen[0] == (0, min(len(raw), FIRST_READ_BYTES + 8))


def packed_file(scales: dict) -> bytes:
    """One F4 tensor of 2 x 64 beside the given scale tensors, each of one byte an element."""
    header, at = {"m.weight": entry("F4", [2, 64], 0, 64)}, 64
    for name, (dtype, shape) in scales.items():
        size = int(np.prod(shape))
        header[name] = entry(dtype, list(shape), at, at + size)
        at += size
    return safetensors_file(header, bytes(at))


@pytest.mark.parametrize(
    ("dtype", "shape"), [("F8_E8M0", (2, 2)), ("F8_E4M3", (2, 4))], ids=["mx", "nvfp4"]
)
def test_packed_weights_find_their_block_scales(dtype, shape):
    found = inventory(packed_file({"m.weight_scale": (dtype, shape)}))
    (weight,) = found.tensors
    assert weight.scale is not None
    assert (weight.scale.name, weight.scale.shape) == ("m.weight_scale", shape)
    assert found.skipped[0].reason == "block scales of 'm.weight'"


@pytest.mark.parametrize(
    "scales",
    [
        {},
        {"other.weight_scale": ("F8_E8M0", (2, 2))},
        {"m.weight_scale": ("F8_E8M0", (2, 3))},
        {"m.input_scale": ("F8_E8M0", (2, 2)), "m.output_scale": ("F8_E8M0", (2, 2))},
    ],
    ids=["none", "another module", "another shape", "two that fit"],
)
def test_packed_weights_without_a_known_scale_are_skipped(scales):
    reasons = {entry.name: entry.reason for entry in inventory(packed_file(scales)).skipped}
    assert reasons["m.weight"] == "packed F4 without a known scale"


def test_of_two_scales_that_fit_the_one_named_after_the_weight_is_taken():
    scales = {"m.input_scale": ("F8_E8M0", (2, 2)), "m.weight_scale": ("F8_E8M0", (2, 2))}
    (weight,) = inventory(packed_file(scales)).tensors
    assert weight.scale is not None
    assert weight.scale.name == "m.weight_scale"


GOOD = {"w": entry("F32", [2], 0, 8)}


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "only 0 bytes"),
        (b"1234567", "only 7 bytes"),
        (safetensors_file(GOOD, bytes(8))[:40], "in a file of 40"),
        (safetensors_file(GOOD, bytes(7)), "tensor 'w'"),
        (safetensors_file(GOOD, bytes(9)), "belong to no tensor"),
        (safetensors_file(GOOD, bytes(8), declared_bytes=1_000), "1,000 bytes is declared"),
        (safetensors_file(b"", b""), "not valid JSON"),
        (safetensors_file(b"[1]", b""), "not valid JSON"),
        (safetensors_file(b'{"w":', b""), "not valid JSON"),
        (safetensors_file(b'{"w":NaN}', b""), "NaN"),
        (safetensors_file(b'{"w":1} x', b""), "tensor 'w'"),
        (safetensors_file(b'{"__metadata__":{}} x', b""), "after the end"),
        (safetensors_file(b'{"w":' + b"[" * 100_000, b""), "nested deeper"),
        (safetensors_file(b'{"w":{"shape":' + b"[" * 5_000 + b"]" * 5_000 + b"}}"), "nested"),
        (safetensors_file(b'{"\xff":{}}', b""), "not valid JSON"),
        (safetensors_file(b'{"\\ud800":{}}', b""), "surrogate"),
        (safetensors_file(b'{"' + b"n" * 9_000 + b'":{}}', b""), "a name of"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS pointer"),
    ],
)
def test_a_file_that_is_not_what_it_says_is_refused(raw, says):
    assert says in refused(raw)


def test_a_declared_header_of_exabytes_is_not_read():
    assert "limit is 25,000,000" in refused(
        safetensors_file(GOOD, bytes(8), declared_bytes=2**63), LimitExceededError
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b'{"w":%s,"w":%s}', "declared twice"),
        (b'{"w":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}', "repeated"),
    ],
)
def test_duplicate_keys_are_refused(text, says):
    one = json.dumps(GOOD["w"]).encode()
    raw = safetensors_file(text % (one, one) if b"%s" in text else text, bytes(8))
    assert says in refused(raw)


@pytest.mark.parametrize(
    "wrong",
    [
        entry("f32", [2], 0, 8),
        entry("F32", [3], 0, 8),
        entry("F32", [-2], 0, 8),
        entry("F32", [True, 2], 0, 8),
        entry("F32", [2.0], 0, 8),
        entry("F32", [2], 8, 0),
        entry("F32", [2], -8, 0),
        entry("F32", [2**31, 2**31, 2**31], 0, 8),
        {"dtype": "F32", "shape": "2", "data_offsets": [0, 8]},
        {"dtype": "F32", "shape": [2], "data_offsets": [0]},
        {"dtype": "F32", "shape": [2]},
        {"dtype": ["F32"], "shape": [2], "data_offsets": [0, 8]},
        entry("F4", [17], 0, 8),
        [],
        "w",
        None,
    ],
)
def test_lying_entries_are_refused_and_named(wrong):
    assert "tensor 'w'" in refused(safetensors_file({"w": wrong}, bytes(8)))


@pytest.mark.parametrize(
    ("shape", "says"), [([2**33, 0], "shape"), ([1] * 9, "rank 9")], ids=["dimension", "rank"]
)
def test_shapes_over_the_limits_are_refused_and_named(shape, says):
    raw = safetensors_file({"w": entry("F32", shape, 0, 0)})
    message = refused(raw, LimitExceededError)
    assert says in message
    assert "tensor 'w'" in message


@pytest.mark.parametrize(
    ("second", "says"),
    [((4, 12), "overlaps"), ((12, 20), "a hole"), ((0, 8), "overlaps"), ((8, 10**9), "ends at")],
    ids=["overlap", "hole", "same bytes", "outside"],
)
def test_tensors_must_tile_the_file(second, says):
    size = second[1] - second[0]
    header = {"a": entry("U8", [8], 0, 8), "b": entry("U8", [size], *second)}
    message = refused(safetensors_file(header, bytes(20)))
    assert says in message
    assert "tensor 'b'" in message


def test_more_tensors_than_any_model_are_refused(monkeypatch):
    monkeypatch.setattr(limits, "TENSORS", 3)
    header = {f"w{i}": entry("F32", [0], 0, 0) for i in range(4)}
    assert "more than 3 tensors" in refused(safetensors_file(header), LimitExceededError)


def test_a_name_over_the_limit_is_refused():
    header = {"n" * (limits.NAME_CHARACTERS + 1): entry("F32", [0], 0, 0)}
    refused(safetensors_file(header), LimitExceededError)


def test_a_reader_that_returns_too_little_is_noticed():
    raw = save({"w": np.ones(4, np.float32)})
    with pytest.raises(MalformedHeaderError, match="3 bytes came"):
        read_header(lambda _start, _stop: raw[:3], len(raw), "f")


@given(st.data())
def test_what_is_accepted_the_reference_library_accepts_too(data):
    shapes = data.draw(st.lists(st.lists(st.integers(0, 3), max_size=3), min_size=1, max_size=4))
    raw = bytearray(save({f"t{i}": np.ones(shape, np.float32) for i, shape in enumerate(shapes)}))
    for _ in range(data.draw(st.integers(0, 3))):
        place = data.draw(st.integers(0, len(raw) - 1))
        raw[place] = data.draw(st.sampled_from(b'0123456789{}[]",:tF \\') | st.integers(0, 255))
    try:
        found = inventory(bytes(raw))
    except CheckpointError:
        return
    refusal, reference = "", {}
    try:
        reference = dict(deserialize(bytes(raw)))
    except SafetensorError as error:
        refusal = str(error)
    if refusal:
        # A dtype of tomorrow, or metadata that is not text, is no reason to refuse weights.
        assert "unknown variant" in refusal or "__metadata__" in bytes(raw).decode("latin-1")
        return
    for tensor in found.tensors:
        assert list(tensor.shape) == reference[tensor.name]["shape"]
        content = bytes(raw[tensor.offset : tensor.offset + tensor.nbytes])
        assert content == bytes(reference[tensor.name]["data"])


def test_an_index_maps_tensors_to_shards():
    raw = json.dumps(
        {"metadata": {"total_size": 8, "by": {"x": [1.5, "}"]}}, "weight_map": {"a": "1", "b": "2"}}
    ).encode()
    assert read_index(raw, "i.json") == {"a": "1", "b": "2"}


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"{}", "no weight_map"),
        (b"[]", "not valid JSON"),
        (b'{"weight_map": []}', "not valid JSON"),
        (b'{"weight_map": {"a": 1}}', "not text"),
        (b'{"weight_map": {"a": "1", "a": "2"}}', "listed twice"),
        (b'{"weight_map": {}, "weight_map": {}}', "two weight maps"),
        (b'{"weight_map": {"a": "1"}', "not valid JSON"),
        (b'{"weight_map": {"a": "' + b"x" * 20_000 + b'"}}', "not valid JSON"),
    ],
)
def test_a_malformed_index_is_refused(raw, says):
    with pytest.raises(MalformedIndexError, match=says) as caught:
        read_index(raw, "i.json")
    assert caught.value.file == "i.json"


def test_an_index_over_the_limits_is_refused(monkeypatch):
    monkeypatch.setattr(limits, "TENSORS", 1)
    with pytest.raises(LimitExceededError, match="more than 1 tensors"):
        read_index(b'{"weight_map": {"a": "1", "b": "1"}}', "i.json")
    monkeypatch.setattr(limits, "INDEX_BYTES", 10)
    with pytest.raises(LimitExceededError, match="19 bytes"):
        read_index(b'{"weight_map":{} } ', "i.json")
