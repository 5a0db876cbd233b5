"""The report as a page: it stands alone, it can be read by everybody, and nobody can break in."""

from __future__ import annotations

import re
import subprocess
import sys
import unicodedata
from functools import cache

import pytest

import report_cases as cases
from kinprint.lineage.evidence.record import Evidence
from kinprint.lineage.verdict import Relation, TensorPair
from kinprint.report.html import render_html
from kinprint.report.pages import FOLDED_ROWS
from kinprint.report.sections.rows import MAX_ROWS
from page_reading import Page

pytestmark = pytest.mark.slow

SECTIONS = [
    "map", "distances", "sigma", "merge", "tree", "timeline",
    "tensors", "change", "transforms", "declarations", "config", "findings",
    "coverage", "doubts", "reproduction",
]  # fmt: skip
MAX_BYTES = 3_000_000
COMPARISONS = {
    "copy": cases.comparison_of_a_copy,
    "hostile": cases.hostile_comparison,
    "strangers": cases.comparison_of_strangers,
}
ACTIVE = {"script", "link", "img", "iframe", "object", "embed", "form", "base", "image", "use"}


@cache
def source(name: str, language: str = "en") -> str:
    return render_html(COMPARISONS[name](), language=language, made_at=cases.MADE_AT)


@cache
def page(name: str, language: str = "en") -> Page:
    return Page(source(name, language))


def bare(**evidence: object) -> Page:
    """The page of two models of which nothing but the verdict is known."""
    comparison = cases.comparison_of_strangers()
    comparison = comparison.model_copy(update={"evidence": Evidence(**evidence)})
    return Page(render_html(comparison, language="en", made_at=cases.MADE_AT))


@pytest.mark.parametrize("name", COMPARISONS)
def test_the_file_loads_nothing_and_runs_nothing(name: str) -> None:
    read = page(name)
    assert [each.tag for each in read.elements if each.tag in ACTIVE] == []
    targets = [
        value
        for each in read.elements
        for key, value in each.attributes.items()
        if key in {"src", "href", "xlink:href", "data", "action", "srcset", "poster"}
    ]
    assert [each for each in targets if not each.startswith("#")] == []
    handlers = [key for each in read.elements for key in each.attributes if key.startswith("on")]
    assert handlers == []
    assert not re.search(r"@import|url\(", read.one("style").text)


