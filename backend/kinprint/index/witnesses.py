"""Witnesses of time: when exactly these weights were seen, in whichever repo."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import and_, false, func, insert, or_, select

from kinprint.fingerprint.file import digest_of
from kinprint.index.database import insert_missing
from kinprint.index.repos import find_repo
from kinprint.index.schema import revision, weight_set, witness

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection

    from kinprint.fingerprint.record import FileFact, Fingerprint
    from kinprint.index.signing import WitnessKey

FIRST_SEEN = "first_seen"
"""Kind of witness: this instance read the weights, and signs when."""

RFC3161 = "rfc3161"
"""Kind of witness: a time-stamping authority had the digests before it."""

CREATION_FLOOR = datetime(2022, 3, 2, 23, 29, 4, tzinfo=UTC)
"""The Hub shows this createdAt for every repo that is older, so it bounds nothing from below."""


class WeightInterval(NamedTuple):
    """When exactly these weights were published (UTC); None where nothing bounds it.

    Attributes:
        not_before: The earliest createdAt among the repos known to hold them; None if they were
            somewhere else before.
        not_after: The earliest witness of them, in whichever repo.
        repo_not_before: createdAt of the repo asked about.
        repo_not_after: When this instance first saw them, if that was in this very repo.
        weight_sets: By which digests they are known again, as ``kind:sha256``.
    """

    not_before: datetime | None
    not_after: datetime | None
    repo_not_before: datetime | None = None
    repo_not_after: datetime | None = None
    weight_sets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Witness:
    """One witness of one weight set.

    Attributes:
        kind: ``first_seen`` or ``rfc3161``.
        digest_kind: ``files`` or ``sketches``.
        digest: SHA-256 in hexadecimal.
        at: Not later than this did the weights exist (UTC).
        statement: The bytes that the time-stamping authority stamped; empty for ``first_seen``.
        proof: The Ed25519 signature (empty if not signed), or the authority's answer in DER.
    """

    kind: str
    digest_kind: str
    digest: str
    at: datetime
    statement: bytes
    proof: bytes


def files_digest(files: Sequence[FileFact]) -> str | None:
    """Return sha256 (hex) over the sorted LFS sha256 of all weight files.

    None where there is no file or one of them has no sha256, since then the set is not known.
    """
    known = [file.sha256 for file in files if file.sha256 is not None]
    if not known or len(known) < len(files):
        return None
    return sha256("\n".join(sorted(known)).encode()).hexdigest()


def revision_digests(fingerprint: Fingerprint, weights_digest: str) -> dict[str, str]:
    """Return the digests under which revisions with these weights are stored, by kind.

    They find revisions; what is dated goes by `weight_sets`.
    """
    digests: dict[str, str] = {}
    if _has_samples(fingerprint):
        # Without them the digest covers shapes alone, which many models share.
        digests["sketches"] = weights_digest
    files = files_digest(fingerprint.files)
    if files is not None:
        digests["files"] = files
    return digests


def _has_samples(fingerprint: Fingerprint) -> bool:
    return len(fingerprint.blocks.view) + len(fingerprint.vectors.view) > 0


def weight_sets(fingerprint: Fingerprint) -> dict[str, str]:
    """Return the digests by which these weights are known again, by kind, each a SHA-256 (hex).

    ``files`` covers the files as the Hub names them. ``sketches`` covers the sampled blocks with
    their hashes, sorted, so that names, order and shards do not matter. It is more than
    ``fingerprint.file.digest_of``, whose xxh3 anybody can hit: with some thirty bytes changed a
    block, a copy would be "seen" whenever its maker's earlier weights were. Such a copy cannot
    have their hashes as well and still match what it was copied from.
    """
    sets: dict[str, str] = {}
    hashes = [
        f"{group}:{'x'.join(str(side) for side in fingerprint.views[view].shape)}:"
        f"{columns.digest[row].tobytes().hex()}:{columns.phash[row].tobytes().hex()}"
        for group, columns in (("b", fingerprint.blocks), ("v", fingerprint.vectors))
        for row, view in enumerate(columns.view.tolist())
    ]
    if _has_samples(fingerprint):
        named = "\n".join((fingerprint.sketch_name, *sorted(hashes)))
        sets["sketches"] = sha256(named.encode()).hexdigest()
    files = files_digest(fingerprint.files)
    if files is not None:
        sets["files"] = files
    return sets


def keep_first_seen(
    connection: Connection, sets: Mapping[str, str], at: datetime, key: WitnessKey | None
) -> None:
    """Store that these weights were seen, signed, unless they were seen before.

    Args:
        connection: The writing transaction.
        sets: Their digests by kind.
        at: When they were read (UTC).
        key: Signs it; None leaves it unsigned.
    """
    for kind, digest in sets.items():
        seen = seen_at(connection, {kind: digest}, FIRST_SEEN)
        if seen is None or at < seen:
            signature = b"" if key is None else key.sign(kind, digest, at)
            _insert(connection, Witness(FIRST_SEEN, kind, digest, at, b"", signature))


def keep_timestamp(
    connection: Connection, sets: Mapping[str, str], at: datetime, statement: bytes, token: bytes
) -> None:
    """Store a verified external timestamp over these digests; the same one again changes nothing.

    Args:
        connection: The writing transaction.
        sets: The digests that the statement lists, by kind.
        at: The latest moment at which it was made (UTC).
        statement: What was stamped.
        token: The authority's answer in DER.
    """
    for kind, digest in sets.items():
        known = seen_at(connection, {kind: digest}, RFC3161)
        if known is None or at < known:
            _insert(connection, Witness(RFC3161, kind, digest, at, statement, token))


def _insert(connection: Connection, made: Witness) -> None:
    place = {"kind": made.digest_kind, "digest": made.digest}
    connection.execute(insert_missing(weight_set, connection).values(**place))
    number = connection.execute(
        select(weight_set.c.id).where(_is(made.digest_kind, made.digest))
    ).scalar_one()
    connection.execute(
        insert(witness).values(
            weight_set_id=number,
            kind=made.kind,
            at=made.at,
            statement=made.statement,
            proof=made.proof,
        )
    )


def seen_at(
    connection: Connection, sets: Mapping[str, str], kind: str | None = None
) -> datetime | None:
    """Return the earliest witness (of a kind) of any of these weight sets."""
    if not sets:
        return None
    chosen = or_(*(_is(each, digest) for each, digest in sets.items()))
    # The type of MIN() is that of its column, so the zone is kept.
    earliest: datetime | None = connection.scalar(
        select(func.min(witness.c.at))
        .join(weight_set, weight_set.c.id == witness.c.weight_set_id)
        .where(chosen if kind is None else and_(chosen, witness.c.kind == kind))
    )
    return earliest


def witnesses_of(connection: Connection, sets: Mapping[str, str]) -> tuple[Witness, ...]:
    """Return all witnesses of these weight sets, earliest first."""
    if not sets:
        return ()
    rows = connection.execute(
        select(witness, weight_set.c.kind.label("digest_kind"), weight_set.c.digest)
        .join(weight_set, weight_set.c.id == witness.c.weight_set_id)
        .where(or_(*(_is(each, digest) for each, digest in sets.items())))
        .order_by(witness.c.at, weight_set.c.kind)
    )
    return tuple(
        Witness(
            row.kind, row.digest_kind, row.digest, row.at, row.statement or b"", row.proof or b""
        )
        for row in rows
    )


def interval_of(connection: Connection, fingerprint: Fingerprint) -> WeightInterval:
    """Return when these weights were published, and when they were in their repo."""
    sets = weight_sets(fingerprint)
    created_at = _bound(fingerprint.origin.created_at)
    held = _holds(fingerprint)
    repo = fingerprint.origin.repo
    number = None if repo is None else find_repo(connection, repo)
    seen_here: datetime | None = None
    if number is not None:
        seen_here = connection.scalar(
            select(func.min(revision.c.first_seen)).where(revision.c.repo_id == number, held)
        )
    not_after = seen_at(connection, sets)
    earliest, seen_anywhere = connection.execute(
        select(func.min(revision.c.created_at), func.min(revision.c.first_seen)).where(held)
    ).one()
    elsewhere = created_at if earliest is None else _bound(earliest)
    # A holder whose repo may be older than the Hub tells leaves no lower bound at all.
    not_before = min(created_at, elsewhere) if created_at and elsewhere else None
    if created_at and not_after and not_after < min(created_at, seen_anywhere or created_at):
        # They lay in a place that nobody knows, so no repo known to hold them began them: an
        # accomplice may fill an old one with them at any time.
        not_before = None
    return WeightInterval(
        not_before=not_before,
        not_after=not_after,
        repo_not_before=created_at,
        # Where another repo had them before, who was here first says nothing of whose they are.
        repo_not_after=seen_here if seen_here == seen_anywhere else None,
        weight_sets=tuple(f"{kind}:{digest}" for kind, digest in sorted(sets.items())),
    )


def _bound(created_at: datetime | None) -> datetime | None:
    return None if created_at is None or created_at <= CREATION_FLOOR else created_at


def _holds(fingerprint: Fingerprint) -> ColumnElement[bool]:
    columns = {"sketches": revision.c.weights_digest, "files": revision.c.files_digest}
    digests = revision_digests(fingerprint, digest_of(fingerprint))
    return or_(false(), *(columns[kind] == digest for kind, digest in digests.items()))


def _is(kind: str, digest: str) -> ColumnElement[bool]:
    return and_(weight_set.c.kind == kind, weight_set.c.digest == digest)
