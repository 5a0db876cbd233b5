"""Seed and extend: which families of the index lie near a fingerprint's blocks.

In a small class every centre is compared. In a large one 4 bands of each block give the first
hits; the bundles that they vote for are compared centre by centre, which finds tensors that share
no band; the other 12 bands are tried only for what is then unexplained.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy import select

from kinprint.index.bands import OTHER_BANDS, SEED_BANDS, probe_bands
from kinprint.index.bundles import families_of, holders_of
from kinprint.index.database import slices_of
from kinprint.index.evidence import all_hits
from kinprint.index.exact import centres_of, compare, scan_class
from kinprint.index.families import known_classes
from kinprint.index.schema import family

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray
    from sqlalchemy import Connection

    from kinprint.index.evidence import Evidence, Hits

HIT_BITS = 85
"""A centre this near (folded bits of 256) is a hit: strangers reach it once in 10^7 pairs."""

EXACT_FAMILIES = 2_000
"""Up to this many families in a class comparing with all is as quick as bands, and misses none."""

EXTENDED_BUNDLES = 8


def find_hits(
    connection: Connection, evidence: Evidence, *, exact_families: int = EXACT_FAMILIES
) -> Hits:
    """Find the families within ``HIT_BITS`` of the blocks.

    Args:
        connection: An open transaction.
        evidence: The blocks to look up.
        exact_families: Classes with more families than this are searched by bands.

    Returns:
        All hits in small classes; in large ones all that seed and extend finds.
    """
    known = known_classes(connection, evidence)
    hits: list[Hits] = []
    large: dict[int, NDArray[np.intp]] = {}
    for each, blocks in evidence.by_class():
        if each not in known:
            continue
        if known[each].families <= exact_families:
            hits.append(scan_class(connection, known[each].id, evidence, blocks, HIT_BITS))
        else:
            large[known[each].id] = blocks
    if not large:
        return all_hits(hits)
    search = _Search(connection, evidence, large, hits, set())
    search.probe(SEED_BANDS)
    search.extend()
    if search.probe(OTHER_BANDS):
        search.extend()
    return all_hits(hits)


@dataclass(frozen=True)
class _Search:
    """One look-up in the large classes; ``hits`` and ``extended`` grow."""

    connection: Connection
    evidence: Evidence
    blocks_of: Mapping[int, NDArray[np.intp]]
    hits: list[Hits]
    extended: set[int]

    def probe(self, band_numbers: Sequence[int]) -> bool:
        """Look into some bands of the blocks that have no hit yet; say if there was a new one."""
        explained = all_hits(self.hits).block
        any_hit = False
        for class_id, blocks in self.blocks_of.items():
            unexplained = np.setdiff1d(blocks, explained)
            families = probe_bands(
                self.connection, class_id, self.evidence.phash[unexplained], band_numbers
            )
            any_hit |= self._verify(families, {class_id: unexplained})
        return any_hit

    def extend(self) -> None:
        """Compare with every centre of the bundles that the hits so far speak for."""
        hits = all_hits(self.hits)
        votes = holders_of(self.connection, parameters_of(self.evidence, hits)).bundle_votes()
        fresh = [number for number in votes if number not in self.extended]
        best = sorted(fresh, key=lambda number: (-votes[number], number))[:EXTENDED_BUNDLES]
        self.extended.update(best)
        self._verify(families_of(self.connection, best), self.blocks_of)

    def _verify(self, families: Collection[int], blocks_of: Mapping[int, NDArray[np.intp]]) -> bool:
        rows_of: dict[int, list[tuple[int, bytes]]] = {number: [] for number in blocks_of}
        for numbers in slices_of(sorted(families)):
            for row in self.connection.execute(
                select(family.c.id, family.c.centre, family.c.block_class_id).where(
                    family.c.id.in_(numbers), family.c.block_class_id.in_(blocks_of)
                )
            ):
                rows_of[row.block_class_id].append((row.id, row.centre))
        found = [
            compare(*centres_of(rows), self.evidence, blocks_of[number], HIT_BITS)
            for number, rows in rows_of.items()
            if rows
        ]
        self.hits.extend(found)
        return any(len(each) for each in found)


def parameters_of(evidence: Evidence, hits: Hits) -> dict[int, int]:
    """Return for each family hit the cells of the largest view that hit it."""
    parameters: dict[int, int] = {}
    cells = evidence.parameters[hits.block].tolist()
    for number, count in zip(hits.family.tolist(), cells, strict=True):
        parameters[number] = max(count, parameters.get(number, 0))
    return parameters
