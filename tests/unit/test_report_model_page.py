"""The page of one model: its relatives, each with a way to the full comparison."""

from __future__ import annotations

import pytest

import report_cases as cases
from kinprint.lineage.verdict import Coverage, Interval, Match, Relation, Similar
from kinprint.report.model_page import render_model_page
from page_reading import Page


def similar(*, matches: bool = True, repo: str = cases.COPY, match_repo: str = cases.ORIGINAL):
    comparison = cases.comparison_of_a_copy()
    verdict = comparison.verdict
    found = Match(
        repo=match_repo,
        revision="b" * 40,
        relation=verdict.relation,
        transforms=verdict.transforms,
        direction=verdict.direction,
        score=verdict.score,
        shared_fraction=verdict.shared_fraction,
        first=Interval(),
        declared=False,
        explained_by=None,
        evidence_url="/similar",
        verdict=verdict,
    )
    nothing = verdict.model_copy(update={"relation": Relation.UNRELATED})
    return Similar(
        repo=repo,
        revision="a" * 40,
        verdict=verdict if matches else nothing,
        matches=(found,) if matches else (),
        coverage=Coverage(models=1_234),
        checked_at=cases.MADE_AT,
    )


def read(answer: Similar, language: str = "en") -> Page:
    return Page(render_model_page(answer, language=language, made_at=cases.MADE_AT))


def test_a_match_has_its_sentence_its_transforms_and_a_way_to_the_comparison() -> None:
    page = read(similar())
    assert page.one("h1").text == cases.COPY
    assert f"{cases.COPY} looks derived from {cases.ORIGINAL}." in page.one("main").text
    assert "renamed, noise added" in page.one("main").text
    targets = [each.attributes["href"] for each in page.all("a")]
    assert targets == ["/compare?a=novalume%2Fomni-embed&b=acme-research%2Fsentence-l6&language=en"]


def test_a_model_without_relatives_says_among_how_many() -> None:
    page = read(similar(matches=False))
    assert f"No relative of {cases.COPY} was found among 1,234 models." in page.one("header").text
    assert page.all("a") == []


@pytest.mark.parametrize("matches", [True, False])
def test_the_page_says_that_nobody_has_looked_at_it(matches: bool) -> None:
    assert "unreviewed measurements" in read(similar(matches=matches)).one("header").text


def test_the_page_speaks_chinese() -> None:
    page = read(similar(), "zh")
    assert f"{cases.COPY} 看起来派生自 {cases.ORIGINAL}。" in page.one("main").text
    assert page.one("html").attributes["lang"] == "zh-Hans"


def test_a_hostile_name_stays_within_its_link() -> None:
    name = '"><script>alert(1)</script>&c=javascript:'
    page = read(similar(match_repo=name))
    assert page.unbalanced == []
    assert page.all("script") == []
    (link,) = page.all("a")
    assert link.attributes["href"].startswith("/compare?a=novalume%2Fomni-embed&b=%22%3E%3Cscript")
    assert link.attributes["href"].count("&") == 2
    assert link.attributes["href"].endswith("&language=en")
