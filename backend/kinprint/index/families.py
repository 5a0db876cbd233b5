"""Families: views near one centre, the first one indexed, which never moves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from sqlalchemy import func, insert, select, update

from kinprint.index.database import insert_missing, insert_rows
from kinprint.index.schema import block_class, family
from kinprint.sketches.distances import HASH_BITS, hamming

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from numpy.typing import NDArray
    from sqlalchemy import Connection

    from kinprint.index.evidence import Evidence, Hits

FAMILY_BITS = 40
"""A view this near a centre belongs to its family (folded bits of 256)."""


class KnownClass(NamedTuple):
    """A block class that the index has families of."""

    id: int
    families: int


def known_classes(
    connection: Connection, evidence: Evidence
) -> dict[tuple[int, int, int], KnownClass]:
    """Return those of the evidence's classes that the index has, by (start, rows, cols)."""
    cols = sorted({cols for _, _, cols in evidence.classes})
    found = connection.execute(
        select(block_class).where(
            block_class.c.sketch_name == evidence.sketch_name, block_class.c.cols.in_(cols)
        )
    )
    known = {(row.start, row.rows, row.cols): KnownClass(row.id, row.families) for row in found}
    return {each: known[each] for each in evidence.classes if each in known}


def newest_family(connection: Connection) -> int:
    """Return the greatest family id, 0 in an empty index."""
    return connection.scalar(select(func.max(family.c.id))) or 0


@dataclass(frozen=True)
class Membership:
    """Which family each block of a revision belongs to.

    Attributes:
        family: int64 (n,), family ids.
        negated: bool (n,), the block is its family's centre times −1.
        founders: intp (f,), blocks that found a family of their own.
    """

    family: NDArray[np.int64]
    negated: NDArray[np.bool_]
    founders: NDArray[np.intp]

    def signs(self) -> dict[int, int]:
        """Return for each family 1 or −1, as its first block has it."""
        signs: dict[int, int] = {}
        for number, negated in zip(self.family.tolist(), self.negated.tolist(), strict=True):
            signs.setdefault(number, -1 if negated else 1)
        return signs


def assign(evidence: Evidence, hits: Hits, first_new_family: int) -> Membership:
    """Let each block join the nearest centre within ``FAMILY_BITS``, or found a family.

    Args:
        evidence: The blocks.
        hits: Families of the index that lie near them.
        first_new_family: Id of the first family founded here; the others follow it.
    """
    joined = np.zeros(len(evidence), np.int64)
    negated = np.zeros(len(evidence), np.bool_)
    for block, (number, is_negated) in hits.nearest(len(evidence), FAMILY_BITS).items():
        joined[block], negated[block] = number, is_negated
    founders: list[int] = []
    for _, blocks in evidence.by_class():
        homeless = blocks[joined[blocks] == 0]
        while len(homeless):
            distance = hamming(evidence.phash[homeless[:1]], evidence.phash[homeless])[0]
            near = np.minimum(distance, HASH_BITS - distance) <= FAMILY_BITS
            kin = homeless[near]
            joined[kin] = first_new_family + len(founders)
            negated[kin] = distance[near] > HASH_BITS // 2
            founders.append(int(homeless[0]))
            homeless = homeless[~near]
    return Membership(joined, negated, np.array(founders, np.intp))


def found(
    connection: Connection, evidence: Evidence, membership: Membership, at: datetime
) -> Mapping[int, int]:
    """Store the new families.

    Args:
        connection: The writing transaction.
        evidence: The blocks.
        membership: From ``assign``.
        at: When the revision was seen.

    Returns:
        The class id of each founder, by its row of ``evidence``.
    """
    known = known_classes(connection, evidence)
    missing = [each for each in evidence.classes if each not in known]
    insert_rows(
        connection,
        insert_missing(block_class, connection),
        [
            {
                "sketch_name": evidence.sketch_name,
                "start": start,
                "rows": rows,
                "cols": cols,
                "families": 0,
            }
            for start, rows, cols in missing
        ],
    )
    ids = {each: row.id for each, row in known_classes(connection, evidence).items()}
    class_of = {
        int(block): ids[evidence.classes[evidence.block_class[block]]]
        for block in membership.founders
    }
    insert_rows(
        connection,
        insert(family),
        [
            {
                "id": int(membership.family[block]),
                "block_class_id": class_id,
                "centre": evidence.phash[block].tobytes(),
                "sketch": evidence.sketch[block].astype("<i2").tobytes(),
                "step": float(evidence.step[block]),
                "parameters": int(evidence.parameters[block]),
                "first_indexed": at,
            }
            for block, class_id in class_of.items()
        ],
    )
    counts: dict[int, int] = {}
    for class_id in class_of.values():
        counts[class_id] = counts.get(class_id, 0) + 1
    for class_id, count in counts.items():
        connection.execute(
            update(block_class)
            .where(block_class.c.id == class_id)
            .values(families=block_class.c.families + count)
        )
    return class_of
