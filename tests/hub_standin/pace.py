"""How slow the line is: latency for each request, and a bandwidth that connections share."""

from __future__ import annotations

import threading
import time

BURST_S = 0.005


class Pace:
    """The line to one origin, as fast as it goes unless told otherwise.

    Attributes:
        latency_s: Seconds waited before each answer, and before each new connection is served.
        bandwidth: Body bytes a second over all connections; ``None``: no limit.
    """

    def __init__(self) -> None:
        self.latency_s = 0.0
        self.bandwidth: float | None = None
        self._free_at_s = 0.0
        self._lock = threading.Lock()

    def spend(self, n_bytes: int) -> None:
        """Wait until ``n_bytes`` have gone through the line."""
        if self.bandwidth is None:
            return
        with self._lock:
            # A little unused time is kept, or each late wake-up would cost bandwidth.
            earliest_s = max(self._free_at_s, time.monotonic() - BURST_S)
            self._free_at_s = earliest_s + n_bytes / self.bandwidth
            wait_s = self._free_at_s - time.monotonic()
        if wait_s > 0:
            time.sleep(wait_s)
