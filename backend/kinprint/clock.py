"""The one clock. ``KINPRINT_NOW`` sets it, so that a demo or a test can live on another day."""

from __future__ import annotations

from datetime import UTC, datetime

from kinprint.settings import settings


def now() -> datetime:
    """Return the instance's current time, aware and in UTC."""
    fixed = settings().now
    return fixed if fixed is not None else datetime.now(UTC)
