"""What every answer says of the index it rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kinprint.lineage.thresholds import SMALL_INDEX_MODELS
from kinprint.lineage.verdict import Coverage

if TYPE_CHECKING:
    from kinprint.index.statistics import IndexSize
    from kinprint.lineage.ancestors import Ancestors


def coverage_of(size: IndexSize, ancestors: Ancestors | None = None) -> Coverage:
    """Describe an index to somebody who wonders what "nothing found" is worth.

    Args:
        size: The index.
        ancestors: Declared ancestors that were looked for in it.
    """
    read = () if ancestors is None else ancestors.read
    return Coverage(
        models=size.models,
        as_of=size.as_of,
        ancestors_read=tuple(dict.fromkeys(each.repo for each in read)),
        ancestors_unread={} if ancestors is None else ancestors.unread,
        small=size.models < SMALL_INDEX_MODELS,
        advice=small_index_advice(size.models),
    )


def small_index_advice(models: int) -> str | None:
    """Return what to do about a small index, None if it is not small."""
    if models >= SMALL_INDEX_MODELS:
        return None
    noun = "model" if models == 1 else "models"
    return (
        f"The index holds only {models} {noun}, so nothing found says little: "
        "run `kinprint index bootstrap`."
    )
