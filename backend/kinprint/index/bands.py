"""Bands: 16 slices of 16 bits of every centre, found again by equality.

New families go to ``band_new``, a small table of the same form; ``compact`` folds it into
``band``. Small trees are cheap to insert into, and the big one is written in key order.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy import bindparam, delete, insert, select, union_all

from kinprint.index.database import (
    PARAMETERS_PER_STATEMENT,
    insert_missing,
    insert_rows,
    writing,
)
from kinprint.index.schema import band, band_new

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from sqlalchemy import CompoundSelect, Connection, Engine

    from kinprint.index.evidence import Evidence
    from kinprint.index.families import Membership

BANDS = 16
SEED_BANDS = (0, 4, 8, 12)
OTHER_BANDS = tuple(number for number in range(BANDS) if number not in SEED_BANDS)

_ALL_ONES = 0xFFFF


def bits_of(phash: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """Cut packed hashes, uint8 (n, 32), into bands, uint16 (n, 16)."""
    return np.ascontiguousarray(phash).view("<u2")


def probe_bands(
    connection: Connection, class_id: int, phash: NDArray[np.uint8], band_numbers: Sequence[int]
) -> set[int]:
    """Return the families of a class that share a band with a hash or with its complement.

    Args:
        connection: An open transaction.
        class_id: The block class.
        phash: uint8 (n, 32).
        band_numbers: Which of the 16 bands to look into.
    """
    query = _probe(tuple(band_numbers))
    # Every value is bound once for each of the two tables, with its complement.
    at_once = max(1, PARAMETERS_PER_STATEMENT // (4 * len(band_numbers)))
    bits = bits_of(phash)
    families: set[int] = set()
    for top in range(0, len(bits), at_once):
        part = bits[top : top + at_once]
        # A sign flip turns every bit, so the complement finds negated copies.
        wanted = np.unique(np.concatenate([part, _ALL_ONES - part]), axis=0)
        values = {f"bits_{number}": wanted[:, number].tolist() for number in band_numbers}
        families.update(connection.scalars(query, {"class_id": class_id, **values}))
    return families


@cache
def _probe(band_numbers: tuple[int, ...]) -> CompoundSelect[int]:
    # One statement for many bands: building and sending each costs more than its index searches.
    return union_all(
        *(
            select(table.c.family_id).where(
                table.c.block_class_id == bindparam("class_id"),
                table.c.band_no == number,
                table.c.bits.in_(bindparam(f"bits_{number}", expanding=True)),
            )
            for number in band_numbers
            for table in (band, band_new)
        )
    )


def insert_bands(
    connection: Connection,
    evidence: Evidence,
    membership: Membership,
    class_of: Mapping[int, int],
) -> None:
    """Store the bands of new families.

    Args:
        connection: The writing transaction.
        evidence: The blocks.
        membership: From ``families.assign``.
        class_of: From ``families.found``.
    """
    bits = bits_of(evidence.phash)
    rows = sorted(
        (class_id, number, int(bits[block, number]), int(membership.family[block]))
        for block, class_id in class_of.items()
        for number in range(BANDS)
    )
    names = ("block_class_id", "band_no", "bits", "family_id")
    insert_rows(connection, insert(band_new), [dict(zip(names, row, strict=True)) for row in rows])


def compact(engine: Engine) -> int:
    """Fold ``band_new`` into ``band``, one class and band a transaction.

    It may be stopped at any time and run again; look-ups see every family throughout.

    Returns:
        How many rows were moved.

    Raises:
        IndexBusyError: Another writer kept the lock too long; what was moved stays moved.
    """
    moved = 0
    with engine.connect() as connection:
        slices = connection.execute(
            select(band_new.c.block_class_id, band_new.c.band_no).distinct()
        ).all()
    for class_id, number in slices:
        chosen = (band_new.c.block_class_id == class_id, band_new.c.band_no == number)
        with writing(engine) as connection:
            rows = select(band_new).where(*chosen).order_by(band_new.c.bits, band_new.c.family_id)
            connection.execute(insert_missing(band, connection).from_select(band.c.keys(), rows))
            moved += connection.execute(delete(band_new).where(*chosen)).rowcount
    return moved
