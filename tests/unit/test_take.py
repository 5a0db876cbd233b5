"""From a checkpoint to a fingerprint: what is read, what is kept, what is left out and why."""

from __future__ import annotations

import numpy as np
import pytest

from kinprint.checkpoints import limits
from kinprint.checkpoints.tensors import CheckpointFile, Skipped, StoredTensor
from kinprint.errors import LimitExceededError
from kinprint.fingerprint.probes import ProbeTarget, probe_targets, read_probes
from kinprint.fingerprint.take import take
from kinprint.sketches.linear import phash
from kinprint.sketches.projection import PUBLIC
from kinprint.sketches.secret import SecretKey
from memory_checkpoint import MemoryCheckpoint

RNG = np.random.default_rng(0)
KEY = SecretKey(b"s" * 32)


def _random(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def _hash(values: np.ndarray) -> list[int]:
    return phash(PUBLIC.project(values.astype(np.float64))).tolist()


def test_a_small_model() -> None:
    checkpoint = MemoryCheckpoint(
        {
            "matrix": (_random(384, 384), "BF16"),
            "bias": _random(384),
            "positions": (np.arange(512)[None], "I64"),
            "tiny": _random(4, 4),
            "short": _random(63),
        },
        repo="acme/original",
    )
    fingerprint = take(checkpoint)
    assert fingerprint.origin.repo == "acme/original"
    assert fingerprint.parameters == 384 * 384 + 384 + 16 + 63
    assert fingerprint.bytes_read == checkpoint.bytes_read == 64 * 384 * 2 + 384 * 4
    assert [view.name for view in fingerprint.views] == ["matrix", "bias", "tiny", "short"]
    assert [view.note for view in fingerprint.views] == [
        None,
        None,
        "block too small",
        "vector outside 64 to 16,384 elements",
    ]
    assert [(each.name, each.reason) for each in fingerprint.skipped] == [
        ("positions", "I64 holds no weights")
    ]
    assert fingerprint.blocks.view.tolist() == [0]
    assert fingerprint.vectors.view.tolist() == [1]
    (std,), (zeros,) = fingerprint.blocks.std, fingerprint.blocks.zeros
    assert std == pytest.approx(1.0, abs=0.03)
    assert zeros == 0


def test_tall_views_have_two_blocks_and_embeddings_start_late() -> None:
    tall, embedding = _random(2_100, 96), _random(5_000, 96)
    fingerprint = take(MemoryCheckpoint({"tall": tall, "embedding": embedding}))
    blocks = fingerprint.blocks
    assert list(zip(blocks.view.tolist(), blocks.start.tolist(), strict=True)) == [
        (0, 0),
        (0, 1024),
        (1, 1024),
    ]
    assert blocks.phash[1].tolist() == _hash(tall[1024:1280, :96])
    assert blocks.phash[2].tolist() == _hash(embedding[1024:1280, :96])


def test_a_narrow_matrix_is_hashed_as_its_transpose() -> None:
    wide = _random(16, 2_000)
    straight = take(MemoryCheckpoint({"a": wide}))
    turned = take(MemoryCheckpoint({"a": np.ascontiguousarray(wide.T)}))
    assert turned.views[0].transposed
    for name in ("phash", "sketch", "digest", "start", "rows", "cols"):
        np.testing.assert_array_equal(getattr(straight.blocks, name), getattr(turned.blocks, name))


def test_experts_are_hashed_like_the_matrices_they_are() -> None:
    experts = _random(4, 64, 128)
    stacked = take(MemoryCheckpoint({"experts": experts})).blocks
    apart = take(MemoryCheckpoint({f"expert.{i}": experts[i] for i in range(4)})).blocks
    np.testing.assert_array_equal(stacked.phash, apart.phash)
    np.testing.assert_array_equal(stacked.digest, apart.digest)


def test_columns_past_the_block_are_read_only_where_that_is_one_range() -> None:
    near, far = (
        MemoryCheckpoint({"w": _random(64, 400)}),
        MemoryCheckpoint({"w": _random(8, 80_000)}),
    )
    take(near)
    take(far)
    assert [span.stop - span.start for span in near.spans_read] == [64 * 400 * 4]
    assert [span.stop - span.start for span in far.spans_read] == [16_384 * 4] * 8


def test_a_wide_view_hashes_its_leading_columns() -> None:
    values = _random(8, 80_000)
    blocks = take(MemoryCheckpoint({"w": values})).blocks
    assert blocks.phash[0].tolist() == _hash(values[:, :16_384])


def test_tied_tensors_are_read_once() -> None:
    checkpoint = MemoryCheckpoint({"embed": _random(384, 384)}, tied={"lm_head": "embed"})
    fingerprint = take(checkpoint)
    assert len(checkpoint.spans_read) == 1
    assert fingerprint.parameters == 384 * 384
    assert [(each.name, each.reason) for each in fingerprint.skipped] == [
        ("lm_head", "tied to embed")
    ]


@pytest.mark.parametrize(
    ("value", "note"), [(np.nan, "not finite"), (np.inf, "not finite"), (-np.inf, "not finite")]
)
@pytest.mark.parametrize("dtype", ["F32", "BF16", "F64"])
def test_values_that_are_not_finite_are_noted(value: float, note: str, dtype: str) -> None:
    matrix, vector = _random(96, 96), _random(96)
    matrix[40, 7] = vector[5] = value
    fingerprint = take(MemoryCheckpoint({"w": (matrix, dtype), "v": (vector, dtype)}))
    assert [view.note for view in fingerprint.views] == [note, note]
    assert len(fingerprint.blocks.view) == len(fingerprint.vectors.view) == 0


@pytest.mark.parametrize(
    ("fill", "note"), [(0.0, "all zero"), (1.0, "constant"), (-0.25, "constant")]
)
def test_constants_are_noted(fill: float, note: str) -> None:
    fingerprint = take(MemoryCheckpoint({"w": np.full((96, 96), fill), "v": np.full(96, fill)}))
    assert [view.note for view in fingerprint.views] == [note, note]


@pytest.mark.parametrize("scale", [1e300, 1e-300])
def test_numbers_beyond_float32_are_noted(scale: float) -> None:
    weights = {
        name: (scale * _random(*shape).astype(np.float64), "F64")
        for name, shape in (("w", (96, 96)), ("v", (96,)))
    }
    notes = {view.note for view in take(MemoryCheckpoint(weights)).views}
    assert notes == {"values too small or too large for float32"}


def test_huge_float32_numbers_are_hashed() -> None:
    values = _random(96, 96)
    plain, huge = (take(MemoryCheckpoint({"w": values * factor})) for factor in (1.0, 2.0**100))
    np.testing.assert_array_equal(plain.blocks.phash, huge.blocks.phash)


def test_one_bad_block_of_two_leaves_the_other() -> None:
    tall = _random(2_100, 96)
    tall[1_100, 3] = np.nan
    fingerprint = take(MemoryCheckpoint({"tall": tall}))
    assert fingerprint.blocks.start.tolist() == [0]
    assert fingerprint.views[0].note is None


def test_quantisation_and_pruning_leave_their_marks() -> None:
    values = _random(64, 512)
    scale = np.abs(values).max(axis=1, keepdims=True) / 127
    int8 = np.rint(values / scale) * scale
    groups = values.reshape(-1, 32)
    step = np.abs(groups).max(axis=1, keepdims=True) / 7
    int4 = (np.rint(groups / step) * step).reshape(values.shape)
    pruned = np.where(np.abs(values) < 0.6745, 0.0, values)
    blocks = take(
        MemoryCheckpoint({"plain": values, "int8": int8, "int4": int4, "pruned": pruned})
    ).blocks
    plain, byte, nibble, half = range(4)
    assert blocks.levels[plain] == 512
    assert blocks.levels[byte] <= 255
    assert blocks.group_levels[plain] == 32
    assert blocks.group_levels[nibble] <= 15
    assert blocks.zeros[half] == pytest.approx(0.5, abs=0.02)


def test_progress_reaches_what_it_announced() -> None:
    calls: list[tuple[int, int]] = []
    checkpoint = MemoryCheckpoint({f"w{i}": _random(96, 96) for i in range(3)})
    take(checkpoint, progress=lambda done, expected: calls.append((done, expected)))
    assert calls[-1] == (checkpoint.bytes_read, checkpoint.bytes_read)
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)


