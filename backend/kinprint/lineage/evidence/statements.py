"""Statements about a model's making in the prose of its card: listed patterns, no guessing.

Each pattern belongs to a claim that can be checked. A sentence that negates, compares, offers or
speaks of others is passed over; one whose subject is not plainly this model is kept as *unclear*
and never decides anything.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from kinprint.lineage.evidence.model_names import (
    MODEL_NAME,
    is_model_name,
    is_same,
    model_names_in,
    trimmed,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kinprint.lineage.evidence.prose import Sentence

Code = Literal[
    "trained_from_scratch", "own_architecture", "parameter_size", "based_on", "part_source"
]
Part = Literal["tokenizer", "vision", "audio", "language_model", "projector"]

STATEMENTS = 200
"""Statements of one card that are looked at."""


@dataclass(frozen=True)
class Pattern:
    """One line of the table.

    Attributes:
        code: Which claim it finds.
        language: ``en`` or ``zh``.
        expression: Bounded in every repetition; groups ``name``, ``part``, ``size``, ``unit``.
    """

    code: Code
    language: Literal["en", "zh"]
    expression: re.Pattern[str]


@dataclass(frozen=True)
class Statement:
    """One statement of a card.

    Attributes:
        code: Which claim it makes.
        sentence: Where it stands.
        is_own: It plainly speaks of this model as a whole.
        name: Of the source that it names.
        part: What came from that source; None for the whole model.
        parameters: The size that it claims.
    """

    code: Code
    sentence: Sentence
    is_own: bool
    name: str | None = None
    part: Part | None = None
    parameters: float | None = None


def _pattern(code: Code, language: Literal["en", "zh"], expression: str) -> Pattern:
    return Pattern(code, language, re.compile(expression, re.IGNORECASE))


_PARTS: dict[Part, str] = {
    "tokenizer": r"tokeni[sz]er|vocabulary|分词器|词表",
    "vision": r"(?:vision|visual|image)[ -](?:tower|encoder|backbone|transformer)|ViT|"
    r"视觉编码器|图像编码器|视觉塔",
    "audio": r"(?:audio|speech)[ -]encoder|音频编码器|语音编码器",
    "language_model": r"language (?:model|backbone)|LLM(?: backbone)?|"
    r"text (?:decoder|backbone)|大?语言模型|语言基座",
    "projector": r"projector|resampler|connector|投影层|连接器|重采样器",
}
_PART = "(?P<part>" + "|".join(_PARTS.values()) + ")"
_PART_OF = {part: re.compile(expression, re.IGNORECASE) for part, expression in _PARTS.items()}
_VENDOR = r"(?:(?:the|a|an|its|our|Meta|Meta's|Google|Google's|OpenAI|OpenAI's) ){0,2}"
_NOT_ONLY_ITS = (
    r"(?![ \-]?(?:architecture|design|code|codebase|framework|repo|recipe|paper|style|tokeni[sz]er|"
    r"data|dataset|structure))"
)
_SIZE = r"(?<![\w.×+\-])(?P<size>[0-9]{1,4}(?:\.[0-9]{1,3})?)"

PATTERNS = (
    _pattern(
        "trained_from_scratch",
        "en",
        r"\b(?:pre-?train(?:ed)?|train(?:ed)?|built|developed|created)\b.{0,60}?"
        r"\bfrom (?:scratch|the ground up)\b",
    ),
    _pattern(
        "trained_from_scratch",
        "zh",
        r"(?:从零(?:开始)?|从头(?:开始)?)(?:自主)?(?:进行)?(?:预?训练|研发|构建|打造|自研)",
    ),
    _pattern(
        "own_architecture",
        "en",
        r"\b(?:our own|our novel|our new|our proprietary|our custom|self-developed|in-house|"
        r"home-?grown)\b[\w \-]{0,30}\barchitecture\b"
        r"|\barchitecture\b.{0,20}\b(?:designed|developed|invented) (?:by us|in-house)\b",
    ),
    _pattern(
        "own_architecture",
        "zh",
        r"(?:自研|自主研发|自主设计|独创|我们设计)的?[^，。；]{0,12}架构",
    ),
    _pattern(
        "parameter_size",
        "en",
        _SIZE + r"[ \-]?(?P<unit>B|M|billion|million)[ \-](?:total )?"
        r"(?:param(?:eter)?s?|(?:(?:large|small|multimodal|vision[ \-]language|language) ){0,2}"
        r"(?:model|LLM|VLM))\b",
    ),
    _pattern(
        "parameter_size",
        "zh",
        r"(?:参数(?:量|规模|总量)?(?:约|达|为|是|有|大约|达到|仅){0,2}\s?"
        r"(?P<size>[0-9]{1,4}(?:\.[0-9]{1,3})?)\s?(?P<unit>B|M|亿|万))"
        r"|(?<![A-Za-z0-9.])(?P<size2>[0-9]{1,4}(?:\.[0-9]{1,3})?)\s?(?P<unit2>B|M|亿|万)个?的?参数",
    ),
    _pattern(
        "based_on",
        "en",
        r"\b(?:(?:is|was|model) based on|built (?:on top of|upon|on|with)|"
        r"fine-?tuned (?:from|version of|variant of)|fine-?tune of|finetuned (?:from|version of)|"
        r"initiali[sz]ed (?:from|with)|derived from|quanti[sz]ed version of|"
        r"(?:continued|continual) (?:pre-?)?training (?:of|from)|further trained from|"
        r"starting from|starts from) " + _VENDOR + f"(?>{MODEL_NAME})" + _NOT_ONLY_ITS,
    ),
    _pattern(
        "based_on",
        "zh",
        r"(?:基于|源自|由|在)\s?"
        + MODEL_NAME
        + r"\s?(?:模型)?(?:之上|的基础上|基础上)?(?:进行)?(?:了)?(?:的)?"
        r"(?:指令|全量)?(?:微调|训练|构建|开发|继续预训练|初始化|量化|搭建|而来|改进)",
    ),
    _pattern(
        "part_source",
        "en",
        r"\b" + _PART + r"(?: weights)?(?: \([\w ]{1,20}\))?"
        r"(?::| is| was| are| comes| taken| borrowed| reused| initiali[sz]ed| adapted){0,3}"
        r"(?: the same as| from| of| as in|:| is| based on) ?" + _VENDOR + MODEL_NAME,
    ),
    _pattern(
        "part_source",
        "en",
        r"\b(?:uses?|using|adopts?|employs?|reuses?|takes?|with|from) "
        + _VENDOR
        + MODEL_NAME
        + r"(?:'s)? (?:as )?(?:the |its |our |a )?"
        + _PART
        + r"\b",
    ),
    _pattern(
        "part_source",
        "zh",
        _PART + r"\s?(?:采用|来自|使用|沿用|基于|为|是|：|:)\s?(?:了|的)?\s?" + MODEL_NAME,
    ),
)
"""The table; tests/unit/test_statements.py holds what each must and must not find."""

_TRIGGER = re.compile(
    r"scratch|ground up|架构|architecture|从零|从头|参数|param|[0-9] ?-?(?:B|M|billion|million)\b|"
    r"based on|built|tuned|initiali|derived from|version of|training (?:of|from)|start|基于|源自|"
    r"由|在|tokeni|vocabulary|encoder|tower|backbone|ViT|transformer|LLM|language|decoder|"
    r"projector|resampler|connector|器|词表|投影|视觉塔|语言",
    re.IGNORECASE,
)
_PASSED_OVER = re.compile(
    r"\b(?:not|never|cannot|neither|nor|without|unlike|instead|rather than|than|versus|vs|"
    r"compar\w{1,10}|similar to|like|outperform\w{0,4}|beats?|surpass\w{0,4}|exceed\w{0,4}|"
    r"baselines?|"
    r"if|could|would|should|may|might|can|how to|to (?:pre-?)?train|you|your|they|their|others?|"
    r"another|previous|prior|existing|traditional|most|many|several)\b|n['’]t\b|"
    r"不是|并非|没有|未[^来]|无需|不需要|不必|而非|不同于|相比|相较|超过|超越|优于|媲美|如果|可以|"
    r"如何|其他|其它|现有|传统|您|你",
    re.IGNORECASE,
)
_PARTIAL_SIZE = re.compile(
    r"\b(?:activ\w{1,6}|effective|trainable|non-?embedding|additional|extra|draft|per token|"
    r"adapters?|lora|projector|encoder|teacher|heads?|for|from|of the|version of|based on|"
    r"prun\w{1,4}|distil\w{1,6}|quanti\w{1,6}|compress\w{1,4}|merg\w{1,3})\b|激活|非嵌入|可训练|蒸馏|量化|剪枝",
    re.IGNORECASE,
)
_SELF = re.compile(
    r"\b(?:we|our|ours|i|my|it|its|this (?:is|model|checkpoint|release|repo(?:sitory)?|work|"
    r"project|version|llm|vlm)|the model)\b|我们|本模型|该模型|本项目|本仓库|此模型|这是",
    re.IGNORECASE,
)
_LABEL = re.compile(r"(?:[\w \-/]{0,30}[:：\-–]\s?)?(?:a|an|the|this|our|is)?\s?", re.IGNORECASE)
_PART_WORD = re.compile(
    r"\b(?:tokeni[sz]ers?|vocabulary|encoders?|decoders?|projectors?|adapt[eo]rs?|heads?|"
    r"embeddings?|resamplers?|connectors?|vision|visual|towers?|modules?|layers?|lora|classifiers?|"
    r"routers?|vae|unet|backbones?|kernels?|library|framework|pipeline|datasets?|corpus|parts?|"
    r"partly|partially)\b|"
    r"编码器|解码器|分词器|词表|投影|连接器|适配器|模块|层|数据|框架",
    re.IGNORECASE,
)
_WHOLE = re.compile(
    r"(?:vision|visual)[ \-]language|decoder-only|encoder-decoder|encoder-only|embedding model",
    re.IGNORECASE,
)
_UNITS = {"b": 1e9, "billion": 1e9, "m": 1e6, "million": 1e6, "亿": 1e8, "万": 1e4}


def statements_in(sentences: Sequence[Sentence], own_names: Sequence[str]) -> tuple[Statement, ...]:
    """Find the statements of a card, at most `STATEMENTS`.

    Args:
        sentences: Its prose.
        own_names: Ids of the model whose card it is.
    """
    found: dict[Statement, None] = {}
    for sentence in sentences:
        if not _TRIGGER.search(sentence.text) or _PASSED_OVER.search(sentence.text):
            continue
        found |= dict.fromkeys(_in(sentence, own_names))
        if len(found) >= STATEMENTS:
            break
    return tuple(found)[:STATEMENTS]


def _in(sentence: Sentence, own_names: Sequence[str]) -> Iterator[Statement]:
    matches = [
        (pattern, match)
        for pattern in PATTERNS
        for match in pattern.expression.finditer(sentence.text)
    ]
    names_base = any(_base_name(pattern, match) for pattern, match in matches)
    for pattern, match in matches:
        is_own = _is_own(sentence.text, match, own_names)
        match pattern.code:
            case "based_on" | "part_source":
                name = trimmed(match["name"])
                if is_model_name(name) and not is_same(name, own_names):
                    part = _part(match["part"]) if pattern.code == "part_source" else None
                    yield Statement(pattern.code, sentence, is_own, name=name, part=part)
            case "parameter_size":
                if is_own and not _PARTIAL_SIZE.search(sentence.text, 0, match.end() + 20):
                    yield Statement(pattern.code, sentence, is_own, parameters=_size(match))
            case _:
                # A part may be new where the rest is not; so may a model beside a second one.
                window = sentence.text[: match.end()]
                whole = not (_PART_WORD.search(_WHOLE.sub("", window)) or names_base)
                whole &= all(is_same(name, own_names) for name in model_names_in(window))
                yield Statement(pattern.code, sentence, is_own and whole)


def _base_name(pattern: Pattern, match: re.Match[str]) -> bool:
    return pattern.code == "based_on" and is_model_name(trimmed(match["name"]))


def _is_own(text: str, match: re.Match[str], own_names: Sequence[str]) -> bool:
    """Whether what stands before a match names this model, and no other, as its subject."""
    before = text[: match.start()]
    named = model_names_in(before)
    if any(not is_same(name, own_names) for name in named):
        return False
    return bool(named) or bool(_SELF.search(text[: match.end()])) or bool(_LABEL.fullmatch(before))


def _part(text: str) -> Part:
    return next(part for part, expression in _PART_OF.items() if expression.fullmatch(text))


def _size(match: re.Match[str]) -> float:
    groups = match.groupdict()
    size = groups["size"] or groups["size2"]
    unit = groups["unit"] or groups["unit2"]
    return float(size) * _UNITS[unit.lower()]
