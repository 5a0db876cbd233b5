"""What looks like the name of a model in prose, and when two names mean one model."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kinprint.checkpoints.source import REPO_ID_CHARACTERS

if TYPE_CHECKING:
    from collections.abc import Iterable

_WORD = r"[A-Za-z][A-Za-z0-9_.\-]{0,60}"
_MORE = (
    r"(?:[ \-](?:v?[0-9][A-Za-z0-9_.]{0,12}|[Ii]nstruct|[Cc]hat|[Bb]ase|[Vv]ision|VL|[Ss]o400[mM]))"
)
MODEL_NAME = (
    rf"(?P<name>[A-Za-z0-9][A-Za-z0-9_.\-]{{0,60}}/[A-Za-z0-9_.\-]{{1,96}}|{_WORD}{_MORE}{{0,4}})"
)
"""A name in a sentence, for patterns; `is_model_name` says whether it is one. The quantifiers are
bounded, and the characters are ASCII, since Chinese prose puts no blank around names."""

FAMILIES = frozenset((
    "albert", "baichuan", "bert", "bloom", "chatglm", "clip", "dbrx", "deberta", "deepseek",
    "dino", "distilbert", "electra", "eva-clip", "falcon", "flan-t5", "gemma", "glm", "gpt-j",
    "gpt-neo", "gpt-neox", "internlm", "internvit", "llama", "llava", "longformer", "minicpm",
    "minicpm-v", "mistral", "mixtral", "mpt", "opt", "openclip", "phi", "pythia", "qwen",
    "qwen-vl", "roberta", "siglip", "stablelm", "starcoder", "tinyllama", "vicuna", "whisper",
    "xlm-roberta", "yi",
))  # fmt: skip
"""Names without a digit that are models; a word with a digit or an owner needs no list."""

_NO_MODELS = re.compile(
    r"(?:python|cuda|rocm|pytorch|torch|tensorflow|transformers|trl|peft|vllm|jax|keras|onnx|"
    r"apache|cc-by|mit|arxiv|rtx|tpu|[ahbv][0-9]{2,3}s?\b|imagenet|coco|laion|wikipedia|c4\b|"
    r"iso|utf|fp[0-9]|bf[0-9]|int[0-9]|sha|mp[34]\b|web|section|table|figure|step|stage|version|"
    r"epoch|phase|v?[0-9.]+[bmk]?$|https?)",
    re.IGNORECASE,
)
_PLAIN_WORDS = frozenset((
    "a", "about", "an", "and", "april", "are", "around", "at", "august", "by", "chapter", "day",
    "december", "february", "for", "from", "has", "have", "in", "is", "it", "january", "july",
    "june", "march", "may", "nearly", "november", "october", "of", "on", "only", "or", "our",
    "over", "part", "round", "run", "september", "size", "stage", "the", "these", "this", "to",
    "top", "total", "up", "using", "with", "year",
))  # fmt: skip
_MARK = re.compile(r"[A-Z0-9_\-]")
_PLAIN = re.compile(r"[^a-z0-9]+")
_NAMES = re.compile(rf"(?<![A-Za-z0-9_/.\-]){MODEL_NAME}")

ALIKE_CHARACTERS = 6
"""Shortest name that may stand for the end of a longer one, ``Llama-3-8B`` (llama38b)."""


def is_model_name(name: str) -> bool:
    """Say whether a word of a sentence is more likely a model than anything else."""
    owner, slash, last = name.rpartition("/")
    first = last.partition(" ")[0]
    if len(name) > REPO_ID_CHARACTERS or _NO_MODELS.match(last) or first.lower() in _PLAIN_WORDS:
        return False
    if last.lower() in FAMILIES:
        return True
    if slash:
        # "and/or" is no repo.
        return owner.lower() not in ("http:", "https:") and bool(_MARK.search(name))
    # "with 8B" is no model, "Llama 8B" is one.
    is_named = first[0].isupper() or _MARK.search(first) or first.lower() in FAMILIES
    return bool(is_named) and any(character.isdigit() for character in name)


def model_names_in(text: str) -> tuple[str, ...]:
    """Return the models named in a text, in order."""
    names = (trimmed(found["name"]) for found in _NAMES.finditer(text))
    return tuple(name for name in names if is_model_name(name))


def trimmed(name: str) -> str:
    """Take off the punctuation of the sentence that a name ends in."""
    return name.rstrip(".-_")


def is_same(name: str, repos: Iterable[str]) -> bool:
    """Whether a name means one of these repos: its id, or its name without the owner."""
    folded = name.lower()
    # A name of other letters than Latin ones is only itself.
    plain = "" if "/" in name else _plain(name)
    return any(folded == repo.lower() or (plain != "" and plain == _plain(repo)) for repo in repos)


def may_be(name: str, repos: Iterable[str]) -> bool:
    """Whether a name may mean one of these repos: as `is_same`, or the end of its name."""
    repos = tuple(repos)
    plain = _plain(name)
    is_end = (
        "/" not in name
        and len(plain) >= ALIKE_CHARACTERS
        and any(character.isdigit() for character in plain)
        and any(_plain(repo).endswith(plain) for repo in repos)
    )
    return is_end or is_same(name, repos)


def _plain(name: str) -> str:
    return _PLAIN.sub("", name.rpartition("/")[2].lower())
