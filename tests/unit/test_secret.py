"""The instance's secret key: where it lies, who may read it, and what it sees."""

from __future__ import annotations

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinprint.errors import MissingError, UsageError
from kinprint.sketches.linear import phash
from kinprint.sketches.projection import PUBLIC
from kinprint.sketches.secret import SecretKey

if TYPE_CHECKING:
    from pathlib import Path


def test_the_first_use_makes_a_key_that_only_its_owner_can_read(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    key = SecretKey.load_or_create(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert SecretKey.load_or_create(path).id == key.id
    assert [each.name for each in tmp_path.iterdir()] == ["secret.key"]


def test_probes_of_earlier_versions_stay_comparable() -> None:
    """Whoever changes this makes every stored probe disagree: honest models would look shaped."""
    key = SecretKey(b"s" * 32)
    words = np.random.Philox(key=7).random_raw(64 * 96)
    block = ((words >> np.uint64(40)).astype(np.float64) / 2**24 - 0.5).reshape(64, 96)
    assert key.id == "5db41ebcf77dbc36"
    assert key.row_offset(96, 1_000, 64, avoid=64) == 386
    assert key.row_offset(4_096, 14_336, 8, avoid=8) == 6597
    assert (
        key.signs(block).hex() == "c4457811c7b8512249b7aed1cb1627517aea499f27aeb63ea96d54cc014bbe2e"
    )


def test_the_key_shows_neither_in_its_representation_nor_in_its_id(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    key = SecretKey.load_or_create(path)
    (secret,) = json.loads(path.read_text())["keys"]
    assert secret not in repr(key)
    assert secret not in str(key)
    assert key.id not in secret


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "secret.key"
    SecretKey.load_or_create(path)
    path.chmod(mode)
    with pytest.raises(UsageError, match="Others can read") as caught:
        SecretKey.load_or_create(path)
    assert "chmod 600" in caught.value.hint


@pytest.mark.parametrize("content", ["", "{}", '{"keys": []}', '{"keys": ["00"]}', '{"keys": [7]}'])
def test_a_damaged_key_file_is_refused_without_showing_it(tmp_path: Path, content: str) -> None:
    path = tmp_path / "secret.key"
    SecretKey.load_or_create(path)
    path.write_text(content)
    with pytest.raises(UsageError, match="malformed"):
        SecretKey.load_all(path)


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="nowhere"):
        SecretKey.load_or_create(tmp_path / "nowhere" / "secret.key")


def test_rotation_keeps_the_old_keys_newest_first(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    old = SecretKey.load_or_create(path)
    new = SecretKey.rotate(path)
    assert [key.id for key in SecretKey.load_all(path)] == [new.id, old.id]
    assert SecretKey.load_or_create(path).id == new.id
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["secret.key"]


def test_processes_that_start_together_agree_on_one_key(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    with ThreadPoolExecutor(8) as pool:
        ids = set(pool.map(lambda _: SecretKey.load_or_create(path).id, range(8)))
    assert len(ids) == 1


@given(
    secret=st.binary(min_size=32, max_size=32),
    rows=st.integers(8, 200_000),
    cols=st.integers(640, 16_384),
    avoid=st.integers(8, 2_000),
)
def test_secret_rows_lie_in_the_view_and_past_the_public_block_where_they_can(
    secret: bytes, rows: int, cols: int, avoid: int
) -> None:
    offset = SecretKey(secret).row_offset(cols, rows, 8, avoid=avoid)
    assert 0 <= offset <= rows - 8
    if rows - 8 >= avoid:
        assert offset >= avoid
    assert offset == SecretKey(secret).row_offset(cols, rows, 8, avoid=avoid)


def test_secret_rows_differ_between_keys_and_widths() -> None:
    keys = [SecretKey(bytes([i]) * 32) for i in range(10)]
    assert len({key.row_offset(4096, 14_336, 8, avoid=8) for key in keys}) == 10
    assert len({keys[0].row_offset(cols, 14_336, 8, avoid=8) for cols in (640, 1024, 4096)}) == 3


def test_secret_signs_see_a_copy_and_nothing_of_the_public_hash() -> None:
    key = SecretKey(b"k" * 32)
    rng = np.random.default_rng(1)
    values = rng.standard_normal((64, 384))

    def bits(a: bytes, b: bytes) -> int:
        return int(np.unpackbits(np.frombuffer(a, np.uint8) ^ np.frombuffer(b, np.uint8)).sum())

    signs = key.signs(values)
    assert len(signs) == 32
    assert bits(signs, key.signs(values + 0.05 * rng.standard_normal(values.shape))) < 20
    for stranger in (
        key.signs(rng.standard_normal((64, 384))),
        SecretKey(b"l" * 32).signs(values),
        phash(PUBLIC.project(values)).tobytes(),
    ):
        assert 85 <= bits(signs, stranger) <= 171
