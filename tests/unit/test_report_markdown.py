"""The report as Markdown: the same content, and nobody's text becomes markup."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

import report_cases as cases
from kinprint.report.blocks import Code
from kinprint.report.markdown import code_span, escaped, markdown, render_markdown
from kinprint.report.report import report_of
from kinprint.report.texts.language import language_of
from kinprint.report.texts.visible import visible

PARSER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
OURS = {
    "heading", "paragraph", "inline", "text", "strong", "em", "code_inline", "fence",
    "bullet_list", "list_item", "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip


def tokens(text: str):
    for token in PARSER.parse(text):
        yield token
        yield from token.children or ()


def kinds(text: str) -> set[str]:
    return {token.type.removesuffix("_open").removesuffix("_close") for token in tokens(text)}


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(
    "comparison",
    [cases.comparison_of_a_copy, cases.hostile_comparison, cases.comparison_of_strangers],
)
def test_markdown_holds_nothing_but_our_own_markup(comparison, language) -> None:
    assert kinds(render_markdown(comparison(), language)) <= OURS


def test_headings_are_those_of_the_page() -> None:
    text = render_markdown(cases.hostile_comparison(), "en")
    report = report_of(cases.hostile_comparison(), language_of("en"))
    headings = [line for line in text.splitlines() if line.startswith("#")]
    assert len(headings) == 1 + len(report.sections)
    assert headings[1:] == [f"## {section.title}" for section in report.sections]


def test_every_row_of_a_table_has_as_many_cells_as_its_head() -> None:
    text = render_markdown(cases.hostile_comparison(), "en")
    widths: list[int] = []
    for token in PARSER.parse(text):
        if token.type == "tr_open":
            widths.append(0)
        elif token.type in {"th_open", "td_open"}:
            widths[-1] += 1
    bars = [
        len(re.findall(r"(?<!\\)\|", line)) - 1 for line in text.splitlines() if line[:1] == "|"
    ]
    assert widths
    assert [each for each in bars if each not in widths] == []


def test_nobody_is_mentioned_and_nothing_is_linked() -> None:
    text = render_markdown(cases.hostile_comparison(), "en")
    outside = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    outside = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", outside)
    assert "octocat" in outside
    assert not re.search(r"[@#]\w|https?://|www\.", outside)


def test_every_pair_is_listed() -> None:
    comparison = cases.large_comparison(40)
    text = render_markdown(comparison, "en")
    names = [pair.repo_tensor for pair in comparison.verdict.rename_map]
    assert [name for name in names if f"`{name}`" not in text] == []


@given(st.text(max_size=60))
def test_any_words_come_out_as_they_went_in(text: str) -> None:
    found = [token for token in tokens(f"x{escaped(text)}x") if token.type != "inline"]
    words = "".join(token.content for token in found if token.type == "text")
    assert {token.type for token in found} <= {"paragraph_open", "paragraph_close", "text"}
    assert words.replace("\u2060", "") == f"x{visible(text)}x"


@given(st.text(alphabet="`| \\ab<[*_", min_size=1, max_size=12))
def test_any_name_stays_within_its_code_span(text: str) -> None:
    found = [token for token in tokens(f"a {code_span(text)} b") if token.type != "inline"]
    kinds_found = [token.type for token in found if not token.type.startswith("paragraph")]
    assert kinds_found == ["text", "code_inline", "text"]


@given(st.text(alphabet="`| \\ab<[*_-", min_size=1, max_size=12), st.text(max_size=12))
def test_any_cell_stays_within_its_cell(name: str, words: str) -> None:
    cell = markdown((Code(name), words), in_table=True)
    text = f"| a | b |\n| --- | --- |\n| {cell} | end |\n"
    cells = [
        token.content
        for before, token in zip(list(tokens(text)), list(tokens(text))[1:], strict=False)
        if before.type == "td_open"
    ]
    assert len(cells) == 2
    assert cells[1] == "end"


def test_nothing_hidden_is_in_the_text_but_what_breaks_references() -> None:
    text = render_markdown(cases.hostile_comparison(), "en")
    hidden = {each for each in text if unicodedata.category(each) in {"Cc", "Cf"}}
    assert hidden <= {"\n", "\u2060"}
