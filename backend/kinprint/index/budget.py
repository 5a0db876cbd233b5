"""Bytes that were fetched on each day (UTC), so that the instance can keep within its budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select, update

from kinprint.index.database import insert_missing, reading, writing
from kinprint.index.schema import budget

if TYPE_CHECKING:
    from datetime import date

    from sqlalchemy import Engine


class Budget:
    """The book of bytes of one index, shared by all its workers."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def spend(self, n_bytes: int, day: date, *, limit_bytes: int | None = None) -> bool:
        """Book bytes on a day, all or none.

        Args:
            n_bytes: Bytes that will be, or were, fetched.
            day: The day in UTC.
            limit_bytes: Most that may be spent on the day; None for bytes already fetched.

        Returns:
            False if they do not fit; nothing is booked then.
        """
        with writing(self._engine) as connection:
            connection.execute(insert_missing(budget, connection).values(day=day, bytes=0))
            booking = update(budget).where(budget.c.day == day)
            if limit_bytes is not None:
                booking = booking.where(budget.c.bytes + n_bytes <= limit_bytes)
            return connection.execute(booking.values(bytes=budget.c.bytes + n_bytes)).rowcount == 1

    def remaining(self, day: date, limit_bytes: int) -> int:
        """Return the bytes that may still be spent on a day, never below 0."""
        with reading(self._engine) as connection:
            spent = connection.scalar(select(budget.c.bytes).where(budget.c.day == day))
        return max(0, limit_bytes - (spent or 0))
