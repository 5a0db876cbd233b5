"""Exact digests of stored bytes: xxh3-128, for equality only, never against an adversary."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xxhash

if TYPE_CHECKING:
    from numpy.typing import NDArray


def digest(raw: bytes) -> NDArray[np.uint8]:
    """Return the xxh3-128 of contiguous bytes in canonical (big-endian) form, uint8 (16,)."""
    return np.frombuffer(xxhash.xxh3_128_digest(raw), np.uint8)
