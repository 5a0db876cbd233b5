"""Revisions: what is known of each commit that was read, and which one is a repo's newest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import select, update

from kinprint.checkpoints.tensors import Visibility
from kinprint.errors import IndexUnreadableError, UsageError
from kinprint.index.repos import find_repo
from kinprint.index.schema import repo, revision

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection, Row, Select

    from kinprint.fingerprint.record import OriginFact

STORED_VISIBILITIES = (Visibility.PUBLIC, Visibility.GATED, Visibility.LOCAL)

_LONGEST = {"repo": 128, "revision": 64, "owner_id": 128, "declared_relation": 64}
_BASES = TypeAdapter(tuple[str, ...])


@dataclass(frozen=True)
class StoredRevision:
    """One revision in the index.

    Attributes:
        id: Its number here.
        repo: Canonical id of its repo.
        revision: Commit sha; of a local checkpoint the weights digest.
        visibility: Public, gated, local, or withdrawn (the repo is gone, the evidence stays).
        created_at: createdAt of the repo.
        owner_id: The Hub's id of the owner.
        declared_bases: ``base_model`` of the card.
        declared_relation: ``base_model_relation`` of the card.
        first_seen: When this instance first read it.
        weights_digest: Digest of the sampled weights (``fingerprint.file.digest_of``).
        files_digest: Digest of the LFS sha256 set, None where a file has none.
        parameters: Number of float parameters.
        superseded: A newer revision of the repo was read since.
    """

    id: int
    repo: str
    revision: str
    visibility: Visibility
    created_at: datetime | None
    owner_id: str | None
    declared_bases: tuple[str, ...]
    declared_relation: str | None
    first_seen: datetime
    weights_digest: str
    files_digest: str | None
    parameters: int
    superseded: bool


_COLUMNS = select(revision, repo.c.name).join(repo, repo.c.id == revision.c.repo_id)


def check_origin(origin: OriginFact) -> str:
    """Return the repo id of a fingerprint that may be stored.

    Raises:
        UsageError: It is private, belongs to no repo, or a field is longer than any the Hub has.
    """
    if origin.visibility not in STORED_VISIBILITIES:
        raise UsageError(
            f"A {origin.visibility.value} checkpoint is never stored",
            hint="Compare it with `kinprint similar` or `kinprint compare` instead.",
        )
    if origin.repo is None:
        raise UsageError(
            "A checkpoint without a repo id cannot enter the index",
            hint="Compare it with `kinprint similar` or `kinprint compare` instead.",
        )
    for field, longest in _LONGEST.items():
        if len(getattr(origin, field) or "") > longest:
            raise UsageError(f"The {field} of the checkpoint is longer than {longest} characters")
    return origin.repo


def encode_bases(bases: tuple[str, ...]) -> str:
    """Return declared bases as the index stores them."""
    return _BASES.dump_json(bases).decode()


def by_id(connection: Connection, revision_id: int) -> StoredRevision | None:
    """Return a revision by its number."""
    return _one(connection, _COLUMNS.where(revision.c.id == revision_id))


def find(connection: Connection, name: str, commit: str | None) -> StoredRevision | None:
    """Return a repo's newest revision, or the one of a commit."""
    number = find_repo(connection, name)
    if number is None:
        return None
    query = _COLUMNS.where(revision.c.repo_id == number)
    if commit is not None:
        return _one(connection, query.where(revision.c.commit == commit))
    newest_first = (revision.c.superseded_at.is_not(None), revision.c.id.desc())
    return _one(connection, query.order_by(*newest_first).limit(1))


def newest_public(connection: Connection) -> tuple[int, ...]:
    """Return the numbers of the revisions of public repos that nothing supersedes, ascending."""
    chosen = (
        select(revision.c.id)
        .where(revision.c.visibility == Visibility.PUBLIC.value, revision.c.superseded_at.is_(None))
        .order_by(revision.c.id)
    )
    return tuple(connection.scalars(chosen))


def newest(connection: Connection, repo_id: int) -> int | None:
    """Return the number of a repo's newest revision, None if it has none."""
    query = select(revision.c.id).where(
        revision.c.repo_id == repo_id, revision.c.superseded_at.is_(None)
    )
    found: int | None = connection.scalar(query)
    return found


def supersede(connection: Connection, repo_id: int, newest: int, at: datetime) -> None:
    """Mark all other revisions of a repo as superseded by ``newest``."""
    connection.execute(
        update(revision)
        .where(
            revision.c.repo_id == repo_id,
            revision.c.id != newest,
            revision.c.superseded_at.is_(None),
        )
        .values(superseded_at=at)
    )


def set_visibility(connection: Connection, repo_id: int, visibility: Visibility) -> int:
    """Give all revisions of a repo its present visibility; return how many it has."""
    changed = connection.execute(
        update(revision).where(revision.c.repo_id == repo_id).values(visibility=visibility.value)
    )
    return changed.rowcount


def _one(connection: Connection, query: Select[Any]) -> StoredRevision | None:
    row = connection.execute(query).one_or_none()
    return None if row is None else _validated(row)


def _validated(row: Row[Any]) -> StoredRevision:
    try:
        visibility = Visibility(row.visibility)
        declared_bases = _BASES.validate_json(row.declared_bases)
    except (ValueError, ValidationError) as error:
        raise IndexUnreadableError(f"Revision {row.id} of the index is damaged") from error
    return StoredRevision(
        id=row.id,
        repo=row.name,
        revision=row.commit,
        visibility=visibility,
        created_at=row.created_at,
        owner_id=row.owner_id,
        declared_bases=declared_bases,
        declared_relation=row.declared_relation,
        first_seen=row.first_seen,
        weights_digest=row.weights_digest,
        files_digest=row.files_digest,
        parameters=row.parameters,
        superseded=row.superseded_at is not None,
    )
