"""Which repos were asked for, and how far their reading is; the state behind the queue."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, insert, or_, select, update

from kinprint.errors import BudgetError, MissingError
from kinprint.index import database
from kinprint.index.repos import fold
from kinprint.index.schema import ACTIVE, reading

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Engine, Row

MOST_ATTEMPTS = 3
"""A repo whose reading kills its worker this often is given up."""

FULL_QUEUE_RETRY_S = 600


class ReadingState(StrEnum):
    """Life of a reading; ``done`` and ``failed`` are final."""

    QUEUED = "queued"
    READING = "reading"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class Reading:
    """One request to read a repo.

    Attributes:
        id: Its number; lower numbers come first.
        repo: Repo id as asked for.
        revision: Commit, branch or tag; None for the main branch.
        state: How far it is.
        requested_at: When it was asked for.
        lease_until: When other workers may take it over, while it is being read.
        attempts: How often a worker took it.
        finished_at: When it ended.
        code: Stable code of the error that it failed with.
        message: What happened.
        hint: What to do about it.
    """

    id: int
    repo: str
    revision: str | None
    state: ReadingState
    requested_at: datetime
    lease_until: datetime | None
    attempts: int
    finished_at: datetime | None
    code: str | None
    message: str | None
    hint: str | None


class Readings:
    """The readings of one index. A repo is in the queue, or being read, at most once."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def request(
        self, repo: str, revision: str | None, *, at: datetime, queue_limit: int
    ) -> tuple[Reading, bool]:
        """Ask for a repo to be read.

        Args:
            repo: A validated repo id.
            revision: Commit, branch or tag; None for the main branch.
            at: Now.
            queue_limit: Most readings that may wait.

        Returns:
            The reading, and whether it is a new one; False where it was already on its way.

        Raises:
            BudgetError: The queue is full.
        """
        with database.writing(self._engine) as connection:
            same = _is(repo, revision)
            row = connection.execute(select(reading).where(same, ACTIVE)).one_or_none()
            if row is not None:
                return _reading(row), False
            if _queued(connection) >= queue_limit:
                raise BudgetError(
                    f"The queue is full ({queue_limit} repos wait)",
                    retry_after_s=FULL_QUEUE_RETRY_S,
                )
            row = connection.execute(
                insert(reading)
                .values(
                    repo=repo,
                    folded=fold(repo),
                    revision=revision or "",
                    state=ReadingState.QUEUED,
                    requested_at=at,
                    attempts=0,
                )
                .returning(reading)
            ).one()
            return _reading(row), True

    def take(
        self, *, at: datetime, lease_s: float, reading_id: int | None = None
    ) -> Reading | None:
        """Begin a reading: the given one, else the longest waiting.

        One whose worker died (its lease ran out) counts as waiting; after ``MOST_ATTEMPTS`` it is
        given up instead, with code ``reading_interrupted``.

        Args:
            at: Now.
            lease_s: Seconds after which other workers may take it over unless it is renewed.
            reading_id: Take this one or none.

        Returns:
            The reading, or None if none waits (or the given one is being read or has ended).
        """
        with database.writing(self._engine) as connection:
            connection.execute(
                update(reading)
                .where(_stale(at), reading.c.attempts >= MOST_ATTEMPTS)
                .values(
                    state=ReadingState.FAILED,
                    finished_at=at,
                    code="reading_interrupted",
                    message=f"Reading stopped without an answer {MOST_ATTEMPTS} times",
                    hint="Fingerprint it on your own machine: `kinprint fingerprint owner/name`.",
                )
            )
            free = select(reading.c.id).where(_waiting(at)).order_by(reading.c.id).limit(1)
            if reading_id is not None:
                free = free.where(reading.c.id == reading_id)
            number = connection.scalar(free)
            if number is None:
                return None
            row = connection.execute(
                update(reading)
                .where(reading.c.id == number)
                .values(
                    state=ReadingState.READING,
                    attempts=reading.c.attempts + 1,
                    lease_until=at + timedelta(seconds=lease_s),
                )
                .returning(reading)
            ).one()
            return _reading(row)

    def renew(self, taken: Reading, *, at: datetime, lease_s: float) -> bool:
        """Prolong the lease; False if another worker has taken the reading over."""
        return self._change(taken, lease_until=at + timedelta(seconds=lease_s))

    def finish(self, taken: Reading, *, at: datetime) -> bool:
        """End a reading well; False if another worker has taken it over."""
        return self._change(taken, state=ReadingState.DONE, finished_at=at)

    def fail(self, taken: Reading, *, at: datetime, code: str, message: str, hint: str) -> bool:
        """End a reading with an error's code, message and hint; False if it was taken over."""
        return self._change(
            taken,
            state=ReadingState.FAILED,
            finished_at=at,
            code=code,
            message=message,
            hint=hint,
        )

    def get(self, reading_id: int) -> Reading:
        """Return a reading by its number.

        Raises:
            MissingError: There is none.
        """
        with database.reading(self._engine) as connection:
            row = connection.execute(
                select(reading).where(reading.c.id == reading_id)
            ).one_or_none()
        if row is None:
            raise MissingError(f"There is no reading {reading_id}", hint="Ask for the repo again.")
        return _reading(row)

    def latest(self, repo: str, revision: str | None = None) -> Reading | None:
        """Return the last reading that was asked for with this repo and revision."""
        return self._last(_is(repo, revision))

    def latest_of_any_revision(self, repo: str) -> Reading | None:
        """Return the last reading that was asked for with this repo."""
        return self._last(reading.c.folded == fold(repo))

    def waiting(self, *, at: datetime) -> tuple[int, ...]:
        """Return the numbers of the readings that a worker may take, the first one first."""
        query = select(reading.c.id).where(_waiting(at)).order_by(reading.c.id)
        with database.reading(self._engine) as connection:
            return tuple(connection.scalars(query))

    def queue_length(self) -> int:
        """Return how many readings are queued; those being read are not counted."""
        with database.reading(self._engine) as connection:
            return _queued(connection)

    def position(self, reading_id: int) -> int:
        """Return a queued reading's place, 1 for the next one; 0 if it is no longer queued."""
        queued = reading.c.state == ReadingState.QUEUED
        before = select(func.count()).select_from(reading).where(queued, reading.c.id <= reading_id)
        itself = select(reading.c.id).where(queued, reading.c.id == reading_id)
        with database.reading(self._engine) as connection:
            if connection.scalar(itself) is None:
                return 0
            return connection.scalar(before) or 0

    def _last(self, condition: ColumnElement[bool]) -> Reading | None:
        query = select(reading).where(condition).order_by(reading.c.id.desc()).limit(1)
        with database.reading(self._engine) as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _reading(row)

    def _change(self, taken: Reading, **values: object) -> bool:
        with database.writing(self._engine) as connection:
            changed = connection.execute(
                update(reading)
                .where(
                    reading.c.id == taken.id,
                    reading.c.state == ReadingState.READING,
                    # Every take counts one up, so an older worker's number no longer fits.
                    reading.c.attempts == taken.attempts,
                )
                .values(**values)
            )
            return changed.rowcount == 1


def _is(repo: str, revision: str | None) -> ColumnElement[bool]:
    return and_(reading.c.folded == fold(repo), reading.c.revision == (revision or ""))


def _stale(at: datetime) -> ColumnElement[bool]:
    return and_(reading.c.state == ReadingState.READING, reading.c.lease_until <= at)


def _waiting(at: datetime) -> ColumnElement[bool]:
    return or_(reading.c.state == ReadingState.QUEUED, _stale(at))


def _queued(connection: Connection) -> int:
    query = select(func.count()).select_from(reading).where(reading.c.state == ReadingState.QUEUED)
    return connection.scalar(query) or 0


def _reading(row: Row[Any]) -> Reading:
    return Reading(
        id=row.id,
        repo=row.repo,
        revision=row.revision or None,
        state=ReadingState(row.state),
        requested_at=row.requested_at,
        lease_until=row.lease_until,
        attempts=row.attempts,
        finished_at=row.finished_at,
        code=row.code,
        message=row.message,
        hint=row.hint,
    )
