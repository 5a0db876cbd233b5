"""The projection S = L·B·Ω: a small matrix of signed sums of a block's cells.

Column j of the block falls into bucket j mod k at position p = j // k; row i, where R > 16, into
group i mod 16 at position i // 16. Positions 2m and 2m + 1 of a bucket (or group) form pair m and
carry opposite signs (+s, −s), so signs are balanced in every bucket for every even C/k and the
sign of a column does not depend on C. For R ≤ 16 rows are kept apart with sign +.

The sign s of pair m of bucket b among n buckets is bit number m·n + b of the role's bit stream:
0 is +1, 1 is −1. Bit i of the stream is bit i mod 64, counted from the least significant, of the
word number i // 64 that Philox4x64-10 gives in counter order, counter starting at 0 as numpy's
``Philox(key=…).random_raw`` does. Its 128-bit key is the little-endian number in the 16 bytes of
BLAKE2b(digest_size=16, data=role, key=the projection's key), role being ``columns:<k>``,
``rows:16`` or those of ``vectors.py``, in ASCII.

Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011 (Philox); Charikar, Chen,
Farach-Colton, "Finding frequent items in data streams", 2002 (count sketch).
"""

from __future__ import annotations

import hashlib
import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from kinprint.sketches.blocks import (
    EVIDENCE_CELLS,
    FAR_START,
    MAX_COLS,
    MAX_KEPT_ROWS,
    SKETCH_SIZE,
    STEPS,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

_STEPS_NAME = ".".join(f"{rows}x{cols}" for rows, cols in STEPS)

SKETCH_NAME = (
    f"kps1-{SKETCH_SIZE}-r{_STEPS_NAME}-kept{MAX_KEPT_ROWS}-c32.{MAX_COLS}"
    f"-min{EVIDENCE_CELLS}-far{FAR_START}-pairs.philox4x64-int16-k0"
)
"""Names every parameter of the public sketch; sketches of two names never compare."""


class Projection:
    """A family of projections, one for each block shape, fixed by a key.

    Args:
        name: What the sketches made with it are called.
        key: Up to 64 bytes.
    """

    def __init__(self, name: str, key: bytes) -> None:
        self.name = name
        self._key = key
        self._signs = lru_cache(maxsize=128)(self._make_signs)

    def sign_bits(self, role: str, count: int) -> NDArray[np.uint8]:
        """Return the first ``count`` bits of a role's stream, uint8 (count,) of 0 and 1."""
        seed = hashlib.blake2b(role.encode("ascii"), digest_size=16, key=self._key).digest()
        generator = np.random.Philox(key=int.from_bytes(seed, "little"))
        words = generator.random_raw(-(-count // 64))
        stream = np.asarray(words, dtype="<u8").view(np.uint8)
        return np.unpackbits(stream, count=count, bitorder="little")

    def project(self, values: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Project blocks.

        Args:
            values: Float (..., R, C), R ≤ 16 or a multiple of 32, C a multiple of 2k.

        Returns:
            float64 (..., r, k): S, uncentred, divided by the root of the cells per entry, so that
            it has the standard deviation of the weights if these are independent.
        """
        *outer, rows, cols = values.shape
        r = min(rows, MAX_KEPT_ROWS)
        k = SKETCH_SIZE // r
        positions = cols // k
        # ±1 is exact in any dtype; a product with ones sums three times faster than a reduction.
        signed = values * self._signs("columns", positions, k, values.dtype.char).reshape(cols)
        wide = signed.astype(np.float64).reshape(*outer, rows, positions, k)
        sums: NDArray[np.float64] = (np.ones((1, positions)) @ wide)[..., 0, :]
        if rows > r:
            signs = self._signs("rows", rows // r, r, "d")
            sums = (sums.reshape(*outer, rows // r, r, k) * signs[:, :, None]).sum(axis=-3)
        sums /= math.sqrt(rows // r * positions)
        return sums

    def _make_signs(
        self, role: str, positions: int, buckets: int, dtype: str
    ) -> NDArray[np.floating[Any]]:
        """Float (positions, buckets) of ±1; positions is even."""
        bits = self.sign_bits(f"{role}:{buckets}", positions // 2 * buckets)
        signs = 1.0 - 2.0 * bits.reshape(positions // 2, 1, buckets)
        paired = np.concatenate([signs, -signs], axis=1).reshape(positions, buckets)
        return paired.astype(dtype)


PUBLIC = Projection(SKETCH_NAME, b"kinprint public key 0")