def test_nothing_to_hash_is_a_fingerprint_too() -> None:
    fingerprint = take(MemoryCheckpoint({}))
    assert fingerprint.views == ()
    assert fingerprint.blocks.sketch.shape == (0, 256)
    assert fingerprint.vectors.phash.shape == (0, 32)


class _Packed(MemoryCheckpoint):
    """One F4 matrix of 64 x 384 with E8M0 scales, as MXFP4 files have them."""

    def __init__(self, codes: np.ndarray, scales: np.ndarray, *, scaled: bool) -> None:
        super().__init__({})
        raw = (codes[:, 0::2] | codes[:, 1::2] << 4).tobytes()
        scale = StoredTensor("w_scales", "F8_E8M0", scales.shape, "f", len(raw), scales.size)
        self._contents = {"f": raw + scales.tobytes()}
        self.files = (CheckpointFile("f", len(raw) + scales.size),)
        packed = StoredTensor("w", "F4", codes.shape, "f", 0, len(raw), scale if scaled else None)
        self.tensors = (packed, scale)
        self.skipped = (Skipped("meta", "no tensor"),)


def test_packed_weights_are_hashed_with_their_scales() -> None:
    codes = RNG.integers(0, 16, (64, 384)).astype(np.uint8)
    scales = RNG.integers(120, 130, (64, 12)).astype(np.uint8)
    magnitudes = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6])
    table = np.concatenate([magnitudes, -magnitudes])
    values = table[codes] * np.repeat(2.0 ** (scales.astype(float) - 127), 32, axis=1)
    fingerprint = take(_Packed(codes, scales, scaled=True))
    assert fingerprint.blocks.phash[0].tolist() == _hash(values)
    assert fingerprint.bytes_read == 64 * 384 // 2 + 64 * 12


