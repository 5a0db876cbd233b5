"""Who may ask how often: limits per address, crawlers, and how many may wait at once."""

from __future__ import annotations

import ipaddress
import re
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from flask import request
from flask_limiter import Limiter
from limits import RateLimitItemPerHour

from kinprint.errors import TooManyRequestsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kinprint.settings import Settings

MAX_WAIT_S = 120.0
WAITING_REQUESTS = 8
"""Requests that may hold a thread while a repo is read; the server has twice as many threads."""

REQUEST_BYTES = 4_096
"""Two repo ids and revisions fit four times; larger bodies are answered 413."""

BODY_BYTES = 1_048_576
"""Up to here a body is read only to be answered in JSON; the server itself refuses larger ones."""

_IPV6_PREFIX = 64
_CRAWLER = re.compile(
    r"bot\b|crawl|spider|slurp|preview|facebookexternalhit|embedly|archiver|scan|monitor", re.I
)


def address() -> str:
    """Return what limits are counted by: the IPv4 address, or the /64 of an IPv6 address."""
    remote = request.remote_addr or "unknown"
    try:
        ip = ipaddress.ip_address(remote)
    except ValueError:
        return remote
    if isinstance(ip, ipaddress.IPv4Address):
        return remote
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    # One household owns a whole /64, so a single address of it would limit nobody.
    return str(ipaddress.ip_network((ip, _IPV6_PREFIX), strict=False))


def may_enqueue() -> bool:
    """Tell whether this request may start a reading: not HEAD, no prefetch, no crawler."""
    headers = request.headers
    prefetch = f"{headers.get('Purpose', '')} {headers.get('Sec-Purpose', '')}".lower()
    return (
        request.method != "HEAD"
        and "prefetch" not in prefetch
        and not _CRAWLER.search(headers.get("User-Agent", ""))
    )


class Limits:
    """The limits of one app.

    Args:
        settings: Look-ups a minute and new reads an hour.
    """

    def __init__(self, settings: Settings) -> None:
        self.limiter = Limiter(address, storage_uri="memory://")
        self.look_ups = f"{settings.look_ups_per_minute}/minute"
        self._new_reads = RateLimitItemPerHour(settings.new_reads_per_hour)
        self._waiting = threading.BoundedSemaphore(WAITING_REQUESTS)

    def look_ups_retry_after_s(self) -> int:
        """Return in how many seconds the address that asks may look up again."""
        limit = self.limiter.current_limit
        return 60 if limit is None else _seconds_until(limit.reset_at)

    def spend_new_read(self) -> None:
        """Count one unknown repo against the address that asked.

        Raises:
            TooManyRequestsError: The address has used its hour up.
        """
        strategy = self.limiter.limiter
        if not strategy.hit(self._new_reads, "new_reads", address()):
            window = strategy.get_window_stats(self._new_reads, "new_reads", address())
            raise TooManyRequestsError(
                f"{self._new_reads.amount} unknown repos an hour are read for one address",
                retry_after_s=_seconds_until(window.reset_time),
            )

    @contextmanager
    def waiting(self) -> Iterator[bool]:
        """Yield whether this request may keep its thread waiting; never blocks."""
        free = self._waiting.acquire(blocking=False)
        try:
            yield free
        finally:
            if free:
                self._waiting.release()


def _seconds_until(reset_at: float) -> int:
    return max(1, round(reset_at - time.time()))
