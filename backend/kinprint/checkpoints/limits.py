"""Every bound put on untrusted checkpoints, in one place (values follow huggingface.js)."""

from __future__ import annotations

HEADER_BYTES = 25_000_000
INDEX_BYTES = 25_000_000
PICKLE_BYTES = 25_000_000
ZIP_DIRECTORY_BYTES = 8_000_000
SHARDS = 10_000
REPO_FILES = 100_000
TENSORS = 200_000
DIMENSION = 2**32
RANK = 8
NAME_CHARACTERS = 1_024
READ_SPAN_BYTES = 32_000_000
