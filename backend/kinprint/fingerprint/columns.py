"""The columns of ``BlockColumns`` and ``VectorColumns``: types, and assembly from rows."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from kinprint.fingerprint.record import BlockColumns, VectorColumns
from kinprint.sketches.blocks import SKETCH_SIZE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    ColumnTypes = Mapping[str, tuple[str, tuple[int, ...]]]
    Row = Mapping[str, object]

_HASH = ("uint8", (SKETCH_SIZE // 8,))
_DIGEST = ("uint8", (16,))

BLOCK_COLUMNS: ColumnTypes = MappingProxyType(
    {
        "view": ("int32", ()),
        "start": ("int32", ()),
        "rows": ("int32", ()),
        "cols": ("int32", ()),
        "sketch": ("int16", (SKETCH_SIZE,)),
        "step": ("float32", ()),
        "phash": _HASH,
        "digest": _DIGEST,
        "std": ("float32", ()),
        "zeros": ("float32", ()),
        "rounding": ("float64", ()),
        "levels": ("int32", ()),
        "group_levels": ("int32", ()),
    }
)
"""Name → (numpy dtype, shape of one row)."""

VECTOR_COLUMNS: ColumnTypes = MappingProxyType(
    {"view": ("int32", ()), "phash": _HASH, "digest": _DIGEST, "std": ("float32", ())}
)


def block_columns(rows: Sequence[Row]) -> BlockColumns:
    """Stack rows, each with every key of ``BLOCK_COLUMNS``."""
    return BlockColumns(**_stack(rows, BLOCK_COLUMNS))


def vector_columns(rows: Sequence[Row]) -> VectorColumns:
    """Stack rows, each with every key of ``VECTOR_COLUMNS``."""
    return VectorColumns(**_stack(rows, VECTOR_COLUMNS))


def _stack(rows: Sequence[Row], types: ColumnTypes) -> dict[str, NDArray[Any]]:
    return {
        name: np.array([row[name] for row in rows], dtype).reshape(len(rows), *shape)
        for name, (dtype, shape) in types.items()
    }
