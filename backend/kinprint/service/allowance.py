"""What this instance grants strangers a day, on the real clock.

Bytes, leases and queues are kept on the real clock: a demo that lives on another day still pays
today's traffic, and a worker that died stays dead for real seconds.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from kinprint.errors import BudgetError

if TYPE_CHECKING:
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
    now = real_now()
    limit = instance.settings.bytes_per_day
    if instance.index.budget.remaining(now.date(), limit) > 0:
        return
    seconds_gone = now.hour * 3_600 + now.minute * 60 + now.second
    raise BudgetError(
        "This instance has read all the bytes that it may read today",
        retry_after_s=DAY_S - seconds_gone,
    )
