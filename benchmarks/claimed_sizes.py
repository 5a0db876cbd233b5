"""How far the size in a model's name lies from the parameters in its files.

    .venv/bin/python benchmarks/claimed_sizes.py

Counts the parameters of published configurations, without weights, as stored tied and with the
head stored a second time. Prints the table behind ``thresholds.SIZE_AGREES`` and
``SIZE_CONTRADICTS``.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import CONFIG_MAPPING, AutoModel

CONFIGS: tuple[tuple[str, float, str, bool, dict[str, Any]], ...] = (
    ("Gemma 2B", 2e9, "gemma", True, {"hidden_size": 2048, "num_hidden_layers": 18,
     "num_attention_heads": 8, "num_key_value_heads": 1, "intermediate_size": 16384}),
    ("Gemma 7B", 7e9, "gemma", True, {}),
    ("Gemma 2 2B", 2e9, "gemma2", True, {}),
    ("Gemma 2 9B", 9e9, "gemma2", True, {"hidden_size": 3584, "num_hidden_layers": 42,
     "num_attention_heads": 16, "num_key_value_heads": 8, "intermediate_size": 14336}),
    ("Llama 2 7B", 7e9, "llama", False, {}),
    ("Llama 2 13B", 13e9, "llama", False, {"hidden_size": 5120, "num_hidden_layers": 40,
     "num_attention_heads": 40, "num_key_value_heads": 40, "intermediate_size": 13824}),
    ("Llama 3 8B", 8e9, "llama", False, {"num_key_value_heads": 8, "intermediate_size": 14336,
     "vocab_size": 128256}),
    ("Llama 3.2 1B", 1e9, "llama", True, {"hidden_size": 2048, "num_hidden_layers": 16,
     "num_key_value_heads": 8, "head_dim": 64, "intermediate_size": 8192, "vocab_size": 128256}),
    ("TinyLlama 1.1B", 1.1e9, "llama", False, {"hidden_size": 2048, "num_hidden_layers": 22,
     "num_key_value_heads": 4, "intermediate_size": 5632}),
    ("MiniCPM 2B", 2e9, "llama", True, {"hidden_size": 2304, "num_hidden_layers": 40,
     "num_attention_heads": 36, "num_key_value_heads": 36, "intermediate_size": 5760,
     "vocab_size": 122753}),
    ("Mistral 7B", 7e9, "mistral", False, {}),
    ("Qwen2 0.5B", 0.5e9, "qwen2", True, {"hidden_size": 896, "num_hidden_layers": 24,
     "num_attention_heads": 14, "num_key_value_heads": 2, "intermediate_size": 4864,
     "vocab_size": 151936}),
    ("Qwen2 1.5B", 1.5e9, "qwen2", True, {"hidden_size": 1536, "num_hidden_layers": 28,
     "num_attention_heads": 12, "num_key_value_heads": 2, "intermediate_size": 8960,
     "vocab_size": 151936}),
    ("Qwen2 7B", 7e9, "qwen2", False, {"hidden_size": 3584, "num_hidden_layers": 28,
     "num_attention_heads": 28, "num_key_value_heads": 4, "intermediate_size": 18944,
     "vocab_size": 152064}),
    ("Phi-3 mini 3.8B", 3.8e9, "phi3", False, {}),
    ("GPT-2 117M", 117e6, "gpt2", True, {}),
    ("Pythia 70M", 70e6, "gpt_neox", False, {"hidden_size": 512, "num_hidden_layers": 6,
     "num_attention_heads": 8, "intermediate_size": 2048, "vocab_size": 50304}),
    ("OPT 125M", 125e6, "opt", True, {}),
    ("BERT base 110M", 110e6, "bert", True, {}),
    ("DistilBERT 66M", 66e6, "distilbert", True, {}),
)  # fmt: skip


def main() -> None:
    print("| model | in its name | counted | ratio | head stored twice |")
    print("|---|---|---|---|---|")
    for name, claimed, model_type, is_tied, fields in CONFIGS:
        config = CONFIG_MAPPING[model_type](**fields)
        with torch.device("meta"):
            model = AutoModel.from_config(config)  # type: ignore[no-untyped-call]
        body = sum(weight.numel() for weight in model.parameters())
        head = config.vocab_size * config.hidden_size
        counted = body if is_tied else body + head
        print(
            f"| {name} | {claimed / 1e9:.3g}B | {counted / 1e9:.3f}B | {counted / claimed:.2f} | "
            f"{(body + head) / claimed:.2f} |"
        )


if __name__ == "__main__":
    main()
