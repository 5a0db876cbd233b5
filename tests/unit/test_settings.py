"""Settings from variables and one TOML file: what is wrong is named, never skipped."""

from __future__ import annotations

import pytest

from kinprint.errors import MissingError, UsageError
from kinprint.settings import settings


@pytest.fixture
def config(monkeypatch, tmp_path):
    path = tmp_path / "kinprint.toml"
    monkeypatch.setenv("KINPRINT_CONFIG", str(path))
    settings.cache_clear()
    yield path
    settings.cache_clear()


def test_a_variable_wins_over_the_file(config, monkeypatch):
    config.write_text("port = 1000\nqueue_limit = 7\n")
    monkeypatch.setenv("KINPRINT_PORT", "2000")
    assert (settings().port, settings().queue_limit) == (2000, 7)


def test_a_file_that_is_not_there_is_said_to_be_missing(config):
    with pytest.raises(MissingError, match="KINPRINT_CONFIG"):
        settings()


@pytest.mark.parametrize("content", [b'hub_token = "hf_secret\n', b"\xff\xfe", b"hub_tokn = 1"])
def test_a_broken_file_is_an_error_that_shows_no_secret(config, content):
    config.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        settings()
    assert "hf_secret" not in caught.value.message


def test_an_empty_variable_names_no_file(config, monkeypatch):
    monkeypatch.setenv("KINPRINT_CONFIG", "")
    assert settings().port == 8765
