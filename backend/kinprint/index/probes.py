"""Secret signs of probe views, which stay in this database: never in a file or an answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from kinprint.checkpoints.tensors import Visibility
from kinprint.fingerprint.probes import Probe
from kinprint.index.database import insert_missing, insert_rows, reading, writing
from kinprint.index.schema import partner_probe, probe, revision

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import Connection, Engine


_ON_THE_HUB = (Visibility.PUBLIC.value, Visibility.GATED.value)


@dataclass(frozen=True)
class PartnerProbe:
    """Secret signs of a suspect, read at the partner of another revision's probe.

    Attributes:
        of_revision_id: The revision whose probe it answers.
        of_block: Block row of that probe.
        probe: The suspect's own block, key, row offset and signs.
    """

    of_revision_id: int
    of_block: int
    probe: Probe


def keep_probes(connection: Connection, revision_id: int, probes: Sequence[Probe]) -> None:
    """Store a revision's probes; those that are there already stay."""
    insert_rows(
        connection,
        insert_missing(probe, connection),
        [{"revision_id": revision_id, **_row(each)} for each in probes],
    )


class Probes:
    """The secret signs of the revisions in an index."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def of(self, revision_id: int) -> tuple[Probe, ...]:
        """Return a revision's own probes, of every key, in order of their blocks."""
        with reading(self._engine) as connection:
            rows = connection.execute(
                select(probe)
                .where(probe.c.revision_id == revision_id)
                .order_by(probe.c.key_id, probe.c.block)
            )
            return tuple(Probe(row.block, row.key_id, row.row_offset, row.signs) for row in rows)

    def add(self, revision_id: int, probes: Sequence[Probe]) -> None:
        """Store probes of a revision, for instance under a new key."""
        with writing(self._engine) as connection:
            keep_probes(connection, revision_id, probes)

    def lacking(self, key_id: str) -> tuple[int, ...]:
        """Return the revisions on the Hub that have probes, but none under a key."""
        renewed = select(probe.c.revision_id).where(probe.c.key_id == key_id)
        with reading(self._engine) as connection:
            return tuple(
                connection.scalars(
                    select(probe.c.revision_id)
                    .join(revision, revision.c.id == probe.c.revision_id)
                    .where(
                        probe.c.revision_id.not_in(renewed),
                        revision.c.visibility.in_(_ON_THE_HUB),
                    )
                    .distinct()
                    .order_by(probe.c.revision_id)
                )
            )

    def keys_without(self, key_id: str) -> frozenset[str]:
        """Return the keys that something rests on which this one has not signed."""
        renewed = select(probe.c.revision_id).where(probe.c.key_id == key_id)
        with reading(self._engine) as connection:
            own = connection.scalars(
                select(probe.c.key_id).where(probe.c.revision_id.not_in(renewed)).distinct()
            )
            # A suspect's answers are not read again: what was found with a key stays checkable.
            answered = connection.scalars(select(partner_probe.c.key_id).distinct())
            return frozenset((*own, *answered))

    def forget_keys_but(self, key_ids: Collection[str]) -> None:
        """Delete what was signed under any other key: without the key it says nothing."""
        with writing(self._engine) as connection:
            for table in (probe, partner_probe):
                connection.execute(delete(table).where(table.c.key_id.not_in(key_ids)))

    def partners(self, revision_id: int, of_revision_id: int) -> tuple[PartnerProbe, ...]:
        """Return a suspect's signs at the partners of another revision's probes."""
        with reading(self._engine) as connection:
            rows = connection.execute(
                select(partner_probe)
                .where(
                    partner_probe.c.revision_id == revision_id,
                    partner_probe.c.of_revision_id == of_revision_id,
                )
                .order_by(partner_probe.c.key_id, partner_probe.c.of_block, partner_probe.c.block)
            )
            return tuple(
                PartnerProbe(
                    row.of_revision_id,
                    row.of_block,
                    Probe(row.block, row.key_id, row.row_offset, row.signs),
                )
                for row in rows
            )

    def add_partners(self, revision_id: int, partners: Sequence[PartnerProbe]) -> None:
        """Store a suspect's signs; those that are there already stay."""
        with writing(self._engine) as connection:
            insert_rows(
                connection,
                insert_missing(partner_probe, connection),
                [
                    {
                        "revision_id": revision_id,
                        "of_revision_id": each.of_revision_id,
                        "of_block": each.of_block,
                        **_row(each.probe),
                    }
                    for each in partners
                ],
            )


def _row(each: Probe) -> dict[str, object]:
    return {
        "key_id": each.key_id,
        "block": each.block,
        "row_offset": each.row_offset,
        "signs": each.signs,
    }
