"""Prints the table of defaults that config.json files leave out, from transformers' own classes.

    .venv/bin/python tests/real/config_defaults.py > \
        backend/kinprint/lineage/evidence/config/defaults.toml
"""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from typing import Any

import transformers

MODEL_TYPES = (
    "bert", "bloom", "clip_vision_model", "distilbert", "falcon", "gemma", "gemma2",
    "gemma3_text", "gpt2", "gpt_neox", "llama", "mistral", "mixtral", "opt", "phi3", "qwen2",
    "qwen3", "roberta", "siglip_vision_model", "t5", "xlm-roberta",
)  # fmt: skip


def defaults_of(model_type: str) -> dict[str, Any]:
    """What a file of this type may leave out; what follows from other fields is not in it."""
    kind = transformers.CONFIG_MAPPING[model_type]
    return _plain(kind, without=common_defaults()) | _rope(kind)


def common_defaults() -> dict[str, Any]:
    """What all classes share."""
    return _plain(transformers.PreTrainedConfig, without={}) | {"output_attentions": False}


def _plain(kind: type, without: dict[str, Any]) -> dict[str, Any]:
    return {
        field.name: field.default
        for field in dataclasses.fields(kind)
        if isinstance(field.default, bool | int | float | str)
        and without.get(field.name) != field.default
    }


def _rope(kind: type) -> dict[str, Any]:
    rope = getattr(kind(), "rope_parameters", None) or {}
    return {"rope_theta": rope["rope_theta"]} if "rope_theta" in rope else {}


def table() -> dict[str, dict[str, Any]]:
    """All types, by name."""
    return {name: defaults_of(name) for name in MODEL_TYPES}


def main() -> None:
    print("# What config.json leaves out, by model_type. Made by tests/real/config_defaults.py.")
    print(f'transformers = "{transformers.__version__}"')
    print(f"dated = {datetime.now(UTC).date()}")
    for name, fields in {"common": common_defaults(), **table()}.items():
        print("\n[common]" if name == "common" else f"\n[types.{json.dumps(name)}]")
        for field, value in sorted(fields.items()):
            print(f"{field} = {json.dumps(value)}")


if __name__ == "__main__":
    main()
