"""Both languages say everything, and lineage's own sentences are known to the Chinese report."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter
from typing import get_args

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st

import kinprint.report
import report_cases as cases
import weights as w
from kinprint.lineage import wording
from kinprint.lineage.compare import compare
from kinprint.lineage.evidence.record import (
    ChangeEvidence,
    ChangeKind,
    ConfigField,
    Declaration,
    DirectionHint,
    LayerStack,
    MergeEvidence,
    Timeline,
    TimelineEvent,
    TreeNode,
)
from kinprint.lineage.verdict import Direction, Finding, Relation, TransformName
from kinprint.report.blocks import Original
from kinprint.report.html import render_html
from kinprint.report.sections import change, history, merge, statements
from kinprint.report.sections import weights as weights_section
from kinprint.report.texts import verdict_words
from kinprint.report.texts.language import language_of, plain
from kinprint.report.texts.sentences import is_translated, said
from kinprint.report.texts.verdict_words import verdict_sentence
from kinprint.report.texts.visible import MAX_SHOWN_CHARACTERS, visible
from page_reading import Page

ROOM = Path(kinprint.report.__file__).parent
KEYWORDS = {"N_": None, "say": None, "word": None, "t": None, "count": (1, 2)}
CHINESE = language_of("zh")
ENGLISH = language_of("en")

LATIN_BY_RIGHT = {
    "Kinprint", "JSON", "json", "config", "UTC", "LoRA", "SLERP", "kinprint", "index", "bootstrap",
    "ln",
}  # fmt: skip
"""Names and signs that a Chinese reader of this field expects as they are."""


def messages() -> dict[str, str | tuple[str, ...]]:
    """Every message that the room's code and templates contain."""
    methods = [("**.py", "python"), ("**.html", "jinja2")]
    found = extract_from_dir(ROOM, methods, keywords=KEYWORDS)
    return {text if isinstance(text, str) else text[0]: text for _, _, text, _, _ in found if text}


def catalogue():
    with (ROOM / "texts" / "zh.po").open("rb") as file:
        return {
            each.id if isinstance(each.id, str) else each.id[0]: each
            for each in read_po(file)
            if each.id
        }


def places(message: str) -> set[str]:
    return {place for _, place, _, _ in Formatter().parse(message) if place is not None}


def test_every_message_has_both_languages_and_no_translation_is_left_over() -> None:
    assert set(messages()) == set(catalogue())
    assert [key for key, each in catalogue().items() if not each.string] == []


def test_both_languages_of_a_message_have_the_same_places() -> None:
    for key, each in catalogue().items():
        chinese = each.string if isinstance(each.string, str) else each.string[0]
        plural = key if isinstance(each.id, str) else each.id[1]
        assert places(chinese) == places(plural) == places(key), key


def words_of(annotation: object) -> set[str]:
    """The values of a ``Literal``, also within a tuple."""
    return {each for part in get_args(annotation) for each in (get_args(part) or (part,))} - {...}


def test_every_value_that_a_record_can_hold_has_words() -> None:
    def field(model, name):
        return words_of(model.model_fields[name].annotation)

    assert set(verdict_words.TRANSFORM_WORDS) == set(get_args(TransformName))
    for words in (
        verdict_words.RELATION_WORDS, verdict_words.EDGE_WORDS, verdict_words.MEANINGS,
        verdict_words._SENTENCES,
    ):  # fmt: skip
        assert set(words) == set(Relation)
    assert set(verdict_words.DIRECTION_WORDS) == set(Direction)
    assert set(verdict_words._FINDING_SENTENCES) >= field(Finding, "code")
    assert set(statements.FINDING_WORDS) >= field(Finding, "code")
    assert set(statements._OUTCOMES) == field(Declaration, "outcome")
    assert set(statements._STANDINGS) == field(ConfigField, "standing")
    assert set(change._KINDS) == set(ChangeKind)
    assert set(merge._KINDS) == field(MergeEvidence, "kind")
    assert set(history._ROLES) == field(TreeNode, "role")
    assert set(history._ORDERS) == field(Timeline, "order")
    assert set(history._EVENTS) == field(TimelineEvent, "kind")
    assert set(history._HINTS) == field(DirectionHint, "kind")
    assert set(weights_section._ORDERS) == field(LayerStack, "order")
    assert field(ChangeEvidence, "depth") == {"sketches", "deep"}


@pytest.mark.parametrize("relation", list(Relation))
def test_the_chinese_sentence_says_what_lineages_english_one_says(relation: Relation) -> None:
    english = wording.sentence(relation, "a/a", "b/b", share=0.5, base="c/c")
    template = verdict_words._SENTENCES[relation]
    ours = ENGLISH.say(template, a="a/a", b="b/b", share="50%", base="c/c")
    assert plain(ours) == english


def base() -> w.Weights:
    return w.strangers(5)


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(lambda: w.trained(base(), 0.01), id="trained"),
        pytest.param(lambda: w.int8(base()), id="int8"),
        pytest.param(lambda: w.pruned(base(), 0.5), id="pruned"),
        pytest.param(lambda: w.mixed(base(), w.strangers(6), 0.6), id="mixed"),
        pytest.param(lambda: dict(list(w.strangers(7).items())[:4]), id="few"),
        pytest.param(lambda: {"n": w.strangers(7)["layers.0.norm"]}, id="none"),
        pytest.param(lambda: w.noised(base(), 1e-9), id="below resolution"),
    ],
)
def test_every_reason_of_a_real_comparison_is_known_in_chinese(changed) -> None:
    reason = compare(w.fingerprint(changed()), w.fingerprint(base())).verdict.reason
    assert reason
    runs = said(reason, CHINESE)
    assert is_translated(runs)
    assert plain(runs) != reason


