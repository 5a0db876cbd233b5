"""Tensors shaped against the public hash, and tensors of which only the public rows were copied."""

from __future__ import annotations

import numpy as np
import pytest

import weights as w
from kinprint.fingerprint.probes import ProbeTarget, probe_targets, read_probes
from kinprint.fingerprint.take import take
from kinprint.lineage.evasion import evasion_finding, probe_partners
from kinprint.lineage.matching import Matching
from kinprint.sketches.blocks import blocks_of
from kinprint.sketches.secret import SecretKey
from memory_checkpoint import MemoryCheckpoint

BASE = w.strangers(0, size=512)


@pytest.fixture
def key(tmp_path):
    return SecretKey.load_or_create(tmp_path / "secret.key")


def finding(suspect: w.Weights, key: SecretKey):
    original = MemoryCheckpoint(BASE)
    known = take(original)
    probes = read_probes(original, known, key, probe_targets(known, key))
    checkpoint = MemoryCheckpoint(suspect)
    matching = Matching(take(checkpoint), known)
    partners = probe_partners(matching, probes)
    targets = [ProbeTarget(block, probe.row_offset) for block, probe in partners]
    mine = read_probes(checkpoint, matching.query, key, targets)
    by_block = {(each.block, each.row_offset): each for each in mine}
    pairs = [
        (by_block[block, probe.row_offset], probe)
        for block, probe in partners
        if (block, probe.row_offset) in by_block
    ]
    return evasion_finding(matching, pairs)


def matrices(weights: w.Weights) -> list[str]:
    return [name for name, value in weights.items() if value.ndim == 2]


def public_rows(value: np.ndarray) -> slice:
    (block,) = blocks_of(*value.shape)
    return slice(block.start, block.start + block.rows)


def test_an_honest_copy_gives_no_finding(key) -> None:
    assert finding(w.noised(BASE, 1 / 708), key) is None
    assert finding(BASE, key) is None


def test_a_stranger_gives_no_finding(key) -> None:
    assert finding(w.strangers(7, size=512), key) is None


def test_rows_swapped_out_of_the_public_block_are_seen(key) -> None:
    suspect = dict(BASE)
    for name in matrices(BASE)[:4]:
        value = BASE[name].copy()
        rows = public_rows(value)
        value[rows] = np.random.default_rng(1).normal(0, 0.05, value[rows].shape)
        suspect[name] = value
    found = finding(suspect, key)
    assert found is not None
    assert found.code == "shaped_to_evade"
    assert set(found.tensors) == set(matrices(BASE)[:4])


def test_a_tensor_of_which_only_the_public_rows_were_copied_is_seen(key) -> None:
    suspect = dict(BASE)
    for name in matrices(BASE)[:3]:
        value = np.random.default_rng(2).normal(0, 0.05, BASE[name].shape).astype(np.float32)
        rows = public_rows(value)
        value[rows] = BASE[name][rows]
        suspect[name] = value
    found = finding(suspect, key)
    assert found is not None
    assert set(found.tensors) == set(matrices(BASE)[:3])


def test_signs_under_two_keys_are_never_compared(key, tmp_path) -> None:
    original = MemoryCheckpoint(BASE)
    known = take(original)
    other = SecretKey.load_or_create(tmp_path / "other.key")
    mine = read_probes(original, known, key, probe_targets(known, key))
    theirs = read_probes(original, known, other, probe_targets(known, other))
    pairs = list(zip(mine, theirs, strict=True))
    assert evasion_finding(Matching(known, known), pairs) is None


def test_two_trainings_from_one_start_are_not_accused_of_shaping(key) -> None:
    twin = w.mixed(BASE, w.strangers(8, size=512), 0.44)
    assert finding(twin, key) is None
