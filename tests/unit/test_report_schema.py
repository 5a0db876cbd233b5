"""The published schema is the record's, and what is printed keeps to it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import report_cases as cases
from kinprint.lineage.evidence.record import Comparison
from kinprint.report.schema import IDENTITY, VERSION, comparison_schema, schema_text

PUBLISHED = Path(__file__).parents[2] / "docs" / "schemas" / "comparison.schema.json"


def test_the_published_schema_is_up_to_date() -> None:
    hint = "the record has changed: run python scripts/schema.py and raise VERSION"
    assert PUBLISHED.read_text(encoding="utf-8") == schema_text(), hint


def test_the_schema_says_who_it_is() -> None:
    schema = comparison_schema()
    assert schema["$id"] == IDENTITY
    assert VERSION in IDENTITY
    assert schema["$schema"].endswith("/2020-12/schema")


def keeps_to(value: object, schema: dict, root: dict) -> bool:
    """Whether a value keeps to the part of JSON Schema that the record's schema uses."""
    if "$ref" in schema:
        return keeps_to(value, root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    if "anyOf" in schema:
        return any(keeps_to(value, each, root) for each in schema["anyOf"])
    if "enum" in schema and value not in schema["enum"]:
        return False
    if "const" in schema and value != schema["const"]:
        return False
    if isinstance(value, dict):
        known = schema.get("properties", {})
        others = schema.get("additionalProperties", True)
        if set(schema.get("required", ())) - set(value):
            return False
        return schema.get("type", "object") == "object" and all(
            keeps_to(each, known[key], root)
            if key in known
            else others is True or (isinstance(others, dict) and keeps_to(each, others, root))
            for key, each in value.items()
        )
    if isinstance(value, list):
        if schema.get("type") != "array":
            return False
        heads = schema.get("prefixItems")
        if heads is not None:
            pairs = zip(value, heads, strict=False)
            return len(value) == len(heads) and all(keeps_to(*pair, root) for pair in pairs)
        return all(keeps_to(each, schema["items"], root) for each in value)
    kinds = {
        "string": str,
        "boolean": bool,
        "integer": int,
        "number": (int, float),
        "null": type(None),
    }
    kind = schema.get("type")
    if isinstance(value, bool):
        return kind in ("boolean", None)
    return kind is None or isinstance(value, kinds.get(kind, ()))


COMPARISONS = [
    cases.comparison_of_a_copy,
    cases.comparison_of_strangers,
    cases.hostile_comparison,
]


@pytest.mark.parametrize("comparison", COMPARISONS)
def test_what_is_printed_keeps_to_the_schema(comparison) -> None:
    printed = json.loads(comparison().model_dump_json())
    schema = comparison_schema()
    assert keeps_to(printed, schema, schema)
    assert Comparison.model_validate(printed) == comparison()


def test_the_schema_refuses_what_is_not_a_comparison() -> None:
    schema = comparison_schema()
    printed = json.loads(cases.comparison_of_a_copy().model_dump_json())
    del printed["verdict"]["relation"]
    assert not keeps_to(printed, schema, schema)
    printed["verdict"]["relation"] = "stolen"
    assert not keeps_to(printed, schema, schema)
