"""The values that stand for fields which a ``config.json`` leaves out, by ``model_type``.

The table is dated and made from transformers' own classes; a test makes it again.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

from kinprint.lineage.evidence.config.fields import settings_of

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class DefaultsTable:
    """What the listed families leave out.

    Attributes:
        transformers: Version of transformers that it was taken from.
        by_type: ``model_type`` → normalised name → value.
        known: All normalised names of all listed families.
    """

    transformers: str
    by_type: Mapping[str, Mapping[str, object]]
    known: frozenset[str]


@lru_cache(maxsize=1)
def defaults_table() -> DefaultsTable:
    """Return the shipped table."""
    text = (files("kinprint.lineage.evidence.config") / "defaults.toml").read_text("utf-8")
    shipped = tomllib.loads(text)
    common: dict[str, object] = shipped["common"]
    by_type = {
        model_type: _values({**common, **fields}) for model_type, fields in shipped["types"].items()
    }
    known = frozenset(name for fields in by_type.values() for name in fields)
    return DefaultsTable(shipped["transformers"], by_type, known)


def _values(fields: Mapping[str, object]) -> dict[str, object]:
    return {name: setting.value for name, setting in settings_of(fields)[0].items()}
