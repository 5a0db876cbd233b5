"""Bundles: families that come together (a base model), stored once for all who have them."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, insert, select, update

from kinprint.index.database import insert_rows, slices_of
from kinprint.index.schema import bundle, bundle_family, revision, revision_difference

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

LARGEST_DIFFERENCE = 0.5
"""A revision joins a bundle if it differs in at most this share of its own families."""


@dataclass(frozen=True)
class Holders:
    """Who has the families that a look-up hit, and how much each family says.

    Attributes:
        weight: Rarity (IDF x parameters) of each family.
        in_bundle: Families of each bundle, by bundle id.
        added: Families of each revision that its bundle has not, by revision id.
        missing: Families of its bundle that a revision has not, by revision id.
        bundle_of: Bundle of each revision named in ``added`` and ``missing``.
    """

    weight: Mapping[int, float]
    in_bundle: Mapping[int, set[int]]
    added: Mapping[int, set[int]]
    missing: Mapping[int, set[int]]
    bundle_of: Mapping[int, int]

    def bundle_votes(self) -> dict[int, float]:
        """Return the weight of the families that each bundle, or a revision of it, has."""
        reach = {number: set(families) for number, families in self.in_bundle.items()}
        for revision_id, families in self.added.items():
            reach.setdefault(self.bundle_of[revision_id], set()).update(families)
        return {number: self._sum(families) for number, families in reach.items()}

    def revision_votes(self, revision_id: int, bundle_id: int) -> float:
        """Return the weight of the families that a revision has."""
        families = self.in_bundle.get(bundle_id, set()) | self.added.get(revision_id, set())
        return self._sum(families - self.missing.get(revision_id, set()))

    def _sum(self, families: set[int]) -> float:
        # Sorted, so that equal sets give equal sums and ties are real ties.
        return math.fsum(self.weight[number] for number in sorted(families))


def holders_of(connection: Connection, parameters: Mapping[int, int]) -> Holders:
    """Find who has the given families.

    Args:
        connection: An open transaction.
        parameters: Cells of the view that hit it, by family id.
    """
    in_bundle: dict[int, set[int]] = defaultdict(set)
    added: dict[int, set[int]] = defaultdict(set)
    missing: dict[int, set[int]] = defaultdict(set)
    bundle_of: dict[int, int] = {}
    frequency: dict[int, int] = defaultdict(int)
    for numbers in slices_of(sorted(parameters)):
        for row in connection.execute(
            select(bundle_family.c.bundle_id, bundle_family.c.family_id, bundle.c.revisions)
            .join(bundle, bundle.c.id == bundle_family.c.bundle_id)
            .where(bundle_family.c.family_id.in_(numbers))
        ):
            in_bundle[row.bundle_id].add(row.family_id)
            frequency[row.family_id] += row.revisions
        difference = revision_difference.c
        for one in connection.execute(
            select(
                difference.revision_id, difference.family_id, difference.sign, revision.c.bundle_id
            )
            .join(revision, revision.c.id == difference.revision_id)
            .where(difference.family_id.in_(numbers))
        ):
            bundle_of[one.revision_id] = one.bundle_id
            if one.sign == 0:
                missing[one.revision_id].add(one.family_id)
                frequency[one.family_id] -= 1
            elif one.family_id not in in_bundle.get(one.bundle_id, ()):
                added[one.revision_id].add(one.family_id)
                frequency[one.family_id] += 1
    revisions = connection.scalar(select(func.sum(bundle.c.revisions))) or 0
    weight = {
        number: math.log1p(int(revisions) / max(1, frequency[number])) * cells
        for number, cells in parameters.items()
    }
    return Holders(weight, in_bundle, added, missing, bundle_of)


def families_of(connection: Connection, bundle_ids: Sequence[int]) -> set[int]:
    """Return the families of the given bundles."""
    return set(
        connection.scalars(
            select(bundle_family.c.family_id).where(bundle_family.c.bundle_id.in_(bundle_ids))
        )
    )


def join_bundle(connection: Connection, signs: Mapping[int, int]) -> tuple[int, dict[int, int]]:
    """Let a revision join the bundle that it differs least from, or found one.

    Args:
        connection: The writing transaction.
        signs: 1 or −1 by family id; not empty.

    Returns:
        The bundle's id, and the revision's difference to it: by family id 1 or −1 for what the
        revision has (otherwise), 0 for what it has not.
    """
    shared: dict[int, int] = defaultdict(int)
    for numbers in slices_of(sorted(signs)):
        for row in connection.execute(
            select(bundle_family).where(bundle_family.c.family_id.in_(numbers))
        ):
            shared[row.bundle_id] += row.sign == signs[row.family_id]
    best: tuple[int, int] | None = None
    for numbers in slices_of(sorted(shared)):
        for row in connection.execute(
            select(bundle.c.id, bundle.c.families).where(bundle.c.id.in_(numbers))
        ):
            differing = len(signs) + row.families - 2 * shared[row.id]
            if best is None or (differing, row.id) < best:
                best = (differing, row.id)
    if best is None or best[0] > LARGEST_DIFFERENCE * len(signs):
        return _found(connection, signs), {}
    number = best[1]
    connection.execute(
        update(bundle).where(bundle.c.id == number).values(revisions=bundle.c.revisions + 1)
    )
    theirs = {
        row.family_id: row.sign
        for row in connection.execute(
            select(bundle_family).where(bundle_family.c.bundle_id == number)
        )
    }
    difference = {each: sign for each, sign in signs.items() if theirs.get(each) != sign}
    return number, difference | {each: 0 for each in theirs if each not in signs}


def _found(connection: Connection, signs: Mapping[int, int]) -> int:
    number: int = connection.execute(
        insert(bundle).values(families=len(signs), revisions=1).returning(bundle.c.id)
    ).scalar_one()
    insert_rows(
        connection,
        insert(bundle_family),
        [
            {"bundle_id": number, "family_id": each, "sign": sign}
            for each, sign in sorted(signs.items())
        ],
    )
    return number
