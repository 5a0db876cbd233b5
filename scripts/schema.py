"""Writes docs/schemas/comparison.schema.json again: ``python scripts/schema.py``."""

from __future__ import annotations

from pathlib import Path

from kinprint.report.schema import schema_text

if __name__ == "__main__":
    path = Path(__file__).resolve().parent.parent / "docs" / "schemas" / "comparison.schema.json"
    path.write_text(schema_text(), encoding="utf-8")
