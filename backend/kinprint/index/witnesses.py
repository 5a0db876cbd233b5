"""Witnesses of time: when exactly these weights were seen, in whichever repo."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import and_, func, insert, or_, select

from kinprint.index.database import insert_missing
from kinprint.index.schema import weight_set, witness

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection

    from kinprint.fingerprint.record import FileFact, Fingerprint

FIRST_SEEN = "first_seen"
"""Kind of witness: this instance read the weights. External timestamps are other kinds."""


class WeightInterval(NamedTuple):
    """When exactly these weights were published (UTC); None where nothing bounds it.

    Attributes:
        not_before: createdAt of the repo asked about.
        not_after: The earliest witness of the weights, in whichever repo.
    """

    not_before: datetime | None
    not_after: datetime | None


def files_digest(files: Sequence[FileFact]) -> str | None:
    """Return sha256 (hex) over the sorted LFS sha256 of all weight files.

    None where there is no file or one of them has no sha256, since then the set is not known.
    """
    known = [file.sha256 for file in files if file.sha256 is not None]
    if not known or len(known) < len(files):
        return None
    return sha256("\n".join(sorted(known)).encode()).hexdigest()


def weight_sets(fingerprint: Fingerprint, weights_digest: str) -> dict[str, str]:
    """Return the digests by which these weights are known again, by kind."""
    sets: dict[str, str] = {}
    if len(fingerprint.blocks.view) or len(fingerprint.vectors.view):
        # Without them the digest covers shapes alone, which is no witness of any weights.
        sets["sketches"] = weights_digest
    files = files_digest(fingerprint.files)
    if files is not None:
        sets["files"] = files
    return sets


def keep_witness(connection: Connection, sets: Mapping[str, str], at: datetime) -> None:
    """Store that these weights were seen, unless they were seen before."""
    for kind, digest in sets.items():
        seen = seen_at(connection, {kind: digest})
        if seen is not None and seen <= at:
            continue
        connection.execute(insert_missing(weight_set, connection).values(kind=kind, digest=digest))
        number = connection.execute(select(weight_set.c.id).where(_is(kind, digest))).scalar_one()
        connection.execute(insert(witness).values(weight_set_id=number, kind=FIRST_SEEN, at=at))


def seen_at(connection: Connection, sets: Mapping[str, str]) -> datetime | None:
    """Return the earliest witness of any of these weight sets, by kind."""
    if not sets:
        return None
    # The type of MIN() is that of its column, so the zone is kept.
    earliest: datetime | None = connection.scalar(
        select(func.min(witness.c.at))
        .join(weight_set, weight_set.c.id == witness.c.weight_set_id)
        .where(or_(*(_is(kind, digest) for kind, digest in sets.items())))
    )
    return earliest


def _is(kind: str, digest: str) -> ColumnElement[bool]:
    return and_(weight_set.c.kind == kind, weight_set.c.digest == digest)
