"""A fingerprint's file: the same again, readable by anyone, safe against strangers."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import load, save

from kinprint.checkpoints.tensors import StoredTensor
from kinprint.errors import FingerprintError, MissingError, UsageError
from kinprint.fingerprint.columns import BLOCK_COLUMNS, VECTOR_COLUMNS, Rows
from kinprint.fingerprint.file import digest_of, from_bytes, to_bytes
from kinprint.fingerprint.file import load as load_file
from kinprint.fingerprint.file import save as save_file
from kinprint.fingerprint.record import (
    BlockColumns,
    Fingerprint,
    OriginFact,
    VectorColumns,
    ViewFact,
)
from kinprint.fingerprint.take import cells_of, take
from kinprint.views import views_of
from llama_shapes import llama_3_8b
from memory_checkpoint import MemoryCheckpoint

if TYPE_CHECKING:
    from pathlib import Path

RNG = np.random.default_rng(0)
MODEL = {
    "layer.weight": RNG.standard_normal((96, 96)),
    "layer.bias": RNG.standard_normal(96),
    "tall": RNG.standard_normal((2_100, 64)),
    "experts": RNG.standard_normal((2, 64, 128)),
    "zeros": np.zeros(96),
    "eye": np.eye(384),
}
FINGERPRINT = take(MemoryCheckpoint(MODEL, repo="acme/original"))
CONTENT = to_bytes(FINGERPRINT)


def test_a_fingerprint_never_overwrites_a_model(tmp_path: Path) -> None:
    weights = tmp_path / "model.safetensors"
    content = save({"layer.weight": np.ones((4, 4), np.float32)})
    weights.write_bytes(content)
    with pytest.raises(UsageError, match="is no fingerprint"):
        save_file(FINGERPRINT, weights)
    assert weights.read_bytes() == content
    own = tmp_path / "own.safetensors"
    assert save_file(FINGERPRINT, own) == save_file(FINGERPRINT, own) == len(CONTENT)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.safetensors", own.name]


def _same(a: Fingerprint, b: Fingerprint) -> None:
    plain = ("sketch_name", "origin", "files", "views", "skipped", "parameters", "bytes_read")
    for name in plain:
        assert getattr(a, name) == getattr(b, name)
    for group in ("blocks", "vectors"):
        for name, column in vars(getattr(a, group)).items():
            other = getattr(getattr(b, group), name)
            assert column.dtype == other.dtype
            np.testing.assert_array_equal(column, other)


def _rewritten(header: dict | None = None, **tensors: np.ndarray | None) -> bytes:
    columns = load(CONTENT) | tensors
    text = json.loads(_header(CONTENT)) | (header or {})
    kept = {name: column for name, column in columns.items() if column is not None}
    return save(kept, metadata={"kinprint": json.dumps(text)})


def _header(content: bytes) -> str:
    length = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + length])["__metadata__"]["kinprint"]


def test_it_comes_back_as_it_was(tmp_path: Path) -> None:
    _same(FINGERPRINT, from_bytes(CONTENT))
    path = tmp_path / "f.safetensors"
    assert save_file(FINGERPRINT, path) == path.stat().st_size
    _same(FINGERPRINT, load_file(path))


def test_an_empty_one_comes_back_too() -> None:
    empty = take(MemoryCheckpoint({}))
    _same(empty, from_bytes(to_bytes(empty)))


def test_the_safetensors_library_alone_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "f.safetensors"
    path.write_bytes(CONTENT)
    with safe_open(path, "np") as file:
        facts = json.loads(file.metadata()["kinprint"])
        sketch = file.get_tensor("blocks.sketch")
        view = file.get_tensor("blocks.view")
    assert sketch.shape == (len(view), 256)
    assert facts["sketch_name"] == FINGERPRINT.sketch_name
    assert facts["views"][view[0]]["name"] == "layer.weight"


def test_a_llama_3_8b_takes_about_600_bytes_a_tensor() -> None:
    tensors = [StoredTensor(name, "BF16", shape, "f", 0, 0) for name, shape in llama_3_8b()]
    views = views_of(tensors)
    blocks, vectors = Rows(BLOCK_COLUMNS, len(views)), Rows(VECTOR_COLUMNS, len(views))
    block, vector = (
        {name: column[0] for name, column in vars(group).items()}
        for group in (FINGERPRINT.blocks, FINGERPRINT.vectors)
    )
    for number, view in enumerate(views):
        for _ in cells_of(view):
            (vectors if view.is_vector else blocks).append(
                number, vector if view.is_vector else block
            )
    fingerprint = replace(
        FINGERPRINT,
        views=tuple(
            ViewFact(
                name=view.tensor.name,
                dtype="BF16",
                shape=view.tensor.shape,
                rows=view.rows,
                cols=view.cols,
            )
            for view in views
        ),
        blocks=BlockColumns(**blocks.filled()),
        vectors=VectorColumns(**vectors.filled()),
    )
    assert len(to_bytes(fingerprint)) / len(views) < 650


@settings(deadline=None)
@given(data=st.data())
def test_damage_is_an_error_of_ours_or_harmless(data: st.DataObject) -> None:
    content = bytearray(CONTENT)
    for _ in range(data.draw(st.integers(1, 4))):
        where = data.draw(st.integers(0, len(content) - 1))
        content[where] = data.draw(st.integers(0, 255))
    end = data.draw(st.sampled_from([len(content), len(content) // 2, 4]))
    with suppress(FingerprintError):
        from_bytes(bytes(content[:end]))


BAD_TENSORS = {
    "a column is missing": {"blocks.step": None},
    "another dtype": {"blocks.sketch": np.zeros((5, 256), np.int32)},
    "another inner shape": {"blocks.sketch": np.zeros((5, 255), np.int16)},
    "columns of different lengths": {"vectors.std": np.zeros(7, np.float32)},
    "no dimension at all": {"vectors.std": np.zeros((), np.float32)},
}
BAD_HEADERS = {
    "another version": {"version": 2},
    "an unknown field": {"surprise": 1},
    "a long name": {"sketch_name": "x" * 300},
    "negative parameters": {"parameters": -1},
    "no views": {"views": []},
    "a shape of a million dimensions": {
        "views": [{"name": "w", "dtype": "F32", "shape": [1] * 9, "rows": 1, "cols": 1}] * 9
    },
    "a side that fits no integer": {
        "views": [{"name": "w", "dtype": "F32", "shape": [1], "rows": 10**30, "cols": 1}] * 9
    },
    "views that are no list": {"views": "w"},
}
BAD_NUMBERS = {
    "view": -1,
    "rows": 9,
    "step": np.nan,
    "std": -1.0,
    "zeros": np.inf,
    "rounding": -np.inf,
    "start": -5,
    "levels": -1,
}


@pytest.mark.parametrize("tensors", BAD_TENSORS.values(), ids=BAD_TENSORS.keys())
def test_malformed_columns_are_refused(tensors: dict[str, np.ndarray | None]) -> None:
    with pytest.raises(FingerprintError):
        from_bytes(_rewritten(**tensors))


@pytest.mark.parametrize("header", BAD_HEADERS.values(), ids=BAD_HEADERS.keys())
def test_malformed_headers_are_refused(header: dict) -> None:
    with pytest.raises(FingerprintError):
        from_bytes(_rewritten(header))


@pytest.mark.parametrize(("name", "number"), BAD_NUMBERS.items())
def test_impossible_numbers_are_refused(name: str, number: float) -> None:
    column = getattr(FINGERPRINT.blocks, name).copy()
    column[-1] = number
    with pytest.raises(FingerprintError):
        from_bytes(_rewritten(**{f"blocks.{name}": column}))


def test_a_view_that_does_not_exist_is_refused() -> None:
    column = FINGERPRINT.vectors.view.copy()
    column[0] = len(FINGERPRINT.views)
    with pytest.raises(FingerprintError, match="no view"):
        from_bytes(_rewritten(**{"vectors.view": column}))


def test_two_sketches_of_one_place_are_refused() -> None:
    column = FINGERPRINT.blocks.view.copy()
    column[1] = column[0]
    with pytest.raises(FingerprintError, match="two sketches"):
        from_bytes(_rewritten(**{"blocks.view": column}))


@pytest.mark.parametrize("content", [b"", b"not a fingerprint", save({"w": np.zeros(3)})])
def test_other_files_are_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "f.safetensors"
    path.write_bytes(content)
    with pytest.raises(FingerprintError):
        load_file(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="absent"):
        load_file(tmp_path / "absent.safetensors")
    with pytest.raises(MissingError, match="nowhere"):
        save_file(FINGERPRINT, tmp_path / "nowhere" / "f.safetensors")


def test_the_digest_follows_the_weights_alone() -> None:
    moved = dict(reversed([(f"x.{name}", value) for name, value in MODEL.items()]))
    same = take(MemoryCheckpoint(moved, files=2))
    assert digest_of(same) == digest_of(FINGERPRINT)
    assert digest_of(replace(FINGERPRINT, origin=OriginFact(source="b"))) == digest_of(FINGERPRINT)
    changed = MODEL | {"layer.bias": MODEL["layer.bias"] + 1e-3}
    assert digest_of(take(MemoryCheckpoint(changed))) != digest_of(FINGERPRINT)
