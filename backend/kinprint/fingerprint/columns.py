"""The columns of ``BlockColumns`` and ``VectorColumns``: types, and how they are filled."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from kinprint.sketches.blocks import SKETCH_SIZE

if TYPE_CHECKING:
    from collections.abc import Mapping

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


class Rows:
    """Columns that are filled row by row, so that rows never pile up as Python objects.

    Args:
        types: The columns.
        capacity: Rows at most.
    """

    def __init__(self, types: ColumnTypes, capacity: int) -> None:
        self._columns = {
            name: np.empty((capacity, *shape), dtype) for name, (dtype, shape) in types.items()
        }
        self._filled = 0

    def append(self, view: int, row: Row) -> None:
        """Add a row of a view: every column but ``view``."""
        for name, column in self._columns.items():
            column[self._filled] = view if name == "view" else row[name]
        self._filled += 1

    def filled(self) -> dict[str, NDArray[Any]]:
        """Return the rows added so far."""
        return {name: column[: self._filled] for name, column in self._columns.items()}
