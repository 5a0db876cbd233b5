"""The worker: takes readings from the queue until it is told to stop."""

from __future__ import annotations

import itertools
import logging
import os
import signal
import sqlite3
import sys
import threading
from typing import TYPE_CHECKING

from huey.consumer import Consumer

from kinprint.errors import KinprintError
from kinprint.service.queue import HEARTBEAT_EVERY_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from kinprint.service.queue import ReadingQueue

log = logging.getLogger(__name__)

READING_THREADS = 2
"""Two, so that one stalled server does not hold up everybody; reading is network-bound."""

POLL_S = 0.1
LONGEST_POLL_S = 0.5

BEATS_PER_ROUND = 10
"""Heartbeats between two looks at what fell out of the queue (20 s)."""


def run_worker(
    queue: ReadingQueue, *, on_idle: Callable[[], None], until_stdin_closes: bool = False
) -> None:
    """Read what the queue brings until SIGTERM (at once) or SIGINT (after the current reading).

    A reading cut off by SIGTERM is put back by the next worker that starts.

    Args:
        queue: Where readings come from, built with the function that reads them.
        on_idle: Called at the start and now and then, to put back what fell out of the queue.
        until_stdin_closes: End as well when standard input does; ``serve`` holds the other end,
            so that no worker outlives it.
    """
    stopped = threading.Event()
    heart = threading.Thread(
        target=_beat, args=(queue, on_idle, stopped), name="heartbeat", daemon=True
    )
    heart.start()
    if until_stdin_closes:
        threading.Thread(target=_watch_stdin, name="stdin-watch", daemon=True).start()
    consumer = Consumer(
        queue.huey,
        workers=READING_THREADS,
        periodic=False,
        initial_delay=POLL_S,
        max_delay=LONGEST_POLL_S,
    )
    try:
        consumer.run()
    finally:
        stopped.set()
        heart.join()


def _beat(queue: ReadingQueue, on_idle: Callable[[], None], stopped: threading.Event) -> None:
    for beats in itertools.count():
        try:
            queue.beat()
            if beats % BEATS_PER_ROUND == 0:
                on_idle()
        except (KinprintError, sqlite3.OperationalError) as error:
            # A busy database must not end the heartbeat; the next beat comes soon.
            log.warning("Heartbeat skipped: %s", error)
        if stopped.wait(HEARTBEAT_EVERY_S):
            break
    queue.close()


def _watch_stdin() -> None:
    # The bare descriptor: a buffered read would hold a lock that the interpreter's end needs.
    while os.read(sys.stdin.fileno(), 1):
        pass
    log.info("The server is gone; stopping")
    os.kill(os.getpid(), signal.SIGTERM)
