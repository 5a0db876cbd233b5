"""Bars on a terminal, and none where nobody looks."""

from __future__ import annotations

import pytest

from kinprint.cli.progress import counting_bar, reading_bar


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"FORCE_COLOR": "1", "TERM": "xterm", "COLUMNS": "100"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_COLOR", raising=False)


def test_a_bar_shows_what_is_read_how_much_of_it_and_how_long_it_will_take(
    terminal: None, capsys: pytest.CaptureFixture[str]
) -> None:
    with reading_bar("acme/original", quiet=False) as on_bytes:
        assert on_bytes is not None
        on_bytes(5_000_000, 20_000_000)
    drawn = capsys.readouterr()
    assert "acme/original" in drawn.err
    assert "5.0/20.0 MB" in drawn.err
    assert drawn.out == ""


def test_a_bar_counts_models(terminal: None, capsys: pytest.CaptureFixture[str]) -> None:
    with counting_bar("Writing models", quiet=False) as on_model:
        assert on_model is not None
        on_model(3, 7)
    assert "3/7" in capsys.readouterr().err


@pytest.mark.parametrize("quiet", [True, False])
def test_nothing_is_drawn_for_programs(
    quiet: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    with reading_bar("acme/original", quiet=quiet) as on_bytes:
        assert on_bytes is None
    assert capsys.readouterr().err == ""
