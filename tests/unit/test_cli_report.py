"""What a person reads: a sentence first, nothing accusing, and what it does not say."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from kinprint.cli.report import RENAME_LINES, show_comparison
from kinprint.lineage.evidence.record import Comparison
from kinprint.lineage.verdict import (
    Coverage,
    Relation,
    Side,
    TensorPair,
    Transform,
    Verdict,
)

SENTENCE = "acme/a looks derived from acme/b."


def shown(**changed: object) -> str:
    verdict = Verdict(
        **{
            "relation": Relation.DERIVED,
            "sentence": SENTENCE,
            "shared_fraction": 0.97,
            "coverage": Coverage(models=1, ancestors_unread={"acme/base": "No such repo."}),
            **changed,
        }
    )
    out = Console(file=StringIO(), width=120, highlight=False)
    sides = Side(source="acme/a", repo="acme/a"), Side(source="acme/b", repo="acme/b")
    show_comparison(out, Comparison(a=sides[0], b=sides[1], verdict=verdict))
    return out.file.getvalue()


def test_the_sentence_comes_first() -> None:
    assert shown().splitlines()[0] == SENTENCE


@pytest.mark.parametrize("relation", list(Relation))
def test_every_relation_has_words_and_says_what_it_does_not_say(relation: Relation) -> None:
    text = shown(relation=relation)
    assert "What this does not say" in text
    assert "stolen" not in text
    assert "original" not in text


def test_sigma_is_shown_with_its_interval_and_as_a_fraction() -> None:
    figures = {"sigma": 1 / 708, "sigma_low": 0.0014, "sigma_high": 0.00143}
    noised = Transform(name="noised", summary="It looks noised.", figures=figures)
    text = shown(transforms=(noised,))
    assert "1/708" in text
    assert "0.0014 … 0.00143" in text


def test_a_long_rename_map_is_abbreviated() -> None:
    pairs = tuple(
        TensorPair(repo_tensor=f"mine.{n}", match_tensor=f"yours.{n}", hamming_bits=2)
        for n in range(40)
    )
    text = shown(rename_map=pairs)
    assert text.count("mine.") == RENAME_LINES
    assert f"{40 - RENAME_LINES} more" in text


def test_names_from_files_are_neither_markup_nor_control_characters() -> None:
    pair = TensorPair(repo_tensor="[red]x\x1b[2J", match_tensor="y", hamming_bits=0)
    text = shown(rename_map=(pair,))
    assert "[red]x" in text
    assert "\x1b" not in text


def test_unread_ancestors_are_named_with_their_reason() -> None:
    text = shown()
    assert "acme/base" in text
    assert "No such repo." in text
