"""The documents of compared revisions outlive their repos, and gated ones are not kept."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text

from kinprint.checkpoints.documents import Document, Documents
from kinprint.checkpoints.tensors import Visibility
from kinprint.errors import IndexUnreadableError, MissingError
from kinprint.index.dump import write_dump
from kinprint.index.migrate import MIGRATIONS
from kinprint.index.store import Index
from synthetic_fingerprints import synthetic

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = datetime(2026, 11, 1, tzinfo=UTC)
LATER = NOW + timedelta(days=3)
TEXTS = Documents(Document(b'{"custom_field": 3}'), Document("# Über uns 模型\0".encode()))
NOTHING = Documents(Document(reason="there is no config.json"), Document(reason="timed out"))


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'index.db'}"


@pytest.fixture
def index(url) -> Iterator[Index]:
    with Index.open(url) as opened:
        yield opened


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(4)


def test_what_was_read_is_given_back_byte_for_byte(index, rng) -> None:
    number = index.add(synthetic(rng, "acme/model"), seen_at=NOW)
    assert index.documents.of(number) is None
    index.documents.put(number, TEXTS, NOW)
    assert index.documents.of(number) == TEXTS
    assert index.documents.of(number).config == {"custom_field": 3}


def test_they_stay_when_the_repo_is_gone(index, rng) -> None:
    number = index.add(synthetic(rng, "acme/model"), seen_at=NOW)
    index.documents.put(number, TEXTS, NOW)
    index.withdraw("acme/model")
    assert index.documents.of(number) == TEXTS


def test_a_failed_second_reading_erases_nothing(index, rng) -> None:
    number = index.add(synthetic(rng, "acme/model"), seen_at=NOW)
    index.documents.put(number, NOTHING, NOW)
    assert index.documents.of(number) == NOTHING
    index.documents.put(number, TEXTS, LATER)
    index.documents.put(number, NOTHING, LATER)
    assert index.documents.of(number) == TEXTS


def test_nothing_is_stored_of_a_gated_repo(index, rng, tmp_path: Path) -> None:
    gated = synthetic(rng, "acme/gated", visibility=Visibility.GATED)
    number = index.add(gated, seen_at=NOW)
    index.documents.put(number, TEXTS, NOW)
    found = index.documents.of(number)
    assert (found.config, found.card) == (None, None)
    assert "gated" in found.config_reason
    index.withdraw("acme/gated")
    assert index.documents.of(number) is None


def test_texts_of_a_repo_that_became_gated_are_withheld(index, rng) -> None:
    public = synthetic(rng, "acme/model")
    number = index.add(public, seen_at=NOW)
    index.documents.put(number, TEXTS, NOW)
    origin = public.origin.model_copy(update={"visibility": Visibility.GATED})
    index.add(dataclasses.replace(public, origin=origin), seen_at=LATER)
    assert index.documents.of(number).card is None


def test_no_text_is_in_a_dump(index, rng, tmp_path: Path) -> None:
    number = index.add(synthetic(rng, "acme/model"), seen_at=NOW)
    index.documents.put(number, TEXTS, NOW)
    write_dump(index, tmp_path / "dump.tar", made_at=NOW)
    dumped = (tmp_path / "dump.tar").read_bytes()
    assert b"acme/model" in dumped
    assert b"custom_field" not in dumped
    assert "模型".encode() not in dumped


def test_an_unknown_revision_is_named(index) -> None:
    with pytest.raises(MissingError, match="99"):
        index.documents.put(99, TEXTS, NOW)
    with pytest.raises(MissingError, match="99"):
        index.documents.of(99)


@pytest.mark.parametrize("stored", ["x'00'", "x'789c'"])
def test_a_damaged_text_is_named_as_such(index, url, rng, stored) -> None:
    number = index.add(synthetic(rng, "acme/model"), seen_at=NOW)
    index.documents.put(number, TEXTS, NOW)
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE document SET content = {stored}"))
    engine.dispose()
    with pytest.raises(IndexUnreadableError, match="damaged"):
        index.documents.of(number)


def test_an_index_of_the_version_before_takes_documents(url, rng) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    engine = create_engine(url)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    engine.dispose()
    with Index.open(url) as index:
        number = index.add(synthetic(rng, "acme/model"), seen_at=NOW)
        index.documents.put(number, TEXTS, NOW)
        assert index.documents.of(number) == TEXTS
