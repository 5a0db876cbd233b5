"""The index as the rest of Kinprint sees it."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Self
from uuid import uuid4

from sqlalchemy import select

from kinprint.checkpoints.tensors import Visibility
from kinprint.errors import MissingError, NotPublicError, RepoNotFoundError
from kinprint.fingerprint.file import digest_of, from_bytes
from kinprint.index import bands, revisions
from kinprint.index.budget import Budget
from kinprint.index.database import insert_missing, open_engine, reading, writing
from kinprint.index.documents import StoredDocuments
from kinprint.index.entry import enter
from kinprint.index.evidence import evidence_of
from kinprint.index.look_up import find_hits
from kinprint.index.probes import Probes
from kinprint.index.ranking import Candidate, rank
from kinprint.index.readings import Readings, ReadingState
from kinprint.index.repos import aliases_of, find_repo
from kinprint.index.revisions import StoredRevision
from kinprint.index.schema import fingerprint_file, instance
from kinprint.index.statistics import IndexSize, IndexStatistics, size_of, statistics_of
from kinprint.index.witnesses import (
    WeightInterval,
    Witness,
    interval_of,
    keep_timestamp,
    revision_digests,
    weight_sets,
    witnesses_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path
    from types import TracebackType

    from sqlalchemy import Engine

    from kinprint.fingerprint.probes import Probe
    from kinprint.fingerprint.record import Fingerprint
    from kinprint.index.signing import WitnessKey

__all__ = [
    "Candidate",
    "Index",
    "IndexSize",
    "IndexStatistics",
    "StoredRevision",
    "WeightInterval",
    "Witness",
]


class Index:
    """All revisions that were read, their families, and the book-keeping of the instance.

    One object may be used by many threads; several processes may open the same database.

    Attributes:
        readings: Repos that were asked for.
        budget: Bytes fetched by day.
        probes: Secret signs.
        documents: Configurations and cards of revisions that were compared.

    Example:
        >>> from kinprint import Index
        >>> with Index.open("sqlite:///kinprint.db") as index:
        ...     index.size().models
        0
    """

    def __init__(self, engine: Engine, witness_key_file: Path | None = None) -> None:
        self._engine = engine
        self._witness_key_file = witness_key_file
        self.readings = Readings(engine)
        self.budget = Budget(engine)
        self.probes = Probes(engine)
        self.documents = StoredDocuments(engine)

    @classmethod
    def open(cls, url: str, *, witness_key_file: Path | None = None) -> Self:
        """Open an index, make it if it is not there, and bring its tables up to date.

        Args:
            url: SQLAlchemy URL, ``sqlite:///path`` or ``postgresql+driver://…``.
            witness_key_file: Where the key lies with which first sightings are signed; made when
                the first is stored. None leaves them unsigned.

        Raises:
            UsageError: The URL is malformed, or a newer Kinprint wrote the database.
            MissingError: The URL's driver is not installed, or the file cannot be made.
            IndexBusyError: The database is locked.
            IndexUnreadableError: It is damaged, or no database.
        """
        return cls(open_engine(url), witness_key_file)

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        """Give the index to a ``with`` statement."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close it at the end."""
        self.close()

    def instance_id(self) -> str:
        """Return the random id that this instance was given when it was first asked."""
        chosen = select(instance.c.value).where(instance.c.name == "id")
        with reading(self._engine) as connection:
            found: str | None = connection.scalar(chosen)
        if found is not None:
            return found
        with writing(self._engine) as connection:
            made = insert_missing(instance, connection).values(name="id", value=uuid4().hex)
            connection.execute(made)
            return str(connection.execute(chosen).scalar_one())

    @cached_property
    def witness_key(self) -> WitnessKey | None:
        """The key that signs first sightings, made when it is first needed; None without a file."""
        if self._witness_key_file is None:
            return None
        # Slow to import, and most commands sign nothing.
        from kinprint.index.signing import WitnessKey

        return WitnessKey.load_or_create(self._witness_key_file, self.instance_id())

    def add(
        self,
        fingerprint: Fingerprint,
        *,
        seen_at: datetime,
        probes: Sequence[Probe] = (),
        is_newest: bool = True,
    ) -> int:
        """Store a revision; storing it again changes nothing of it.

        Args:
            fingerprint: Of a public or gated repo, or of a local checkpoint with a repo id.
            seen_at: When it was read (aware).
            probes: Its secret signs.
            is_newest: It supersedes the repo's others; False for an older commit, which only
                stands as the newest while it is the only one.

        Returns:
            The revision's number.

        Raises:
            UsageError: It is private, or belongs to no repo.
            FingerprintError: Its columns do not fit together.
            IndexBusyError: Another writer kept the lock too long; nothing was changed.
            MissingError: The witness key cannot be read or made.
        """
        return enter(
            self._engine,
            fingerprint,
            seen_at=seen_at,
            probes=probes,
            key=self.witness_key,
            is_newest=is_newest,
        )

    def withdraw(self, repo: str) -> int:
        """Mark a repo that is gone; its evidence stays. Returns how many revisions it had."""
        with writing(self._engine) as connection:
            number = find_repo(connection, repo)
            if number is None:
                return 0
            return revisions.set_visibility(connection, number, Visibility.WITHDRAWN)

    def find(self, repo: str, revision: str | None = None) -> StoredRevision | None:
        """Return a repo's newest revision, or the one of a commit.

        Args:
            repo: Its id, in any case; former ids lead to it as well.
            revision: Full commit sha.
        """
        with reading(self._engine) as connection:
            return revisions.find(connection, repo, revision)

    def revision(self, revision_id: int) -> StoredRevision:
        """Return a revision by its number.

        Raises:
            MissingError: There is none.
        """
        with reading(self._engine) as connection:
            found = revisions.by_id(connection, revision_id)
        if found is None:
            raise _missing(revision_id)
        return found

    def fingerprint(self, revision_id: int) -> Fingerprint:
        """Return a revision's fingerprint, with what is known of its repo by now.

        Raises:
            MissingError: There is none.
            FingerprintError: It is damaged, or of another version.
        """
        with reading(self._engine) as connection:
            content = connection.scalar(
                select(fingerprint_file.c.content).where(
                    fingerprint_file.c.revision_id == revision_id
                )
            )
            row = revisions.by_id(connection, revision_id)
            aliases = () if row is None else aliases_of(connection, row.repo)
        if content is None or row is None:
            raise _missing(revision_id)
        read = from_bytes(content)
        # The file keeps what was true when it was read; names and gates change afterwards.
        names = dict.fromkeys((*read.origin.aliases, *aliases))
        known = {"visibility": row.visibility, "repo": row.repo, "aliases": tuple(names)}
        return replace(read, origin=read.origin.model_copy(update=known))

    def candidates(
        self, fingerprint: Fingerprint, *, limit: int = 32, exclude_repo: str | None = None
    ) -> tuple[Candidate, ...]:
        """Return the revisions worth comparing with a fingerprint, the likeliest first.

        Each repo comes once, by its newest revision, or by an older one if the newest no longer
        shares what the older one does. Nothing is claimed by being listed here.

        Args:
            fingerprint: The query; it is not stored.
            limit: Most candidates returned.
            exclude_repo: Leave out this repo, which asks about itself.
        """
        evidence = evidence_of(fingerprint)
        digests = revision_digests(fingerprint, digest_of(fingerprint))
        with reading(self._engine) as connection:
            excluded = None if exclude_repo is None else find_repo(connection, exclude_repo)
            hits = find_hits(connection, evidence)
            return rank(connection, evidence, hits, digests, limit=limit, exclude_repo=excluded)

    def interval(self, of: Fingerprint | StoredRevision) -> WeightInterval:
        """Return when these weights were published, in whichever repo and in their own (UTC).

        Not before the createdAt of the oldest repo known to hold them; not after this instance,
        or a time-stamping authority, first had exactly them.
        """
        fingerprint = self.fingerprint(of.id) if isinstance(of, StoredRevision) else of
        with reading(self._engine) as connection:
            return interval_of(connection, fingerprint)

    def witnesses(self, fingerprint: Fingerprint) -> tuple[Witness, ...]:
        """Return all witnesses of exactly these weights, earliest first."""
        with reading(self._engine) as connection:
            return witnesses_of(connection, weight_sets(fingerprint))

    def add_timestamp(
        self, digests: Mapping[str, str], *, at: datetime, statement: bytes, token: bytes
    ) -> None:
        """Store an external timestamp that `timestamps.verified_time` has verified.

        Args:
            digests: Those that the statement lists, by kind.
            at: The latest moment at which it was made (UTC).
            statement: The bytes that were stamped.
            token: The authority's answer in DER.
        """
        with writing(self._engine) as connection:
            keep_timestamp(connection, digests, at, statement, token)

    def why_unread(self, repo: str) -> str:
        """Return in words why a repo is not in the index."""
        last = self.readings.latest_of_any_revision(repo)
        if last is None:
            return "it was never asked for"
        if last.code in (NotPublicError.code, RepoNotFoundError.code):
            # The operator's token may see what strangers must not tell apart.
            return "it is not public, or there is no such repo"
        if last.state is ReadingState.FAILED:
            return last.message or "it could not be read"
        if last.state is ReadingState.DONE:
            return "it was read, but could not be stored"
        return "it waits to be read"

    def public_revisions(self) -> tuple[int, ...]:
        """Return the numbers of the newest revisions of all public repos, oldest first."""
        with reading(self._engine) as connection:
            return revisions.newest_public(connection)

    def size(self) -> IndexSize:
        """Return what every answer says of the index it rests on."""
        with reading(self._engine) as connection:
            return size_of(connection)

    def statistics(self) -> IndexStatistics:
        """Return everything that `kinprint index stats` shows."""
        with reading(self._engine) as connection:
            return statistics_of(connection)

    def compact(self) -> int:
        """Fold new families into the big band table; may be stopped and run again at any time.

        Returns:
            How many rows were moved.
        """
        return bands.compact(self._engine)


def _missing(revision_id: int) -> MissingError:
    return MissingError(
        f"There is no revision {revision_id} in the index",
        hint="It may have been merged; ask anew.",
    )
