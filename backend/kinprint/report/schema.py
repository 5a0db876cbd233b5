"""The published JSON Schema of a comparison: what other people's scripts may rely on."""

from __future__ import annotations

import json
from typing import Any

from kinprint.lineage.evidence.record import Comparison

VERSION = "1.0.0"
"""Raised with the record: a field added, the second number; one changed or gone, the first."""

IDENTITY = f"urn:kinprint:schema:comparison:{VERSION}"


def comparison_schema() -> dict[str, Any]:
    """Return the schema of what ``compare --json`` prints, as JSON Schema 2020-12."""
    schema = Comparison.model_json_schema(mode="serialization")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": IDENTITY,
        "version": VERSION,
        **schema,
        "title": "Kinprint comparison",
    }


def schema_text() -> str:
    """Return the schema as the file ``docs/schemas/comparison.schema.json`` holds it."""
    return json.dumps(comparison_schema(), indent=2, ensure_ascii=False) + "\n"
