"""A new model is read at secret rows once, for itself and for its relatives."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

import weights as w
from kinprint.checkpoints.tensors import Origin, Visibility
from kinprint.fingerprint.probes import PROBES
from kinprint.fingerprint.take import take
from kinprint.index.store import Index
from kinprint.service.partners import read_secret
from kinprint.sketches.secret import SecretKey
from memory_checkpoint import MemoryCheckpoint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = datetime(2026, 3, 1, tzinfo=UTC)
OLD, NEW = SecretKey(b"o" * 32), SecretKey(b"n" * 32)
BASE = w.strangers(0, layers=30)
BLOCK_BYTES = 64 * 256 * 4


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    with Index.open(f"sqlite:///{tmp_path / 'kinprint.db'}") as opened:
        yield opened


def publish(index: Index, weights: w.Weights, repo: str, *keys: SecretKey) -> tuple[int, int]:
    """Read and index a model; returns its number and the bytes that its secret part took."""
    origin = Origin(repo, repo=repo, revision="a" * 40, visibility=Visibility.PUBLIC)
    checkpoint = MemoryCheckpoint(weights, origin=origin)
    fingerprint = take(checkpoint)
    before = checkpoint.bytes_read
    own, partners = read_secret(index, keys, checkpoint, fingerprint)
    number = index.add(fingerprint, seen_at=NOW, probes=own)
    index.probes.add_partners(number, partners)
    return number, checkpoint.bytes_read - before


def test_relatives_cost_no_further_bytes(index: Index) -> None:
    first, _ = publish(index, BASE, "acme/base", NEW)
    second, alone = publish(index, w.noised(BASE, 1e-4, seed=1), "bo/one", NEW)
    third, both = publish(index, w.noised(BASE, 1e-4, seed=2), "cy/two", NEW)
    assert alone == both == PROBES * BLOCK_BYTES
    for relative in (first, second):
        answered = index.probes.partners(third, relative)
        assert len(answered) == PROBES
        own = {probe.block: probe for probe in index.probes.of(third)}
        assert all(own[each.probe.block] == each.probe for each in answered)


def test_a_stranger_has_probes_of_its_own_and_answers_nobody(index: Index) -> None:
    first, _ = publish(index, BASE, "acme/base", NEW)
    other, cost = publish(index, w.strangers(1, layers=30), "cy/stranger", NEW)
    assert cost == PROBES * BLOCK_BYTES
    assert len(index.probes.of(other)) == PROBES
    assert index.probes.partners(other, first) == ()


def test_after_a_rotation_older_probes_are_still_answered_under_their_key(index: Index) -> None:
    first, _ = publish(index, BASE, "acme/base", OLD)
    copy, _ = publish(index, w.noised(BASE, 1e-4), "bo/copy", NEW, OLD)
    assert {probe.key_id for probe in index.probes.of(copy)} == {NEW.id}
    assert {each.probe.key_id for each in index.probes.partners(copy, first)} == {OLD.id}
