"""The shipped table of defaults is what transformers' own classes say."""

from __future__ import annotations

import tomllib
from importlib.resources import files

import pytest
import transformers

from kinprint.lineage.evidence.config.fields import SYNONYMS
from real.config_defaults import MODEL_TYPES, common_defaults, defaults_of

SHIPPED = tomllib.loads(
    (files("kinprint.lineage.evidence.config") / "defaults.toml").read_text("utf-8")
)


@pytest.mark.parametrize("model_type", MODEL_TYPES)
def test_the_table_holds_each_classs_own_defaults(model_type: str) -> None:
    assert SHIPPED["types"][model_type] == defaults_of(model_type)


def test_the_table_names_the_version_it_was_taken_from_and_no_other_type() -> None:
    assert SHIPPED["transformers"] == transformers.__version__
    assert SHIPPED["common"] == common_defaults()
    assert set(SHIPPED["types"]) == set(MODEL_TYPES)


@pytest.mark.parametrize("model_type", MODEL_TYPES)
def test_transformers_own_synonyms_are_in_the_list(model_type: str) -> None:
    canonical = {other: name for name, others in SYNONYMS.items() for other in others}
    for name, stored in transformers.CONFIG_MAPPING[model_type].attribute_map.items():
        assert canonical.get(stored, stored) == canonical.get(name, name)
