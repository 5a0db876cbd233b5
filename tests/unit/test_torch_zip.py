"""Torch archives are read by range, and nothing in them is ever run."""

from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from hostile_files import (
    ORDERED_DICT,
    REBUILD,
    Call,
    Name,
    Persistent,
    opcodes,
    pickled,
    tensor,
    torch_archive,
)
from kinprint.checkpoints import limits, torch_pickle
from kinprint.checkpoints.torch_pickle import read_pickle
from kinprint.checkpoints.torch_zip import read_archive
from kinprint.errors import (
    KinprintError,
    LimitExceededError,
    MalformedHeaderError,
    UnsafePickleError,
    UnsupportedFormatError,
)

if TYPE_CHECKING:
    from pathlib import Path


def inventory(path: Path, concurrency: int = 1):
    raw = path.read_bytes()
    return read_archive(
        lambda start, stop: raw[start:stop], len(raw), path.name, concurrency=concurrency
    )


def saved(tmp_path: Path, state: object, **options) -> Path:
    path = tmp_path / "pytorch_model.bin"
    torch.save(state, path, **options)
    return path


def contents(path: Path) -> dict[str, bytes]:
    raw = path.read_bytes()
    return {t.name: raw[t.offset : t.offset + t.nbytes] for t in inventory(path).tensors}


def refused(path: Path, error: type[KinprintError] = MalformedHeaderError) -> str:
    with pytest.raises(error) as caught:
        inventory(path)
    assert path.name in caught.value.message
    return caught.value.message


@pytest.mark.parametrize(
    ("dtype", "stored"),
    [
        (torch.float64, "F64"),
        (torch.float32, "F32"),
        (torch.float16, "F16"),
        (torch.bfloat16, "BF16"),
        (torch.float8_e4m3fn, "F8_E4M3"),
        (torch.float8_e5m2, "F8_E5M2"),
        (torch.float8_e4m3fnuz, "F8_E4M3FNUZ"),
        (torch.float8_e5m2fnuz, "F8_E5M2FNUZ"),
    ],
)
def test_each_float_dtype_is_found_at_its_bytes(tmp_path, dtype, stored):
    values = torch.arange(12.0).reshape(3, 4).to(dtype)
    path = saved(tmp_path, {"w": values})
    (found,) = inventory(path).tensors
    assert (found.name, found.dtype, found.shape) == ("w", stored, (3, 4))
    assert contents(path)["w"] == values.view(torch.uint8).numpy().tobytes()


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_state_dict_of_a_module_is_read_whole(tmp_path, protocol):
    module = torch.nn.Sequential(torch.nn.Linear(300, 200), torch.nn.LayerNorm(200))
    path = saved(tmp_path, module.state_dict(), pickle_protocol=protocol)
    expected = {name: value.numpy().tobytes() for name, value in module.state_dict().items()}
    assert contents(path) == expected
    assert inventory(path, concurrency=4) == inventory(path)


def test_parameters_and_one_level_of_nesting_are_read(tmp_path):
    weight = torch.nn.Parameter(torch.ones(2, 2))
    assert contents(saved(tmp_path, {"epoch": 3, "state_dict": OrderedDict(w=weight)})).keys() == {
        "w"
    }
    two = {
        "model": {"w": weight},
        "ema": {"w": weight},
        "lr": 1e-3,
        "args": ["a", None, True],
        "shape": weight.shape,
        "dtype": weight.dtype,
    }
    path = saved(tmp_path, two)
    assert contents(path).keys() == {"model.w", "ema.w"}
    assert [entry.name for entry in inventory(path).skipped] == ["args"]


def test_deeper_tensors_are_noted_as_left_out(tmp_path):
    state = {"model": {"w": torch.ones(2)}, "optimizer": {"state": {0: {"exp": torch.ones(2)}}}}
    path = saved(tmp_path, state)
    assert contents(path).keys() == {"w"}
    assert [entry.name for entry in inventory(path).skipped] == ["optimizer"]


def test_a_lone_tensor_is_read(tmp_path):
    assert contents(saved(tmp_path, torch.ones(3))).keys() == {"tensor"}


def test_tied_tensors_stay_two_at_one_place(tmp_path):
    shared = torch.ones(4, 4)
    head, embedding = inventory(saved(tmp_path, {"head": shared, "embedding": shared})).tensors
    assert head.offset == embedding.offset


def test_a_contiguous_slice_of_a_storage_is_read_and_others_are_noted(tmp_path):
    whole = torch.arange(24.0).reshape(6, 4)
    state = {"rows": whole[2:4], "transposed": whole.T, "columns": whole[:, :2], "none": whole[:0]}
    path = saved(tmp_path, state)
    assert contents(path) == {"rows": whole[2:4].numpy().tobytes(), "none": b""}
    reasons = {entry.name: entry.reason for entry in inventory(path).skipped}
    assert reasons == dict.fromkeys(["transposed", "columns"], "not contiguous in its file")


