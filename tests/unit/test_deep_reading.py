"""What `--deep` reads: the same cells of both sides, bounded, or a clear error."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

import weights as w
from kinprint.checkpoints.local import LocalCheckpoint
from kinprint.errors import CheckpointError
from kinprint.fingerprint import deep
from kinprint.fingerprint.deep import read_deep
from kinprint.fingerprint.take import take
from kinprint.lineage.matching import Matching
from memory_checkpoint import MemoryCheckpoint

if TYPE_CHECKING:
    from pathlib import Path

BASE = w.strangers(0, layers=6, size=128)


def read(mine: w.Weights, theirs: w.Weights, *, dtype: str = "F32", progress=None):
    one = MemoryCheckpoint({name: (value, dtype) for name, value in mine.items()})
    other = MemoryCheckpoint(theirs)
    query, candidate = take(one), take(other)
    pairs = Matching(query, candidate).accepted
    for checkpoint in (one, other):
        checkpoint.bytes_read = 0
        checkpoint.spans_read.clear()
    reading = read_deep(one, query, other, candidate, pairs, progress=progress)
    return reading, one, other, query, candidate


def test_both_sides_show_the_same_64_rows_whatever_they_are_called() -> None:
    reading, _, _, query, candidate = read(w.renamed(w.noised(BASE, 1e-3)), BASE)
    assert len(reading.blocks) == 6
    for block in reading.blocks:
        name = candidate.views[block.candidate_view].name
        assert query.views[block.query_view].name == f"llm.blk.{name[::-1]}"
        np.testing.assert_array_equal(block.candidate.values, BASE[name][:64])
        assert np.abs(block.query.values - block.candidate.values).max() < 0.01


def test_a_negated_tensor_is_turned_back() -> None:
    negated = {name: -value for name, value in BASE.items()}
    reading, *_ = read(negated, BASE)
    for block in reading.blocks:
        np.testing.assert_array_equal(block.query.values, block.candidate.values)


def test_a_view_of_fewer_rows_is_read_whole() -> None:
    rng = np.random.default_rng(1)
    small = {f"{n}": rng.normal(0, 1, (40, 256)).astype(np.float32) for n in range(6)}
    reading, *_ = read(w.noised(small, 1e-3), small)
    assert {block.query.values.shape for block in reading.blocks} == {(40, 256)}


def test_embeddings_are_read_where_the_evidence_block_starts() -> None:
    tall = {"wte": np.random.default_rng(2).normal(0, 1, (4096, 64)).astype(np.float32), **BASE}
    reading, *_ = read(w.noised(tall, 1e-3), tall)
    block = next(each for each in reading.blocks if each.query.values.shape[1] == 64)
    np.testing.assert_array_equal(block.candidate.values, tall["wte"][1024:1088])


def test_a_format_that_was_rounded_and_saved_wide_again_is_seen() -> None:
    halves = {name: value.astype(np.float16).astype(np.float32) for name, value in BASE.items()}
    reading, *_ = read(halves, BASE)
    assert {block.query.lattice for block in reading.blocks} == {"F16"}
    assert {block.candidate.lattice for block in reading.blocks} == {"F32"}


def test_no_more_views_than_the_bound_are_read_and_they_cover_shapes_and_model(monkeypatch) -> None:
    monkeypatch.setattr(deep, "DEEP_VIEWS", 8)
    rng = np.random.default_rng(3)
    many = {
        f"{n}": rng.normal(0, 1, (64 + 32 * (n % 2), 128)).astype(np.float32) for n in range(24)
    }
    reading, *_, candidate = read(w.noised(many, 1e-3), many)
    views = [candidate.views[block.candidate_view] for block in reading.blocks]
    numbers = [int(view.name) for view in views]
    assert len(views) == 8
    assert [view.rows for view in views].count(64) == 4
    assert min(numbers) <= 1
    assert max(numbers) >= 22
    assert reading.matched_views == 24


def test_no_more_bytes_than_the_bound_are_read(monkeypatch) -> None:
    bound = 3 * 2 * 64 * 128 * 4 + 5
    monkeypatch.setattr(deep, "DEEP_BYTES", bound)
    told = []
    reading, one, other, *_ = read(
        w.noised(BASE, 1e-3), BASE, progress=lambda done, expected: told.append((done, expected))
    )
    assert len(reading.blocks) == 3
    assert one.bytes_read + other.bytes_read == reading.bytes_read <= bound
    assert told[-1] == (reading.bytes_read, reading.bytes_read)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_wide_views_are_cut_to_the_same_columns(monkeypatch) -> None:
    monkeypatch.setattr(deep, "DEEP_COLS", 32)
    reading, one, *_ = read(w.noised(BASE, 1e-3), BASE)
    assert {block.query.values.shape for block in reading.blocks} == {(64, 32)}
    assert one.bytes_read <= 6 * 64 * 128 * 4


def test_a_tensor_that_is_not_finite_is_left_out_by_name() -> None:
    broken = w.noised(BASE, 1e-3)
    wide = {name: np.tile(value, (1, 8)) for name, value in broken.items() if value.ndim == 2}
    whole = {name: np.tile(value, (1, 8)) for name, value in BASE.items() if value.ndim == 2}
    wide["layers.2.weight"][40, 3] = np.nan  # below the eight rows that the fingerprint reads
    reading, _, _, query, _ = read(wide, whole)
    assert [query.views[view].name for view in reading.not_finite] == ["layers.2.weight"]
    assert len(reading.blocks) == 5


def test_nothing_matched_reads_nothing() -> None:
    reading, one, *_ = read(w.strangers(9, layers=6, size=128), BASE)
    assert reading.blocks == ()
    assert one.spans_read == []


def test_a_checkpoint_that_changed_since_its_fingerprint_is_refused() -> None:
    one, other = MemoryCheckpoint(w.noised(BASE, 1e-3)), MemoryCheckpoint(BASE)
    query, candidate = take(one), take(other)
    pairs = Matching(query, candidate).accepted
    narrower = MemoryCheckpoint({name: value[..., :96] for name, value in BASE.items()})
    with pytest.raises(CheckpointError, match="not the one that its fingerprint"):
        read_deep(one, query, narrower, candidate, pairs)
    renamed = replace(candidate, views=tuple(replace(v, name="x") for v in candidate.views))
    with pytest.raises(CheckpointError, match="'x'"):
        read_deep(one, query, other, renamed, pairs)


def test_a_file_that_was_cut_short_meanwhile_is_an_error(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    file = tmp_path / "model.safetensors"
    save_file(BASE, file)
    one, other = MemoryCheckpoint(w.noised(BASE, 1e-3)), LocalCheckpoint(file)
    query, candidate = take(one), take(other)
    pairs = Matching(query, candidate).accepted
    file.write_bytes(file.read_bytes()[:70_000])
    with pytest.raises(CheckpointError):
        read_deep(one, query, other, candidate, pairs)
    other.close()
