"""Rate limits: fixed windows for each asker and kind of request, told in headers."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hub_standin.access import RefusedError, User

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub_standin.clock import Clock


@dataclass(frozen=True)
class Quota:
    """Requests that one asker may make in a window, by kind."""

    api: int
    resolvers: int


HUB_QUOTAS: Mapping[str, Quota] = {
    "anonymous": Quota(500, 3_000),
    "free": Quota(1_000, 5_000),
    "pro": Quota(2_500, 12_000),
    "team": Quota(3_000, 20_000),
    "enterprise": Quota(6_000, 50_000),
}


class RateLimits:
    """Counts requests; assign to ``quotas[kind]`` or ``window_s`` to make it tighter.

    Attributes:
        quotas: By kind of asker: ``anonymous`` or a user's kind. The Hub's own by default.
        window_s: Length of the fixed window.
    """

    def __init__(self, clock: Clock) -> None:
        self.quotas = dict(HUB_QUOTAS)
        self.window_s = 300
        self._clock = clock
        self._windows: dict[tuple[str, str], tuple[float, int]] = {}
        self._lock = threading.Lock()

    def spend(self, kind: str, user: User | None) -> dict[str, str]:
        """Count one request and return the headers that tell what is left.

        Args:
            kind: ``api`` or ``resolvers``.
            user: Who asks.

        Raises:
            RefusedError: Nothing is left in this window.
        """
        quota: int = getattr(self.quotas[user.kind if user else "anonymous"], kind)
        key, now_s = (user.name if user else "", kind), self._clock.now().timestamp()
        with self._lock:
            # A window opens with its first request: no case can fall across a border by chance.
            opened_s, used = self._windows.get(key, (now_s, 0))
            if now_s >= opened_s + self.window_s:
                opened_s, used = now_s, 0
            used += 1
            self._windows[key] = (opened_s, used)
        reset_in_s = math.ceil(opened_s + self.window_s - now_s)
        headers = {
            "RateLimit": f'"{kind}";r={max(0, quota - used)};t={reset_in_s}',
            "RateLimit-Policy": f'"fixed window";"{kind}";q={quota};w={self.window_s}',
        }
        if used > quota:
            raise RefusedError(429, "We had to rate limit you.", headers=headers)
        return headers