def test_integers_and_complex_tensors_are_noted(tmp_path):
    state = {"ids": torch.arange(3), "z": torch.zeros(2, dtype=torch.complex128)}
    assert {entry.name for entry in inventory(saved(tmp_path, state)).skipped} == {"ids", "z"}


def test_few_bytes_are_read_of_a_large_archive(tmp_path):
    path = saved(tmp_path, {f"w{i}": torch.zeros(512, 1024) for i in range(4)})
    raw, read = path.read_bytes(), []

    def counted(start: int, stop: int) -> bytes:
        read.append(stop - start)
        return raw[start:stop]

    assert len(read_archive(counted, len(raw), "f").tensors) == 4
    assert sum(read) < 150_000 < len(raw)


@pytest.mark.parametrize(
    "name",
    [
        Name("os", "system"),
        Name("posix", "system"),
        Name("builtins", "eval"),
        Name("__builtin__", "getattr"),
        Name("torch.storage", "_load_from_bytes"),
        Name("torch", "load"),
        Name("torch.hub", "load"),
        Name("collections", "Counter"),
        Name("numpy.core.multiarray", "scalar"),
        Name("torch._utils", "_rebuild_tensor_v2.__globals__"),
    ],
)
def test_a_pickle_that_names_anything_else_is_refused_and_named(tmp_path, name):
    path = torch_archive(tmp_path / "evil.bin", {"w": Call(name, ("echo",))}, {})
    assert f"{name.module}.{name.name}" in refused(path, UnsafePickleError)


def test_nothing_of_a_payload_runs(tmp_path):
    mark = tmp_path / "ran"

    class Payload:
        def __reduce__(self):
            return mark.write_text, ("x",)

    path = torch_archive(tmp_path / "evil.bin", pickle.dumps({"w": Payload()}), {})
    refused(path, UnsafePickleError)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("state", "says"),
    [
        (Call(Name("torch", "FloatStorage"), ()), "calls torch.FloatStorage"),
        (Call(ORDERED_DICT, ((("a", 1),),)), "calls collections.OrderedDict"),
        (b"\x80\x02}\x8c\x01a\x8c\x01bi", "opcode INST"),
        (b"\x80\x02ccollections\nOrderedDict\n)\x81.", "opcode NEWOBJ"),
        (b"\x80\x02\x8f.", "opcode EMPTY_SET"),
        (b"\x80\x02}2.", "opcode DUP"),
        (b"\x80\x02K\x01}b.", "sets the state"),
    ],
)
def test_steps_that_no_state_dict_needs_are_refused(tmp_path, state, says):
    if isinstance(state, bytes) and state.endswith(b"i"):
        state += b"os\nsystem\n."
    assert says in refused(torch_archive(tmp_path / "evil.bin", state, {}), UnsafePickleError)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x80\x02}",
        b"\x80\x02.",
        b"\x80\x02}}.",
        b"\x80\x02(}.",
        b"\x80\x02u.",
        b"\x80\x02K\x01K\x01K\x01s.",
        b"\x80\x02]K\x01K\x02\x86K\x01s.",
        b"\x80\x02}K\x01K\x02\x86K\x01s.",
        b"\x80\x02}(K\x01u.",
        b"\x80\x02(e.",
        b"\x80\x02}K\x01a.",
        b"\x80\x02}(\x86.",
        b"\x80\x02h\x07.",
        b"\x80\x02K\x01Q.",
        b"\x80\x02K\x01K\x01\x93.",
        b"\x80\x02K\x01)R.",
        b"\x80\x02X\xff\xff\xff\x7fa.",
        b"\x80\x02X\x01\x00\x00\x00\xff.",
        b"\xff\xff",
        pickled(Call(REBUILD, ())),
        pickled(Persistent(("storage", Name("torch", "float32"), "0", "cpu", 1))),
        pickled(Persistent(("storage", Name("torch", "FloatStorage"), "0", "cpu", -1))),
        pickled(tensor("0", 1, (1.0,), (1,))),
        pickled(tensor("0", 1, (True,), (1,))),
        pickled(
            Call(
                Name("torch._utils", "_rebuild_tensor_v2"),
                (
                    Persistent(("storage", Name("torch.storage", "UntypedStorage"), "0", "cpu", 4)),
                    0,
                    (1,),
                    (1,),
                ),
            )
        ),
    ],
)
def test_a_pickle_whose_steps_do_not_fit_is_refused(raw):
    with pytest.raises(MalformedHeaderError, match=r"m\.bin"):
        read_pickle(raw, "m.bin")


