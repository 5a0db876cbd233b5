"""Comparing blocks with every centre: the reference, and the quicker way in a small class."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy import select

from kinprint.index.distances import HASH_BYTES, near_pairs
from kinprint.index.evidence import Hits, all_hits
from kinprint.index.families import known_classes
from kinprint.index.schema import family

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from sqlalchemy import Connection

    from kinprint.index.evidence import Evidence


def exact_hits(connection: Connection, evidence: Evidence, within_bits: int) -> Hits:
    """Compare every block with every centre of its class: recall 1, time linear in the index."""
    known = known_classes(connection, evidence)
    return all_hits(
        [
            scan_class(connection, known[each].id, evidence, blocks, within_bits)
            for each, blocks in evidence.by_class()
            if each in known
        ]
    )


def scan_class(
    connection: Connection,
    class_id: int,
    evidence: Evidence,
    blocks: NDArray[np.intp],
    within_bits: int,
    *,
    after_family: int = 0,
) -> Hits:
    """Compare blocks with the centres of one class.

    Args:
        connection: An open transaction.
        class_id: The class.
        evidence: Where the blocks are.
        blocks: intp (n,), rows of ``evidence`` that belong to the class.
        within_bits: Largest folded distance that counts.
        after_family: Only families with a greater id.
    """
    query = select(family.c.id, family.c.centre).where(
        family.c.block_class_id == class_id, family.c.id > after_family
    )
    return compare(*centres_of(connection.execute(query).all()), evidence, blocks, within_bits)


def compare(
    ids: NDArray[np.int64],
    centres: NDArray[np.uint8],
    evidence: Evidence,
    blocks: NDArray[np.intp],
    within_bits: int,
) -> Hits:
    """Compare blocks with given centres.

    Args:
        ids: int64 (m,), family ids.
        centres: uint8 (m, 32), their centres.
        evidence: Where the blocks are.
        blocks: intp (n,), rows of ``evidence`` of the same class as the centres.
        within_bits: Largest folded distance that counts.
    """
    pairs = near_pairs(evidence.phash[blocks], centres, within_bits)
    return Hits(blocks[pairs.row], ids[pairs.column], pairs.bits, pairs.negated)


def centres_of(
    rows: Sequence[tuple[int, bytes]],
) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Turn rows of (id, centre) into int64 (m,) and uint8 (m, 32)."""
    ids = np.array([number for number, _ in rows], np.int64)
    packed = np.frombuffer(b"".join([centre for _, centre in rows]), np.uint8)
    return ids, packed.reshape(-1, HASH_BYTES)
