"""How much there is in an index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from kinprint.checkpoints.tensors import Visibility
from kinprint.index.database import bytes_on_disk
from kinprint.index.schema import band, band_new, block_class, bundle, revision

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy import Connection, Table


@dataclass(frozen=True)
class IndexSize:
    """What every answer says of the index it rests on.

    Attributes:
        models: Repos.
        revisions: Revisions of them, old ones included (N of the claim).
        families: Families.
        as_of: When the last of them was read, None in an empty index.
    """

    models: int
    revisions: int
    families: int
    as_of: datetime | None


@dataclass(frozen=True)
class IndexStatistics:
    """What ``kinprint index stats`` shows.

    Attributes:
        size: Models, revisions, families, as of when.
        bundles: Bundles.
        bands: Rows of the big band table.
        bands_new: Rows that ``compact`` has still to fold in.
        bytes_on_disk: Size of the database.
        by_visibility: Revisions by visibility.
    """

    size: IndexSize
    bundles: int
    bands: int
    bands_new: int
    bytes_on_disk: int
    by_visibility: Mapping[Visibility, int]


def size_of(connection: Connection) -> IndexSize:
    """Count what answers refer to; never reads the big tables."""
    row = connection.execute(
        select(
            func.count(revision.c.repo_id.distinct()), func.count(), func.max(revision.c.first_seen)
        ).select_from(revision)
    ).one()
    families = connection.scalar(select(func.sum(block_class.c.families))) or 0
    return IndexSize(models=row[0], revisions=row[1], families=int(families), as_of=row[2])


def statistics_of(connection: Connection) -> IndexStatistics:
    """Count everything."""
    visible = select(revision.c.visibility, func.count()).group_by(revision.c.visibility)
    return IndexStatistics(
        size=size_of(connection),
        bundles=_rows(connection, bundle),
        bands=_rows(connection, band),
        bands_new=_rows(connection, band_new),
        bytes_on_disk=bytes_on_disk(connection),
        by_visibility={Visibility(name): count for name, count in connection.execute(visible)},
    )


def _rows(connection: Connection, table: Table) -> int:
    return connection.scalar(select(func.count()).select_from(table)) or 0