def test_keys_that_take_exponential_time_to_hash_are_refused():
    nested = pickle.EMPTY_TUPLE + b"q\x00h\x00\x86" * 200
    with pytest.raises(MalformedHeaderError, match="a key of type tuple"):
        read_pickle(b"\x80\x02}" + nested + b"K\x01s.", "m.bin")


def test_a_memo_index_of_billions_costs_nothing():
    assert read_pickle(b"\x80\x02}r\xff\xff\xff\xff.", "m.bin") == {}


def test_pickles_over_the_limits_are_refused(monkeypatch):
    monkeypatch.setattr(torch_pickle, "OPCODES", 100)
    with pytest.raises(LimitExceededError, match="100 steps"):
        read_pickle(b"\x80\x02" + b"}" * 101 + b".", "m.bin")
    monkeypatch.setattr(limits, "PICKLE_BYTES", 3)
    with pytest.raises(LimitExceededError, match="4 bytes"):
        read_pickle(b"\x80\x02}.", "m.bin")


FOUR = {"0": np.arange(4, dtype=np.float32).tobytes()}


@pytest.mark.parametrize(
    ("lie", "says"),
    [
        (tensor("0", 5, (4,), (1,)), "16 bytes, not 20"),
        (tensor("0", 2**62, (4,), (1,)), "16 bytes, not"),
        (tensor("0", 4, (5,), (1,)), "past its storage"),
        (tensor("0", 4, (2,), (1,), offset=3), "past its storage"),
        (tensor("0", 4, (2, 2), (4, 1)), "past its storage"),
        (tensor("0", 4, (0,), (1,), offset=5), "past its storage"),
        (tensor("0", 4, (1,), (1,), offset=-1), "size and strides"),
        (tensor("0", 4, (2,), (-1,)), "size and strides"),
        (tensor("0", 4, (-2,), (1,)), "size and strides"),
        (tensor("0", 4, (2, 2), (1,)), "size and strides"),
        (tensor("1", 4, (4,), (1,)), "storage is missing"),
        (tensor("../0", 4, (4,), (1,)), "storage is missing"),
    ],
)
def test_lying_tensors_are_refused_and_named(tmp_path, lie, says):
    path = torch_archive(tmp_path / "m.bin", {"w": lie}, FOUR)
    message = refused(path)
    assert says in message
    assert "tensor 'w'" in message


def test_an_expanded_tensor_is_noted_not_read_at_its_declared_size(tmp_path):
    state = {"w": tensor("0", 4, (2**32, 2**32), (0, 0))}
    found = inventory(torch_archive(tmp_path / "m.bin", state, FOUR))
    assert [entry.name for entry in found.skipped] == ["w"]


@pytest.mark.parametrize("shape", [(2**33,), (1,) * 9], ids=["dimension", "rank"])
def test_shapes_over_the_limits_are_refused_and_named(tmp_path, shape):
    state = {"w": tensor("0", 4, shape, (0,) * len(shape))}
    message = refused(torch_archive(tmp_path / "m.bin", state, FOUR), LimitExceededError)
    assert "tensor 'w'" in message


def test_more_or_longer_names_than_any_model_has_are_refused(tmp_path, monkeypatch):
    one = tensor("0", 4, (4,), (1,))
    long = {"n" * (limits.NAME_CHARACTERS + 1): one}
    refused(torch_archive(tmp_path / "m.bin", long, FOUR), LimitExceededError)
    surrogate = pickle.EMPTY_DICT + b"X\x03\x00\x00\x00\xed\xa0\x80" + opcodes(one) + b"s"
    raw = b"\x80\x02" + surrogate + b"."
    assert "surrogate" in refused(torch_archive(tmp_path / "m.bin", raw, FOUR))
    twice = b"\x80\x02" + opcodes({1: one}) + opcodes("1") + opcodes(one) + b"s."
    assert "declared twice" in refused(torch_archive(tmp_path / "m.bin", twice, FOUR))
    monkeypatch.setattr(limits, "TENSORS", 1)
    two = {"a": one, "b": one}
    refused(torch_archive(tmp_path / "m.bin", two, FOUR), LimitExceededError)


GOOD = {"w": tensor("0", 4, (4,), (1,))}


def test_a_hand_made_archive_is_read(tmp_path):
    path = torch_archive(tmp_path / "m.bin", GOOD, FOUR)
    assert contents(path) == {"w": FOUR["0"]}


