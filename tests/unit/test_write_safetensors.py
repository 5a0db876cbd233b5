"""Files written as a stream are what the safetensors library reads."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open

from kinprint.checkpoints import write_safetensors
from kinprint.checkpoints.dtypes import ITEM_BITS, PACKED, decode, encode, is_weight, negated
from kinprint.checkpoints.local import LocalCheckpoint
from kinprint.checkpoints.tensors import Span
from kinprint.checkpoints.write_safetensors import INDEX_FILE, NewTensor, lay_out, write
from kinprint.errors import CheckpointError, KinprintError, LimitExceededError

FLOATS = tuple(dtype for dtype in ITEM_BITS if is_weight(dtype) and dtype not in PACKED)


def content(tensor: NewTensor) -> bytes:
    return np.random.default_rng(len(tensor.name)).bytes(tensor.nbytes)


def in_pieces(raw: bytes, longest: int):
    return (raw[start : start + longest] for start in range(0, len(raw), longest))


def write_all(folder, tensors, *, shard_bytes=10**9, longest=7):
    layout = lay_out(tensors, shard_bytes=shard_bytes)
    pieces = (p for tensor in layout.tensors for p in in_pieces(content(tensor), longest))
    write(folder, layout, pieces)
    return layout


MIXED = (
    NewTensor("b", "BF16", (3, 5)),
    NewTensor("empty", "F32", (0, 4)),
    NewTensor("scalar", "F64", ()),
    NewTensor("ganz weiß", "F8_E4M3", (7,)),
    NewTensor("../../etc/passwd", "F32", (2, 3)),
    NewTensor("positions", "I64", (1, 9)),
)


def test_the_safetensors_library_reads_every_byte_back(tmp_path):
    write_all(tmp_path, MIXED)
    with safe_open(tmp_path / "model.safetensors", "np") as file:
        assert file.metadata() == {"format": "pt"}
        assert set(file.keys()) == {tensor.name for tensor in MIXED}
        for tensor in MIXED:
            found = file.get_slice(tensor.name)
            assert tuple(found.get_shape()) == tensor.shape
            assert found.get_dtype() == tensor.dtype
        for tensor in MIXED:
            if tensor.dtype in ("F32", "F64", "I64"):
                assert file.get_tensor(tensor.name).tobytes() == content(tensor)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([d for d in ITEM_BITS if d not in PACKED and d != "BOOL"]),
            st.lists(st.integers(0, 5), max_size=3),
        ),
        min_size=1,
        max_size=12,
    ),
    st.integers(1, 300),
    st.integers(1, 50),
)
def test_whatever_is_written_in_whatever_pieces_is_read_back(
    tmp_path_factory, shapes, shard_bytes, longest
):
    folder = tmp_path_factory.mktemp("written")
    tensors = [NewTensor(f"t{'x' * i}", d, tuple(s)) for i, (d, s) in enumerate(shapes)]
    layout = write_all(folder, tensors, shard_bytes=shard_bytes, longest=longest)
    checkpoint = LocalCheckpoint(folder)
    stored = [*checkpoint.tensors, *(s.stored for s in checkpoint.skipped if s.stored)]
    assert {t.name: (t.dtype, t.shape) for t in stored} == {
        t.name: (t.dtype, t.shape) for t in tensors
    }
    spans = [Span(t.file, t.offset, t.offset + t.nbytes) for t in stored]
    for tensor, raw in zip(stored, checkpoint.read(spans), strict=True):
        assert raw == content(NewTensor(tensor.name, tensor.dtype, tensor.shape))
        assert tensor.offset % (ITEM_BITS[tensor.dtype] // 8) == 0
    assert sum(f.stat().st_size for f in folder.iterdir()) == layout.nbytes


def test_above_the_shard_size_an_index_says_where_each_tensor_is(tmp_path):
    tensors = [NewTensor(name, "F32", (4,)) for name in "abc"]
    write_all(tmp_path, tensors, shard_bytes=32)
    index = json.loads((tmp_path / INDEX_FILE).read_text())
    first, second = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
    assert index == {
        "metadata": {"total_size": 48},
        "weight_map": {"a": first, "b": first, "c": second},
    }
    assert sorted(path.name for path in tmp_path.iterdir()) == [first, second, INDEX_FILE]


def test_the_default_shard_size_is_five_gigabytes():
    most = NewTensor("a", "F32", (1_250_000_000,))
    assert lay_out([most]).index is None
    assert len(lay_out([most, NewTensor("b", "F32", (1,))]).shards) == 2


@pytest.mark.parametrize(
    "names", [["a", "a"], ["__metadata__"], ["half a character \ud800"], []], ids=str
)
def test_names_that_no_file_can_hold_are_refused(names):
    with pytest.raises(CheckpointError):
        lay_out([NewTensor(name, "F32", (1,)) for name in names])


def test_headers_that_readers_refuse_are_not_written(monkeypatch):
    monkeypatch.setattr(write_safetensors, "HEADER_BYTES", 64)
    with pytest.raises(LimitExceededError, match="a header of"):
        lay_out([NewTensor("a" * 100, "F32", (1,))])
    monkeypatch.setattr(write_safetensors, "TENSORS", 1)
    with pytest.raises(LimitExceededError, match="more than 1 tensors"):
        lay_out([NewTensor("a", "F32", (1,)), NewTensor("b", "F32", (1,))])


@pytest.mark.parametrize("raw", [b"", b"123", b"12345", b"1234" + b"5"])
def test_pieces_that_do_not_fill_the_tensors_are_an_error(tmp_path, raw):
    pieces = iter([raw[:4], raw[4:]] if len(raw) == 5 and raw[4:] == b"5" else [raw])
    with pytest.raises(CheckpointError, match="bytes"):
        write(tmp_path, lay_out([NewTensor("a", "F32", (1,))]), pieces)


def test_a_disk_that_fills_up_is_said_with_the_file(tmp_path):
    layout = lay_out([NewTensor("a", "F32", (1,))])
    (tmp_path / "model.safetensors").symlink_to("/dev/full")
    with pytest.raises(KinprintError, match=r"Cannot write .*model\.safetensors.*No space"):
        write(tmp_path, layout, iter([bytes(4)]))


@pytest.mark.parametrize("dtype", FLOATS)
def test_encoding_what_was_decoded_gives_the_same_bytes(dtype):
    raw = np.random.default_rng(0).normal(0, 0.1, 512)
    stored = encode(raw, dtype)
    assert len(stored) == 512 * ITEM_BITS[dtype] // 8
    assert encode(decode(stored, dtype), dtype) == stored


@pytest.mark.parametrize("dtype", FLOATS)
def test_negating_is_exact_and_its_own_inverse(dtype):
    stored = encode(np.array([0.0, 0.5, -0.25, 1.0, -0.0, 3.0, -0.125, 0.0]), dtype)
    turned = negated(stored, dtype)
    np.testing.assert_array_equal(decode(turned, dtype), -decode(stored, dtype))
    assert negated(turned, dtype) == stored


@pytest.mark.parametrize("dtype", ["F4", "I64", "F8_E8M0"])
def test_dtypes_without_floats_of_their_own_are_neither_encoded_nor_negated(dtype):
    with pytest.raises(ValueError, match=dtype):
        encode(np.zeros(2), dtype)
    with pytest.raises(ValueError, match=dtype):
        negated(bytes(8), dtype)