def test_packed_weights_without_scales_are_noted() -> None:
    codes = np.zeros((64, 384), np.uint8)
    fingerprint = take(_Packed(codes, np.zeros((64, 12), np.uint8), scaled=False))
    assert fingerprint.views[0].note == "packed dtype without known scales"


def _probed() -> MemoryCheckpoint:
    return MemoryCheckpoint({f"w{i}": _random(400, 384) for i in range(30)} | {"v": _random(96)})


def test_probes_are_chosen_by_content_alone() -> None:
    checkpoint = _probed()
    fingerprint = take(checkpoint)
    targets = probe_targets(fingerprint, KEY)
    assert len(targets) == len({target.block for target in targets}) == 24
    arrays = {
        tensor.name: np.frombuffer(b"".join(checkpoint.read([_whole(tensor)])), np.float32).reshape(
            tensor.shape
        )
        for tensor in checkpoint.tensors
    }
    renamed = MemoryCheckpoint({f"z.{99 - i}": a for i, a in enumerate(reversed(arrays.values()))})
    other = take(renamed)
    chosen = {fingerprint.blocks.digest[target.block].tobytes() for target in targets}
    again = {other.blocks.digest[t.block].tobytes() for t in probe_targets(other, KEY)}
    assert chosen == again


def test_probes_are_read_outside_the_public_rows_and_see_a_copy() -> None:
    checkpoint = _probed()
    fingerprint = take(checkpoint)
    targets = probe_targets(fingerprint, KEY)
    probes = read_probes(checkpoint, fingerprint, KEY, targets)
    assert all(target.row_offset >= 64 for target in targets)
    assert [probe.key_id for probe in probes] == [KEY.id] * 24
    assert len({probe.signs for probe in probes}) == 24
    assert read_probes(checkpoint, fingerprint, KEY, targets) == probes


def test_a_probe_that_does_not_fit_the_suspect_is_left_out() -> None:
    checkpoint = MemoryCheckpoint({"w": _random(100, 384)})
    fingerprint = take(checkpoint)
    targets = [ProbeTarget(0, 36), ProbeTarget(0, 37)]
    probes = read_probes(checkpoint, fingerprint, KEY, targets)
    assert [probe.row_offset for probe in probes] == [36]


def _whole(tensor: StoredTensor):
    from kinprint.checkpoints.tensors import Span

    return Span(tensor.file, tensor.offset, tensor.offset + tensor.nbytes)


def test_of_too_many_vectors_none_is_read_whatever_their_order(monkeypatch) -> None:
    monkeypatch.setattr(limits, "VECTORS", 2)
    vectors = {f"bias.{i}": RNG.standard_normal(96) for i in range(3)}
    two = take(MemoryCheckpoint(dict(list(vectors.items())[:2])))
    assert len(two.vectors.view) == 2
    three = take(MemoryCheckpoint(vectors | {"w": RNG.standard_normal((96, 96))}))
    assert (len(three.vectors.view), len(three.blocks.view)) == (0, 1)
    assert [bool(view.note) for view in three.views] == [True, True, True, False]


def test_more_matrices_than_a_fingerprint_holds_are_refused(monkeypatch) -> None:
    monkeypatch.setattr(limits, "SKETCHES", 1)
    checkpoint = MemoryCheckpoint({name: RNG.standard_normal((96, 96)) for name in "ab"})
    with pytest.raises(LimitExceededError, match="more than 1 sketches"):
        take(checkpoint)
    assert checkpoint.bytes_read == 0
