"""What a card's prose states, and what only looks like a statement."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinprint.lineage.evidence.declared.model_names import (
    is_model_name,
    is_same,
    may_be,
    model_names_in,
)
from kinprint.lineage.evidence.declared.patterns import PATTERNS
from kinprint.lineage.evidence.declared.prose import PROSE_LINES, Sentence, sentences_of
from kinprint.lineage.evidence.declared.statements import STATEMENTS, Statement, statements_in

OWN = ("acme/Falconet-8B",)


def stated(text: str) -> tuple[Statement, ...]:
    return statements_in((Sentence(text, 1),), OWN)


def codes(text: str) -> set[str]:
    return {each.code for each in stated(text)}


OWN_CLAIMS = {
    ("trained_from_scratch", "en"): [
        "We trained the model from scratch on 2T tokens.",
        "This model was pretrained completely from scratch.",
        "We built the model from the ground up.",
        "Trained from scratch.",
        "Our vision-language model was trained from scratch.",
    ],
    ("trained_from_scratch", "zh"): [
        "本模型从零开始训练。",
        "我们从头预训练了模型。",
        "Falconet-8B 是从零训练的。",
    ],
    ("own_architecture", "en"): [
        "It uses our own architecture.",
        "This model has a self-developed transformer architecture.",
        "The model architecture was designed by us.",
    ],
    ("own_architecture", "zh"): ["本模型采用自研架构。", "我们自主设计的全新架构。"],
    ("parameter_size", "en"): [
        "This is an 8B model.",
        "Falconet-8B has 8 billion parameters.",
        "Our 8B-parameter model is open.",
        "Model size: 8B params",
        "Parameters: 8B",
        "We release a 2.4B language model.",
        "This 8B model is small.",
    ],
    ("parameter_size", "zh"): ["本模型参数量为8B。", "我们的模型有80亿参数。"],
    ("based_on", "en"): [
        "This model is based on Meta Llama 3 8B.",
        "It was fine-tuned from mistralai/Mistral-7B-v0.1.",
        "The model was initialized from Llama-3-8B-Instruct.",
        "Our model is a finetuned version of Qwen2-7B.",
        "Finetuned from model [optional]: mistralai/Mistral-7B-v0.1",
        "Base model: Qwen2-7B",
        "This model is a Llama-3-8B fine-tune.",
    ],
    ("based_on", "zh"): ["本模型基于 Llama-3-8B 微调。", "我们在Qwen2-7B基础上继续预训练。"],
    ("part_source", "en"): [
        "We use the tokenizer from MiniCPM-V-2.",
        "The vision tower is taken from SigLIP.",
        "It uses SigLIP-400M as its vision encoder.",
        "Vision encoder: SigLIP-so400m",
        "Our language model is Llama-3-8B.",
        "We use the same tokenizer as Llama-2.",
    ],
    ("part_source", "zh"): ["我们的视觉编码器采用SigLIP。", "本模型的分词器来自 MiniCPM-V-2。"],
}
NO_CLAIMS = {
    ("trained_from_scratch", "en"): [
        "The model was not trained from scratch.",
        "Unlike models trained from scratch, ours converges fast.",
        "It can be trained from scratch with this script.",
        "You could train it from scratch.",
        "We didn't train this model from scratch.",
        "Most models are trained from scratch.",
        "It outperforms baselines trained from scratch.",
        "Scratch that: we trained it.",
        "We built the inference engine from scratch.",
    ],
    ("trained_from_scratch", "zh"): [
        "本模型并非从零训练。",
        "我们没有从头训练模型。",
        "您可以从零训练。",
    ],
    ("own_architecture", "en"): [
        "It does not use our own architecture.",
        "See the architecture diagram.",
        "It runs on our own serving architecture.",
        "Unlike our own architecture, it is simple.",
    ],
    ("own_architecture", "zh"): ["本模型没有采用自研架构。", "架构如图。"],
    ("parameter_size", "en"): [
        "It outperforms a 70B model.",
        "Mixtral is an 8x7B model.",
        "It has 3B active parameters and a 30B-A3B layout.",
        "We train 20M LoRA parameters.",
        "It was trained on 8B tokens.",
        "Llama-2 is a 7B model.",
        "There are 8B models on the Hub.",
        "We also release a 70B model.",
        "Our family has a 70B model.",
        "We obtained it by pruning a 15B model.",
    ],
    ("parameter_size", "zh"): ["性能超过70B参数的模型。", "激活8B参数。"],
    ("based_on", "en"): [
        "It is based on the Llama-3 architecture.",
        "This model is based on PyTorch2.",
        "It is not based on Llama-3-8B.",
        "The tokenizer library is based on Python3.",
        "This model is based on Falconet-8B.",
        "It is based on experience.",
    ],
    ("based_on", "zh"): ["本模型并非基于 Llama-3-8B 微调。", "基于Python3开发。"],
    ("part_source", "en"): [
        "The tokenizer is fast.",
        "It does not use the tokenizer from MiniCPM-V-2.",
        "The vision encoder is trained.",
    ],
    ("part_source", "zh"): ["分词器是我们的。", "没有使用来自别处的词表。"],
}


def cases(table):
    return [(code, text) for (code, _), texts in table.items() for text in texts]


@pytest.mark.parametrize(("code", "text"), cases(OWN_CLAIMS))
def test_a_model_speaks_of_itself(code: str, text: str) -> None:
    assert [each.is_own for each in stated(text) if each.code == code] == [True]


@pytest.mark.parametrize(("code", "text"), cases(NO_CLAIMS))
def test_what_only_sounds_like_a_claim_is_passed_over(code: str, text: str) -> None:
    assert code not in codes(text)


@pytest.mark.parametrize(
    "text",
    [
        "Llama-2 was trained from scratch.",
        "We trained the projector from scratch.",
        "The tokenizer was trained from scratch.",
        "The team trained it after Qwen2-7B was trained from scratch.",
        "We developed the training code and trained the scripts from scratch.",
        "We trained from scratch a tokenizer.",
        "For ablations we trained a smaller model from scratch.",
        "We trained a reward model from scratch.",
        "我们从零训练了分词器。",
        "One model was trained from scratch, this model is based on Llama-3-8B.",
        "分词器从零训练。",
        "Llama-2 从零训练。",
    ],
)
def test_a_claim_about_another_model_or_a_part_is_unclear(text: str) -> None:
    found = [each for each in stated(text) if each.code == "trained_from_scratch"]
    assert [each.is_own for each in found] == [False]


def test_every_pattern_has_examples_both_ways() -> None:
    listed = {(pattern.code, pattern.language) for pattern in PATTERNS}
    assert listed == set(OWN_CLAIMS) == set(NO_CLAIMS)
    for texts in (*OWN_CLAIMS.values(), *NO_CLAIMS.values()):
        assert len(texts) >= 2


@pytest.mark.parametrize(
    ("text", "name", "part"),
    [
        ("This model is based on Meta Llama 3 8B Instruct.", "Llama 3 8B Instruct", None),
        ("We use the tokenizer from openbmb/MiniCPM-V-2.", "openbmb/MiniCPM-V-2", "tokenizer"),
        ("It uses SigLIP-400M as the vision encoder.", "SigLIP-400M", "vision"),
        ("Our language model is Llama-3-8B.", "Llama-3-8B", "language_model"),
        ("本模型的分词器来自MiniCPM-V-2。", "MiniCPM-V-2", "tokenizer"),
        ("本模型基于Llama-3-8B微调。", "Llama-3-8B", None),
    ],
)
def test_the_source_and_what_came_from_it_are_read(text, name, part) -> None:
    (found,) = stated(text)
    assert (found.name, found.part) == (name, part)


def test_all_sources_of_a_list_are_read() -> None:
    found = stated("It is built on SigLIP-400M, Qwen2-7B and Meta Llama 3 8B with care.")
    assert [each.name for each in found] == ["SigLIP-400M", "Qwen2-7B", "Llama 3 8B"]


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        ("This is an 8B model.", 8e9),
        ("We release a 2.4B language model.", 2.4e9),
        ("It has 22.7 million parameters.", 22.7e6),
        ("我们的模型有80亿参数。", 8e9),
        ("本模型参数量约为8B。", 8e9),
        ("Parameters: 8B", 8e9),
    ],
)
def test_a_size_is_read_in_its_unit(text, parameters) -> None:
    assert [each.parameters for each in stated(text)] == [pytest.approx(parameters)]


def test_prose_keeps_its_lines_and_loses_its_markup() -> None:
    card = (
        "---\nlicense: mit\n---\n# Trained from scratch\n\nWe *trained* it\nfrom [scratch](x). "
        "Second `acme/a-1`\nsentence.\n\n- An item\n- Another\n"
    )
    assert sentences_of(card, skip_characters=card.index("# Trained") - 1) == (
        Sentence("We trained it from scratch.", 6),
        Sentence("Second acme/a-1 sentence.", 7),
        Sentence("An item", 10),
        Sentence("Another", 11),
    )


@pytest.mark.parametrize(
    "card",
    [
        "```\ntrained from scratch\n```",
        "    trained from scratch",
        "> trained from scratch",
        "| a |\n|---|\n| trained from scratch |",
        "<div>\ntrained from scratch\n</div>",
        "<!-- trained from scratch -->",
        "text <!-- trained from scratch --> text",
        "![trained from scratch](x.png)",
        "~~trained from scratch~~",
        "<del>trained from scratch</del>",
        "## Trained from scratch",
        "[a]: http://x 'trained from scratch'",
    ],
)
def test_what_is_not_the_authors_prose_is_left_out(card: str) -> None:
    assert "scratch" not in " ".join(each.text for each in sentences_of(card))


def test_versions_and_abbreviations_do_not_end_a_sentence() -> None:
    text = "Unlike e.g. Qwen2.5, which has 2.4B, it is new. It works."
    assert [each.text for each in sentences_of(text)] == [text[:-10], "It works."]


N = 65_536
HOSTILE = {
    "a megabyte of one word": "a " * 500_000,
    "nested emphasis": "*a _a " * (N // 6),
    "open brackets": ("[" * 2000 + "\n") * (N // 2001),
    "backticks": "".join("`" * n + " " for n in range(700)),
    "pipes": "|a" * 4_000 + "\n" + "|-" * 4_000,
    "tables": "|a|b|\n|-|-|\n|c|d|\n\n" * (N // 20),
    "quotes": ("> " * 40 + "a\n") * 3_000,
    "lists": "* a\n * b\n" * (N // 9),
    "lines": "x.\n\n" * (N // 4),
    "html": "<a\n" * (N // 3),
    "references": "[a]: b\n\n" * (N // 8),
    "triggers": "trained built from based on tokenizer from " * (N // 43),
    "names": "based on " + "a-" * 500 + " " + "A1 " * 60_000,
    "parts": "ViT ViT tokenizer " * (N // 18),
    "numbers": "8B 8 B 8 billion " * (N // 17),
    "chinese": "基于Llama3在从零参数量" * (N // 36),
    "nothing": "\0" * N,
}


def in_lines(card: str) -> str:
    """Cut to lines that are short enough to be taken for prose."""
    return "\n".join(
        line[start : start + 1_900]
        for line in card.split("\n")
        for start in range(0, len(line), 1_900)
    )


@pytest.mark.slow
@pytest.mark.parametrize("card", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_card_is_read_in_bounded_work(card: str) -> None:
    for text in (card[:N], in_lines(card[:N])):
        assert len(statements_in(sentences_of(text), OWN)) <= STATEMENTS


@pytest.mark.parametrize("payload", ["[" * 101 + "a", "a " * 4_097])
def test_a_payload_is_left_out_and_the_prose_around_it_stands(payload: str) -> None:
    card = f"Before.\n\n{payload}\n\nAfter."
    assert sentences_of(card) == (Sentence("Before.", 1), Sentence("After.", 5))


def test_a_card_of_ten_thousand_lines_is_read_to_its_end() -> None:
    card = "Filler text.\n\n" * (PROSE_LINES // 2 - 1) + "We trained the model from scratch.\n"
    (found,) = statements_in(sentences_of(card + "\nlater\n" * 5), OWN)
    assert found.sentence.line == PROSE_LINES - 1


@given(st.text("ab*_`[]()<>!|#>-\n 1.。\\&;~", max_size=80))
def test_every_sentence_begins_on_a_line_of_the_card(card: str) -> None:
    for sentence in sentences_of(card):
        assert 1 <= sentence.line <= card.count("\n") + 1
        assert sentence.text == sentence.text.strip() != ""


@given(st.text(max_size=60))
def test_no_text_makes_the_patterns_fail(text: str) -> None:
    statements_in((Sentence(text, 1),), OWN)


@pytest.mark.parametrize(
    "name", ["Llama-3-8B", "Llama 3 8B", "SigLIP", "openbmb/MiniCPM-V-2", "gpt2", "Yi-34B"]
)
def test_models_are_recognised_by_their_names(name: str) -> None:
    assert is_model_name(name)
    assert model_names_in(f"It is {name}.") == (name,)


@pytest.mark.parametrize(
    "name", ["with 8B", "April 2024", "and/or", "H100", "Python3", "the 7B", "Table 2", "scratch"]
)
def test_other_words_are_no_models(name: str) -> None:
    assert not is_model_name(name)


def test_a_name_means_a_repo_with_or_without_its_owner() -> None:
    repos = ("meta-llama/Meta-Llama-3-8B",)
    assert is_same("Meta Llama 3 8B", repos)
    assert is_same("META-LLAMA/meta-llama-3-8b", repos)
    assert not is_same("mirror/Meta-Llama-3-8B", repos)
    assert not is_same("Llama-3-8B", repos)
    assert may_be("Llama-3-8B", repos)
    assert not may_be("Llama-3-8B-Instruct", repos)
    assert not may_be("8B", repos)
    assert not is_same("模型", ("训练",))
    assert is_same("模型", ("模型",))
