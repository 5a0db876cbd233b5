"""What a reading came to, and for how long a failure is believed."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from kinprint.errors import BudgetError, CheckpointError, KinprintError
from kinprint.index.readings import ReadingState
from kinprint.service.allowance import real_now

if TYPE_CHECKING:
    from kinprint.index.readings import Reading

UNREADABLE_FOR = timedelta(days=1)
"""The weights at a commit never change, but this program may learn to read them."""

FAILED_FOR = timedelta(minutes=5)
"""A Hub in trouble is left alone for a while, however many ask."""


def failure_of(reading: Reading) -> KinprintError | None:
    """Return the error that a reading ended with, None if it may be tried (again)."""
    if reading.state is not ReadingState.FAILED or reading.finished_at is None:
        return None
    kind = _kinds(KinprintError).get(reading.code or "", KinprintError)
    if issubclass(kind, BudgetError):
        return None
    believed_for = UNREADABLE_FOR if issubclass(kind, CheckpointError) else FAILED_FOR
    if real_now() - reading.finished_at > believed_for:
        return None
    return kind(reading.message or "Reading failed", hint=reading.hint)


def _kinds(base: type[KinprintError]) -> dict[str, type[KinprintError]]:
    kinds = {base.code: base}
    for child in base.__subclasses__():
        kinds |= _kinds(child)
    return kinds