def test_an_unknown_sentence_stays_in_english_and_is_marked() -> None:
    runs = said("Quantisation can hide a light training. The moon is full.", CHINESE)
    assert runs[-1] == Original("The moon is full.")
    assert plain(runs[:-1]) == "量化可能掩盖轻微的训练。"


def test_names_in_a_reason_stay_as_they_are() -> None:
    text = "All that is shared is shared with acme/a.b as well."
    assert plain(said(text, CHINESE)) == "所有共享的部分也都与 acme/a.b 共享。"


def test_a_part_and_a_relation_are_told_in_chinese_words() -> None:
    text = "Its language model came from meta/llama-3.1."
    assert plain(said(text, CHINESE)) == "其语言模型来自 meta/llama-3.1。"
    text = "Weights shared with meta/llama-3.1 were measured: shared base."
    assert plain(said(text, CHINESE)).startswith("测得与 meta/llama-3.1 共享的权重：双方看起来")


def test_every_verdict_of_lineage_is_known_within_other_sentences() -> None:
    for relation in Relation:
        for child, declared in ((None, False), ("a/a", False), ("a/a", True)):
            text = wording.sentence(
                relation, "a/a", "b/b", share=0.5, base="c/c", child=child, declared=declared
            )
            assert is_translated(said(f"{text} No parameters were counted.", CHINESE)), text


def test_hostile_text_does_not_make_the_search_slow() -> None:
    # 2,000 characters, cut at every place that a shape could begin or end.
    for text in ("x declares y. " * 140, "The card of " + "a. " * 600, "a/b " * 500):
        assert not is_translated(said(text[:2_000], CHINESE))


def latin_words(comparison) -> set[str]:
    """Latin words of the Chinese page that are neither names nor quotes."""
    source = render_html(comparison, language="zh", made_at=cases.MADE_AT)
    names = {
        each.text
        for each in Page(source).elements
        if each.tag == "code" or (each.tag == "q" and each.attributes.get("lang") == "en")
    }
    without = re.sub(r"<(code|q|style)\b.*?</\1>", " ", source, flags=re.DOTALL)
    text = re.sub(r"<[^>]*>", " ", without)
    for name in sorted({*names, *drawn_names(comparison)}, key=len, reverse=True):
        text = text.replace(name, " ")
    return set(re.findall(r"[A-Za-z]{2,}", text)) - LATIN_BY_RIGHT


def drawn_names(comparison) -> set[str]:
    weights = comparison.evidence.weights
    cells = [] if weights is None else [*weights.repo_tensors, *weights.match_tensors]
    prefixes = {".".join(cell.name.split(".")[:parts]) for cell in cells for parts in (1, 2, 3, 4)}
    merge_evidence, tree = comparison.evidence.merge, comparison.evidence.tree
    parents = () if merge_evidence is None else merge_evidence.parents
    nodes = () if tree is None else tree.nodes
    return prefixes - {""} | set(parents) | {node.name for node in nodes}


@pytest.mark.parametrize(
    "comparison",
    [cases.comparison_of_a_copy, cases.comparison_of_strangers],
)
def test_the_chinese_report_is_chinese(comparison) -> None:
    assert latin_words(comparison()) == set()


def test_a_declared_child_is_told_apart_from_one_declared_through_its_bases() -> None:
    comparison = cases.comparison_of_a_copy()
    verdict = comparison.verdict.model_copy(update={"declared": True})
    direct = comparison.a.model_copy(update={"declared_bases": (cases.ORIGINAL,)})
    through = comparison.a.model_copy(update={"declared_bases": ("acme/other",)})
    sentences = {
        plain(verdict_sentence(verdict, side, comparison.b, CHINESE))
        for side in (direct, through, comparison.a)
    }
    assert len(sentences) == 3
    assert all(cases.COPY in each and cases.ORIGINAL in each for each in sentences)


def test_numbers_are_written_as_a_reader_expects_them() -> None:
    assert ENGLISH.number(1 / 708, 4) == "0.001412"
    assert ENGLISH.number(2.5e-7) == "2.50E-7"
    assert ENGLISH.short(2.0) == "2"
    assert ENGLISH.percent(0.99999) == "99.9%"
    assert ENGLISH.percent(1.0) == "100%"


@given(st.text())
def test_nothing_invisible_is_left_of_any_text(text: str) -> None:
    import unicodedata

    shown = visible(text)
    hidden = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert [each for each in shown if unicodedata.category(each) in hidden] == []


@given(st.text(alphabet="abc ", max_size=3 * MAX_SHOWN_CHARACTERS))
def test_both_ends_of_a_long_name_are_kept(text: str) -> None:
    shown = visible(text)
    assert len(shown) <= MAX_SHOWN_CHARACTERS
    assert shown == text or (text.startswith(shown[:60]) and text.endswith(shown[-60:]))
