"""Every bound put on untrusted checkpoints, in one place (values follow huggingface.js)."""

from __future__ import annotations

HEADER_BYTES = 25_000_000
INDEX_BYTES = 25_000_000
PICKLE_BYTES = 25_000_000
ZIP_DIRECTORY_BYTES = 8_000_000
SHARDS = 10_000
REPO_FILES = 100_000
API_BYTES = 8_000_000
API_TOKENS = 160_000
"""A listing of 10,000 shards has 80,000; parsed, each takes up to 400 bytes. Longer listings are
read page by page."""
DECLARED_BASES = 100
HISTORY_COMMITS = 1_000
SHOWN_COMMITS = 300
SHOWN_DISCUSSIONS = 50
SHOWN_CHILDREN = 50
TITLE_CHARACTERS = 200
TENSORS = 200_000
NAMES_BYTES = 50_000_000
"""Memory that the names of all tensors take; the widest MoE needs 15 MB."""
SKETCHES = 80_000
"""Blocks of one model; the widest MoE has 70,000 (384 experts in 60 layers)."""
VECTORS = 20_000
"""Vectors are support only: of a model with more of them none is read."""
FINGERPRINT_HEADER_BYTES = 30_000_000
"""The names and shapes of 180,000 views."""
DIMENSION = 2**32
RANK = 8
NAME_CHARACTERS = 1_024
READ_SPAN_BYTES = 32_000_000
CONFIG_BYTES = 10_000_000
CONFIG_VALUE_BYTES = 262_144
CONFIG_KEPT_BYTES = 1_000_000
CONFIG_MEMBERS = 10_000
CONFIG_TOKENS = 300_000
CARD_BYTES = 262_144
FRONT_MATTER_CHARACTERS = 16_384