def test_compressed_archives_are_refused(tmp_path):
    path = torch_archive(tmp_path / "m.bin", GOOD, FOUR, compression=zipfile.ZIP_DEFLATED)
    assert "compressed" in refused(path, UnsupportedFormatError)


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        ({"archive/byteorder": b"big"}, "little-endian"),
        ({"archive/constants.pkl": b""}, "TorchScript"),
        ({"other/data.pkl": b""}, "not one of torch"),
    ],
)
def test_archives_of_another_kind_are_refused(tmp_path, extra, says):
    path = torch_archive(tmp_path / "m.bin", GOOD, FOUR, extra=extra)
    assert says in refused(path, UnsupportedFormatError)


def test_files_that_are_no_archives_are_refused(tmp_path):
    path = tmp_path / "m.bin"
    for content in (b"", b"ggml", pickle.dumps({}), bytes(70_000)):
        path.write_bytes(content)
        assert "not a torch zip archive" in refused(path, UnsupportedFormatError)
    torch.save({"w": torch.ones(2)}, path, _use_new_zipfile_serialization=False)
    assert "not a torch zip archive" in refused(path, UnsupportedFormatError)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "no model")
    assert "not one of torch" in refused(path, UnsupportedFormatError)


def test_an_archive_without_a_dict_is_refused(tmp_path):
    path = saved(tmp_path, [torch.ones(2)])
    assert "a dict of tensors" in refused(path, UnsupportedFormatError)


@pytest.mark.slow
def test_an_archive_of_thousands_of_storages_is_read(tmp_path):
    names = [str(number) for number in range(3_000)]
    state = {name: tensor(name, 4, (4,), (1,)) for name in names}
    path = torch_archive(tmp_path / "m.bin", state, dict.fromkeys(names, FOUR["0"]))
    assert contents(path) == dict.fromkeys(names, FOUR["0"])


def test_a_truncated_archive_is_refused(tmp_path):
    path = saved(tmp_path, {"w": torch.ones(100)})
    path.write_bytes(path.read_bytes()[:-100])
    assert "directory" in refused(path)


def test_two_entries_of_one_name_are_refused(tmp_path):
    path = torch_archive(tmp_path / "m.bin", GOOD, FOUR)
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr("archive/data/0", bytes(16))
    assert "two entries" in refused(path)


def test_a_local_header_that_contradicts_the_directory_is_refused(tmp_path):
    path = torch_archive(tmp_path / "m.bin", GOOD, FOUR)
    raw = path.read_bytes()
    name = raw.index(b"archive/data/0")
    path.write_bytes(raw[:name] + b"archive/data/1" + raw[name + 14 :])
    assert "another local header" in refused(path)
    path.write_bytes(raw[: name - 2] + b"\xff\xff" + raw[name:])
    assert "outside the archive" in refused(path)
    path.write_bytes(raw.replace(b"archive/data.pkl\x80", b"archive/data.pkX\x80"))
    assert "another local header" in refused(path)


def test_a_directory_that_points_outside_the_archive_is_refused(tmp_path):
    path = torch_archive(tmp_path / "m.bin", GOOD, FOUR)
    raw = bytearray(path.read_bytes())
    offset_field = raw.rindex(b"PK\x01\x02") + 42
    raw[offset_field : offset_field + 4] = b"\xf0\xff\xff\x00"
    path.write_bytes(raw)
    assert "outside the archive" in refused(path)


def test_a_local_header_at_the_very_end_is_refused(tmp_path):
    path = torch_archive(tmp_path / "m.bin", GOOD, FOUR)
    raw = bytearray(path.read_bytes())
    offset_field = raw.rindex(b"PK\x01\x02") + 42
    raw[offset_field : offset_field + 4] = (len(raw) - 10).to_bytes(4, "little")
    path.write_bytes(raw)
    assert "outside the archive" in refused(path)


def test_a_long_local_header_before_the_pickle_is_read_past(tmp_path):
    path = tmp_path / "m.bin"
    with zipfile.ZipFile(path, "w") as archive:
        state = zipfile.ZipInfo("archive/data.pkl")
        state.extra = b"FB\xf4\x01" + b"Z" * 500
        archive.writestr(state, pickled(GOOD))
        archive.writestr("archive/data/0", FOUR["0"])
    assert contents(path) == {"w": FOUR["0"]}


def test_a_pickle_changed_after_its_checksum_is_refused(tmp_path):
    path = torch_archive(tmp_path / "m.bin", GOOD, FOUR)
    path.write_bytes(path.read_bytes().replace(b"cpu", b"gpu", 1))
    assert "checksum" in refused(path)


def test_directories_and_pickles_over_the_limits_are_not_read(tmp_path, monkeypatch):
    path = torch_archive(tmp_path / "m.bin", GOOD, FOUR)
    monkeypatch.setattr(limits, "PICKLE_BYTES", 10)
    refused(path, LimitExceededError)
    monkeypatch.setattr(limits, "ZIP_DIRECTORY_BYTES", 50)
    refused(path, LimitExceededError)
