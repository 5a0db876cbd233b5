"""What this instance grants strangers a day, on the real clock.

Bytes, leases and queues are kept on the real clock: a demo that lives on another day still pays
today's traffic, and a worker that died stays dead for real seconds.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from kinprint.errors import BudgetError, LimitExceededError

if TYPE_CHECKING:
    from kinprint.checkpoints.tensors import Progress
    from kinprint.service.instance import Instance

DAY_S = 86_400


def real_now() -> datetime:
    """Return the real time, aware and in UTC."""
    return datetime.now(UTC)


def check_budget(instance: Instance) -> None:
    """Refuse to read for strangers once the day's bytes are used up.

    Raises:
        BudgetError: Nothing is left for today.
    """
    if _remaining(instance) <= 0:
        raise _spent("This instance has read all the bytes that it may read today")


def within_budget(instance: Instance) -> Progress:
    """Return a listener to a reading that stops it at its start if it costs more than is left.

    The listener raises:
        LimitExceededError: It costs more than this instance may ever read in a day.
        BudgetError: It costs more than is left of today.
    """
    granted = _remaining(instance)

    def check(bytes_read: int, bytes_expected: int) -> None:  # noqa: ARG001 - Progress's signature
        if bytes_expected > instance.settings.bytes_per_day:
            raise LimitExceededError(
                f"reading it takes {bytes_expected:,} bytes, more than this instance reads a day"
            )
        if bytes_expected > granted:
            raise _spent(f"Reading it takes {bytes_expected:,} bytes, more than is left for today")

    return check


def _remaining(instance: Instance) -> int:
    return instance.index.budget.remaining(real_now().date(), instance.settings.bytes_per_day)


def _spent(message: str) -> BudgetError:
    now = real_now()
    seconds_gone = now.hour * 3_600 + now.minute * 60 + now.second
    return BudgetError(message, retry_after_s=DAY_S - seconds_gone)
