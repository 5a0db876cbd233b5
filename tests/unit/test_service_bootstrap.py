"""The shipped list of base models, and its cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinprint.errors import MissingError, UsageError
from kinprint.service.bases import expected_bytes, load_bases

if TYPE_CHECKING:
    from pathlib import Path


def test_the_shipped_list_is_dated_documented_and_has_no_doubles() -> None:
    bases = load_bases()
    repos = [base.repo.lower() for base in bases.base]
    assert len(repos) == len(set(repos))
    assert len(repos) >= 150
    assert all(base.source.scheme == "https" for base in bases.base)
    assert len({base.family for base in bases.base}) > 10


def test_a_list_of_ones_own_has_the_same_form(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'dated = "2026-11-23"\n'
        '[[base]]\nrepo = "acme/base"\nfamily = "acme"\nsource = "https://acme.example/card"\n'
    )
    assert [base.repo for base in load_bases(path).base] == ["acme/base"]


LINE = '[[base]]\nrepo = "a/b"\nfamily = "a"\nsource = "https://a.example"\n'
DATED = 'dated = "2026-11-23"\n'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not toml at all [",
        LINE,
        f"{DATED}base = []\n",
        f'dated = "x"\n{LINE}',
        f"{DATED}{LINE}".replace("a/b", "../b"),
        f"{DATED}{LINE}".replace("https:", "ftp:"),
        f'{DATED}{LINE}revision = "0123"\n',
    ],
)
def test_a_malformed_list_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(UsageError):
        load_bases(path)


def test_a_missing_list_is_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingError):
        load_bases(tmp_path / "none.toml")


@given(st.integers(0, 10**13))
def test_no_more_is_expected_than_there_is(model_bytes: int) -> None:
    assert 0 <= expected_bytes(model_bytes) <= model_bytes


def test_an_8b_costs_about_what_its_fingerprint_reads() -> None:
    assert 15e6 < expected_bytes(16_000_000_000) < 25e6
