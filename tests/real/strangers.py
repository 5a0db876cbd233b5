"""Sign hashes of everything in a model, for distances between blocks that share nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kinprint.sketches.blocks import block_shape
from kinprint.sketches.linear import phash
from kinprint.sketches.projection import PUBLIC

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch
    from numpy.typing import NDArray


def all_blocks(weights: Mapping[str, torch.Tensor]) -> dict[tuple[int, int], NDArray[np.uint8]]:
    """Return uint8 (n, 32): hashes of all blocks of the matrices, by (rows, cols)."""
    found: dict[tuple[int, int], list[NDArray[np.uint8]]] = {}
    for tensor in weights.values():
        shape = block_shape(*tensor.shape) if tensor.ndim == 2 else None
        if shape is not None:
            rows, cols = shape
            for start in range(0, len(tensor) - rows + 1, rows):
                block = tensor[start : start + rows, :cols].numpy()
                found.setdefault(shape, []).append(phash(PUBLIC.project(block)))
    return {shape: np.stack(hashes) for shape, hashes in found.items()}
