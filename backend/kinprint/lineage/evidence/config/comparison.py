"""Two config.json files side by side: what had to agree, and what agrees without having to.

Neutral by design: every honest fine-tune shares its base's fields, so no field is evidence for a
relation.
"""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING

from kinprint.lineage.evidence.config.defaults import defaults_table
from kinprint.lineage.evidence.config.fields import (
    FIELDS,
    Setting,
    prefix_of,
    settings_of,
    standing_of,
)
from kinprint.lineage.evidence.record import ConfigComparison, ConfigField

if TYPE_CHECKING:
    from collections.abc import Mapping

SHOWN_CHARACTERS = 200
NAMED_FIELDS = 8

_NUMBER = re.compile(r"[-+]?[0-9]{1,20}(?:\.[0-9]{0,20})?(?:[eE][-+]?[0-9]{1,3})?")
_ORDER = {"free": 0, "family": 1, "architecture": 2, "bookkeeping": 3}
_TRIVIAL = ("false", "0", '""', "[]", "{}", "1", "true")
"""Values that two unrelated authors choose alike."""


def config_comparison(
    repo_config: Mapping[str, object], match_config: Mapping[str, object]
) -> ConfigComparison:
    """Compare two parsed ``config.json`` files field by field.

    Args:
        repo_config: Of the repo asked about.
        match_config: Of the other model.
    """
    repo, repo_left_out = settings_of(repo_config)
    match, match_left_out = settings_of(match_config)
    fields = [_field(name, repo, match) for name in dict.fromkeys([*repo, *match])]
    both_set = [f for f in fields if f.repo_name is not None and f.match_name is not None]
    free = [f for f in both_set if f.standing == "free"]
    ordered = sorted(fields, key=lambda f: (f.equal, _ORDER[f.standing], f.name))
    return ConfigComparison(
        fields=tuple(ordered),
        free_equal=sum(f.equal for f in free),
        free_compared=len(free),
        renamed=sum(_leaf(f.repo_name) != _leaf(f.match_name) for f in both_set),
        sentence=_sentence(ordered, free, max(repo_left_out, match_left_out)),
    )


def _field(name: str, repo: Mapping[str, Setting], match: Mapping[str, Setting]) -> ConfigField:
    of_repo, of_match = _value(name, repo), _value(name, match)
    types = frozenset(
        str(side[key].value)
        for side in (repo, match)
        if (key := f"{prefix_of(name)}model_type") in side
    )
    return ConfigField(
        name=_cut(name),
        repo_name=_cut(repo[name].path) if name in repo else None,
        match_name=_cut(match[name].path) if name in match else None,
        repo_value=None if of_repo is None else _shown(of_repo),
        match_value=None if of_match is None else _shown(of_match),
        standing=standing_of(name, types),
        equal=of_repo is not None and _same(of_repo, of_match),
    )


def _value(name: str, side: Mapping[str, Setting]) -> object:
    """Return a field's value in one file, else its family's default, else None."""
    if name in side:
        return side[name].value
    prefix = prefix_of(name)
    plain = name.removeprefix(prefix)
    if plain == "num_key_value_heads":
        return _value(f"{prefix}num_attention_heads", side)
    if plain == "head_dim":
        return _head_dim(
            _value(f"{prefix}hidden_size", side), _value(f"{prefix}num_attention_heads", side)
        )
    return _default(side, prefix, plain)


def _default(side: Mapping[str, Setting], prefix: str, plain: str) -> object:
    model_type = side.get(f"{prefix}model_type")
    if model_type is None or not isinstance(model_type.value, str):
        return None
    return defaults_table().by_type.get(model_type.value, {}).get(plain)


def _head_dim(hidden_size: object, heads: object) -> int | None:
    if not isinstance(hidden_size, int) or not isinstance(heads, int) or heads < 1:
        return None
    return hidden_size // heads if hidden_size % heads == 0 else None


def _same(first: object, second: object) -> bool:
    """Equal as JSON, but for the spelling of numbers: 4096, 4096.0 and "4096" are one."""
    if isinstance(first, list) and isinstance(second, list):
        return len(first) == len(second) and all(map(_same, first, second))
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(_same(first[k], second[k]) for k in first)
    first, second = _number(first), _number(second)
    return isinstance(first, bool) is isinstance(second, bool) and first == second


def _number(value: object) -> object:
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return float(value) if math.isfinite(float(value)) else value
    return value


def _sentence(fields: list[ConfigField], free: list[ConfigField], left_out: int) -> str:
    parts = []
    shapes = [f.name for f in fields if f.standing == "architecture" and not f.equal]
    if shapes:
        parts.append(f"Fields that the weights' shapes depend on differ: {_listed(shapes)}.")
    if free:
        agree = sum(f.equal for f in free)
        parts.append(
            f"Of {len(free)} fields that both files set and that need not agree, {agree} agree."
        )
    else:
        parts.append("The files set no field alike that need not agree.")
    own = [f.name for f in free if f.equal and _is_own(f)]
    if own:
        parts.append(
            f"{len(own)} of these are in no listed family's configuration, only in their "
            f"authors': {_listed(own)}."
        )
    parts.append(
        "Honest models of one family or one base agree in such fields, too: by itself this is no "
        "evidence of a relation."
    )
    if left_out:
        parts.append(f"{left_out:,} fields beyond the first {FIELDS:,} were not compared.")
    return " ".join(parts)


def _is_own(field: ConfigField) -> bool:
    """Whether a field is its author's invention and its value says something."""
    plain = field.name.removeprefix(prefix_of(field.name))
    return plain not in defaults_table().known and field.repo_value not in _TRIVIAL


def _listed(names: list[str]) -> str:
    more = len(names) - NAMED_FIELDS
    return ", ".join(names[:NAMED_FIELDS]) + (f" and {more} more" if more > 0 else "")


def _leaf(path: str | None) -> str:
    return "" if path is None else path.rpartition(".")[2]


def _shown(value: object) -> str:
    return _cut(json.dumps(value, ensure_ascii=False))


def _cut(text: str) -> str:
    # A lone surrogate of a hostile file could not be written out again.
    clean = text[: SHOWN_CHARACTERS + 1].encode("utf-8", "replace").decode()
    return clean if len(clean) <= SHOWN_CHARACTERS else clean[: SHOWN_CHARACTERS - 1] + "…"