@pytest.mark.parametrize("name", COMPARISONS)
def test_the_file_forbids_browsers_to_load_anything(name: str) -> None:
    (policy,) = (
        each.attributes["content"]
        for each in page(name).all("meta")
        if each.attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:;")
    assert "script-src" not in policy


def test_the_verdict_is_the_first_heading_and_accuses_nobody() -> None:
    read = page("copy")
    assert read.one("h1").text == f"{cases.COPY} looks derived from {cases.ORIGINAL}."
    assert "evidence, never an accusation" in read.one("header").text
    assert not re.search(r"stolen|theft|thief|plagiar|guilty", source("copy"), re.IGNORECASE)


@pytest.mark.parametrize("name", COMPARISONS)
def test_the_sections_stand_in_the_order_of_the_question(name: str) -> None:
    assert [each.attributes["id"] for each in page(name).all("section")] == SECTIONS


@pytest.mark.parametrize("name", COMPARISONS)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_screen_reader_finds_its_way(name: str, language: str) -> None:
    read = page(name, language)
    assert read.unbalanced == []
    assert {"header", "nav", "main", "footer"} <= {each.tag for each in read.elements}
    assert [each.tag for each in read.all("h1", "h2", "h3")] == ["h1"] + ["h2"] * len(SECTIONS)
    assert [identity for identity, times in read.ids.items() if times > 1] == []
    references = [
        reference
        for each in read.elements
        for key in ("aria-labelledby", "aria-describedby")
        for reference in each.attributes.get(key, "").split()
    ]
    assert [each for each in references if each not in read.ids] == []
    for table in read.all("table"):
        inner = [each for each in read.elements if table in each.parents]
        assert sum(each.tag == "caption" for each in inner) == 1
        assert all("scope" in each.attributes for each in inner if each.tag == "th")
    for drawing in read.all("svg"):
        inner = [each for each in read.elements if drawing in each.parents]
        assert drawing.attributes["role"] == "img"
        assert [each.tag for each in inner[:2]] == ["title", "desc"]
        assert all(each.text for each in inner[:2])


def test_the_page_says_in_which_language_it_is() -> None:
    assert page("copy").one("html").attributes["lang"] == "en"
    assert page("copy", "zh").one("html").attributes["lang"] == "zh-Hans"


def test_a_copy_is_drawn_in_six_plots() -> None:
    drawn = [each.attributes["aria-labelledby"] for each in page("copy").all("svg")]
    assert drawn == [
        f"{name}-title"
        for name in (
            "tensor-map", "distances-plot", "sigma-plot",
            "merge-plot", "tree-plot", "timeline-plot",
        )
    ]  # fmt: skip


@pytest.mark.parametrize("name", COMPARISONS)
def test_drawings_take_all_their_colours_from_the_page(name: str) -> None:
    drawings = "".join(re.findall(r"<svg.*?</svg>", source(name), re.DOTALL))
    assert set(re.findall(r'\b(?:fill|stroke)="([^"]+)"', drawings)) <= {"none"}


def test_the_page_has_dark_and_printed_colours() -> None:
    style = page("copy").one("style").text
    assert "@media screen and (prefers-color-scheme:dark){:root{--paper:#" in style
    assert "@media print{" in style


@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_stranger_gets_a_tag_or_a_hidden_character_into_the_page(language: str) -> None:
    text = source("hostile", language)
    read = page("hostile", language)
    assert read.unbalanced == []
    hidden = {
        character
        for character in text
        if unicodedata.category(character) in {"Cc", "Cf", "Zl", "Zp"} and character != "\n"
    }
    assert hidden == set()
    ordinary = {each.tag for each in page("copy", language).elements} | {"q"}
    assert {each.tag for each in read.elements} <= ordinary
    assert "<script>alert(1)</script>" in read.one("h1").text
    assert "⟨U+202E⟩" in text
    assert "49" not in read.section("reproduction").text  # {{ 7*7 }} was not computed


def test_a_name_of_1024_characters_is_cut_in_the_middle() -> None:
    assert "x" * 200 not in page("hostile").section("tensors").text
    assert "xxx…xxx" in page("hostile").section("tensors").text


def test_a_missing_section_says_why_and_the_rest_stands() -> None:
    reason = "The match is gated; its card was not read."
    read = bare(missing={"declarations": reason})
    assert reason in read.section("declarations").text
    assert "were not compared" in read.section("config").text
    assert [each.attributes["id"] for each in read.all("section")] == SECTIONS


@pytest.mark.parametrize("name", ["weights", "change", "merge", "tree", "timeline", "config"])
def test_every_section_knows_its_reason(name: str) -> None:
    shown = bare(missing={name: "It is raining."})
    assert "It is raining." in shown.one("main").text


def test_what_is_declared_is_set_off_as_good_news() -> None:
    comparison = cases.comparison_of_a_copy()
    verdict = comparison.verdict.model_copy(update={"declared": True})
    declared = render_html(
        comparison.model_copy(update={"verdict": verdict, "evidence": Evidence()}),
        language="en",
        made_at=cases.MADE_AT,
    )
    assert '<p class="pill declared">one set of weights, changed · declared</p>' in declared
    assert '<p class="pill claim">' in source("copy")


@pytest.mark.parametrize("relation", list(Relation))
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_relation_has_its_page(relation: Relation, language: str) -> None:
    comparison = cases.comparison_of_strangers()
    verdict = comparison.verdict.model_copy(update={"relation": relation, "sentence": "So it is."})
    comparison = comparison.model_copy(update={"verdict": verdict})
    read = Page(render_html(comparison, language=language, made_at=cases.MADE_AT))
    assert read.one("h1").text.strip()
    assert ("So it is." in read.one("h1").text) is (language == "en")


def test_a_report_of_2000_tensors_stays_below_three_megabytes() -> None:
    text = render_html(cases.large_comparison(), language="en", made_at=cases.MADE_AT)
    assert len(text.encode()) <= MAX_BYTES
    assert text.count("layers.99.") > 20


def test_long_tables_are_folded_and_short_ones_are_open() -> None:
    for table in page("copy").all("table"):
        body = [
            each
            for each in page("copy").all("tr")
            if table in each.parents and each.inside("tbody")
        ]
        assert table.inside("details") is (len(body) > FOLDED_ROWS)


def test_a_table_without_end_is_cut_and_says_so() -> None:
    comparison = cases.comparison_of_strangers()
    pairs = tuple(
        TensorPair(repo_tensor=f"a.{number}", match_tensor=f"b.{number}", hamming_bits=1)
        for number in range(MAX_ROWS + 7)
    )
    verdict = comparison.verdict.model_copy(update={"rename_map": pairs})
    text = render_html(
        comparison.model_copy(update={"verdict": verdict}), language="en", made_at=cases.MADE_AT
    )
    assert "7 further rows are left out here" in text
    assert f"a.{MAX_ROWS - 1}<" in text
    assert f"a.{MAX_ROWS}<" not in text


def test_reading_the_code_of_a_report_does_not_load_the_drawing_engine() -> None:
    check = "import sys, kinprint.report.html; sys.exit('vl_convert' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
