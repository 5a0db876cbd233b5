"""The listed patterns by which a card's sentences are read, English and Chinese.

tests/unit/test_statements.py holds what each must and must not find. All repetitions are bounded,
and a sentence has at most `prose.SENTENCE_CHARACTERS`, so every search is linear in the card.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from kinprint.lineage.evidence.declared.model_names import MODEL_NAME

Code = Literal[
    "trained_from_scratch", "own_architecture", "parameter_size", "based_on", "part_source"
]
Part = Literal["tokenizer", "vision", "audio", "language_model", "projector"]
Language = Literal["en", "zh"]


@dataclass(frozen=True)
class Pattern:
    """One line of the table.

    Attributes:
        code: Which claim it finds.
        language: Of the sentence.
        expression: With the groups ``name``, ``part``, or ``size`` and ``unit``.
    """

    code: Code
    language: Language
    expression: re.Pattern[str]


def _pattern(code: Code, language: Language, expression: str) -> Pattern:
    return Pattern(code, language, re.compile(expression, re.IGNORECASE))


PARTS: dict[Part, str] = {
    "tokenizer": r"tokeni[sz]er|vocabulary|分词器|词表",
    "vision": r"(?:vision|visual|image)[ -](?:tower|encoder|backbone|transformer)|ViT|"
    r"视觉编码器|图像编码器|视觉塔",
    "audio": r"(?:audio|speech)[ -]encoder|音频编码器|语音编码器",
    "language_model": r"language (?:model|backbone)|LLM(?: backbone)?|"
    r"text (?:decoder|backbone)|大?语言模型|语言基座",
    "projector": r"projector|resampler|connector|投影层|连接器|重采样器",
}
PART_NAMES: dict[Part, str] = {
    "tokenizer": "tokenizer",
    "vision": "vision encoder",
    "audio": "audio encoder",
    "language_model": "language model",
    "projector": "projector",
}
_PART = "(?P<part>" + "|".join(PARTS.values()) + ")"
_VENDOR = r"(?:(?:the|a|an|its|our|Meta|Meta's|Google|Google's|OpenAI|OpenAI's) ){0,2}"
_NOT_ONLY_ITS = (
    r"(?![ \-]?(?:architecture|design|code|codebase|framework|repo|recipe|paper|style|tokeni[sz]er|"
    r"data|dataset|structure))"
)
_NUMBER = r"[0-9]{1,4}(?:\.[0-9]{1,3})?"
_ARCHITECTURE_WORDS = (
    r"(?:(?:novel|new|efficient|unique|custom|neural|network|model|transformer|multimodal|deep|"
    r"vision[ \-]language|language|LLM|VLM|decoder-only|mixture-of-experts|MoE) ){0,4}"
)

PATTERNS = (
    _pattern(
        "trained_from_scratch",
        "en",
        r"\b(?:pre-?)?train(?:ed)?\b.{0,60}?\bfrom (?:scratch|the ground up)\b",
    ),
    _pattern(
        "trained_from_scratch",
        "en",
        r"\b(?:model|LLM|VLM|network)\b.{0,30}?\b(?:built|developed|created)\b.{0,30}?"
        r"\bfrom (?:scratch|the ground up)\b"
        r"|\b(?:built|developed|created)\b.{0,30}?\b(?:model|LLM|VLM|network)\b.{0,30}?"
        r"\bfrom (?:scratch|the ground up)\b",
    ),
    _pattern(
        "trained_from_scratch",
        "zh",
        r"(?:从零(?:开始)?|从头(?:开始)?)(?:自主)?(?:进行)?(?:预?训练|自研了?(?:大|语言)?模型)",
    ),
    _pattern(
        "own_architecture",
        "en",
        r"\b(?:our (?:own|novel|new|proprietary|custom)|self-developed|in-house|home-?grown) "
        + _ARCHITECTURE_WORDS
        + r"architecture\b"
        r"|\b(?:model|network|neural|transformer) architecture (?:was |is |has been )?"
        r"(?:entirely |fully )?(?:designed|developed|invented) (?:by us|in-house)\b",
    ),
    _pattern(
        "own_architecture",
        "zh",
        r"(?:自研|自主研发|自主设计|独创)(?:的|模型|网络|神经网络|大模型|全新|新|多模态|语言模型){0,4}架构",
    ),
    _pattern(
        "parameter_size",
        "en",
        rf"(?<![\w.×+\-])(?P<size>{_NUMBER})[ \-]?(?P<unit>B|M|billion|million)[ \-](?:total )?"
        r"(?:param(?:eter)?s?|(?:(?:large|small|multimodal|vision[ \-]language|language) ){0,2}"
        r"(?:model|LLM|VLM))\b"
        rf"|\b(?:parameters|params|model size)\s?[:：]\s?(?P<size2>{_NUMBER})\s?"
        r"(?P<unit2>B|M|billion|million)\b",
    ),
    _pattern(
        "parameter_size",
        "zh",
        r"(?:参数(?:量|规模|总量)?(?:约|达|为|是|有|大约|达到|仅){0,2}\s?"
        rf"(?P<size>{_NUMBER})\s?(?P<unit>B|M|亿|万))"
        rf"|(?<![A-Za-z0-9.])(?P<size2>{_NUMBER})\s?(?P<unit2>B|M|亿|万)个?的?参数",
    ),
    _pattern(
        "based_on",
        "en",
        r"\b(?:(?:is|was|model) based on|base model(?: is|:)|built (?:on top of|upon|on|with)|"
        r"fine-?tuned (?:from(?: model)?(?: \[optional\])?:?|version of|variant of)|"
        r"fine-?tune of|initiali[sz]ed (?:from|with)|derived from|quanti[sz]ed version of|"
        r"(?:continued|continual) (?:pre-?)?training (?:of|from)|further trained from|"
        r"starting from|starts from) " + _VENDOR + f"(?>{MODEL_NAME})" + _NOT_ONLY_ITS,
    ),
    _pattern(
        "based_on",
        "en",
        r"\b(?:is|was) an? "
        + MODEL_NAME
        + r" (?:based )?(?:fine-?tune|derivative|merge|variant)\b",
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
        r"(?: the same as| from| of| as in| as|:| is| based on) ?" + _VENDOR + MODEL_NAME,
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

TRIGGER = re.compile(
    r"scratch|ground up|架构|architecture|从零|从头|参数|param|[0-9] ?-?(?:B|M|billion|million)\b|"
    r"base|built|tune|initiali|derived from|version of|training (?:of|from)|start|基于|源自|"
    r"由|在|tokeni|vocabulary|encoder|tower|backbone|ViT|transformer|LLM|language|decoder|"
    r"projector|resampler|connector|器|词表|投影|视觉塔|语言",
    re.IGNORECASE,
)
"""Without one of these a sentence holds no pattern; saves trying them all on each sentence."""

PASSED_OVER = re.compile(
    r"\b(?:not|never|cannot|neither|nor|without|unlike|instead|rather than|than|versus|vs|"
    r"compar\w{1,10}|similar to|like|outperform\w{0,4}|beats?|surpass\w{0,4}|exceed\w{0,4}|"
    r"baselines?|if|could|would|should|may|might|can|how to|to (?:pre-?)?train|you|your|they|"
    r"their|others?|another|previous|prior|existing|traditional|most|many|several)\b|n['’]t\b|"
    r"不是|并非|没有|未[^来]|无需|不需要|不必|而非|不同于|相比|相较|超过|超越|优于|媲美|如果|可以|"
    r"如何|其他|其它|现有|传统|您|你",
    re.IGNORECASE,
)
"""Sentences that negate, compare, offer, or speak of others."""

SELF = re.compile(
    r"\b(?:we|our|ours|i|my|it|its|this (?:is|model|checkpoint|release|repo(?:sitory)?|work|"
    r"project|version|llm|vlm)|the model)\b|我们|本模型|该模型|本项目|本仓库|此模型|这是",
    re.IGNORECASE,
)
LABEL = re.compile(r"(?:[\w \-/]{0,30}[:：\-–]\s?)?(?:a|an|the|this|our|is)?\s?", re.IGNORECASE)
"""What may stand before a statement that has no subject: ``Training:``, ``This``."""

OTHER_SUBJECT = re.compile(
    r"\b(?:tokeni[sz]ers?|vocabulary|encoders?|decoders?|projectors?|adapt[eo]rs?|heads?|"
    r"embeddings?|resamplers?|connectors?|vision|visual|towers?|modules?|layers?|lora|classifiers?|"
    r"routers?|vae|unet|backbones?|kernels?|library|framework|pipeline|datasets?|data|corpus|code|"
    r"codebase|scripts?|implementation|parts?|partly|partially|also|ablations?|variants?|smaller|"
    r"larger|teacher|student|proxy|control|reference|additional|separate|first|initially|then|"
    r"rewards?|drafts?|series|family|one|some|both|each)\b|"
    r"编码器|解码器|分词器|词表|投影|连接器|适配器|模块|层|数据|框架|代码|奖励|教师|部分|首先|系列",
    re.IGNORECASE,
)
"""Words by which a claim may be about a part, a helper, or a sister of the model."""

OTHER_AGENT = re.compile(
    r"\bby (?!us\b|our\b|ourselves\b|the authors\b)[A-Za-z]|\boriginal(?:ly)?\b|"
    r"由(?!我们|本)[^，。；]{1,12}从",
    re.IGNORECASE,
)
"""Somebody else who did it: ``trained from scratch by``."""

AGENT_CHARACTERS = 40
"""How far after a claim its agent is looked for."""

NEXT_NAME = re.compile(rf"(?:,? and|,| &|和|与|、) ?{_VENDOR}{MODEL_NAME}")
"""A further source in a list: ``built on SigLIP and Llama-3-8B``."""

WHOLE_MODEL = re.compile(
    r"(?:vision|visual)[ \-]language|decoder-only|encoder-decoder|encoder-only|embedding model",
    re.IGNORECASE,
)
"""Kinds of whole models whose names hold words of `OTHER_SUBJECT`."""

OTHER_SIZE = re.compile(
    r"\b(?:activ\w{1,6}|effective|trainable|non-?embedding|additional|extra|draft|per token|also|"
    r"adapters?|lora|projector|encoder|teacher|heads?|for|from|of the|version of|based on|both|"
    r"series|family|sizes|variants?|prun\w{1,4}|distil\w{1,6}|quanti\w{1,6}|compress\w{1,4}|"
    r"merg\w{1,3})\b|激活|非嵌入|可训练|蒸馏|量化|剪枝|系列",
    re.IGNORECASE,
)
"""Words by which a size may be that of a part, of a sister, or of what it was made from."""

ANY_SIZE = re.compile(
    rf"(?<![\w.])(?P<size>{_NUMBER})[ \-]?(?P<unit>B|M|billion|million|亿|万)(?![A-Za-z0-9])",
    re.IGNORECASE,
)
UNITS = {"b": 1e9, "billion": 1e9, "m": 1e6, "million": 1e6, "亿": 1e8, "万": 1e4}

TEMPLATE = re.compile(
    r"This model was trained from scratch on (?:an unknown|the .{1,200}) datasets?\.?",
    re.IGNORECASE,
)
"""What transformers' Trainer writes into every card whose base it was not told."""
