"""The stand-in's clock, which a case can put forward."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class Clock:
    """Real time plus an offset: signed addresses and rate-limit windows age by it."""

    def __init__(self) -> None:
        self._offset = timedelta(0)

    def now(self) -> datetime:
        """Return the stand-in's time, aware and in UTC."""
        return datetime.now(UTC) + self._offset

    def advance(self, seconds: float) -> None:
        """Put the clock forward."""
        self._offset += timedelta(seconds=seconds)


def wire_time(moment: datetime) -> str:
    """Return a moment as the Hub writes it: ISO 8601 with milliseconds and Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
