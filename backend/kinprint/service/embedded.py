"""The worker that `serve` starts beside itself: a child process, restarted if it dies."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading

log = logging.getLogger(__name__)

RESTART_DELAYS_S = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
STOP_TIMEOUT_S = 10.0


class EmbeddedWorker:
    """One child process that runs ``kinprint worker``, ended with this object.

    The child watches a pipe from here, so it ends even when this process is killed.
    """

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._child: subprocess.Popen[bytes] | None = None
        self._starting = threading.Lock()
        self._supervisor = threading.Thread(target=self._supervise, name="worker-supervisor")

    @property
    def pid(self) -> int | None:
        """Process id of the running child."""
        return self._child.pid if self._child else None

    def start(self) -> None:
        """Start the child and watch over it."""
        self._start_child()
        self._supervisor.start()

    def stop(self) -> None:
        """End the child; returns when it is gone."""
        with self._starting:
            self._stopping.set()
            child = self._child
        if child is not None:
            child.terminate()
            try:
                child.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                child.kill()
        if self._supervisor.ident is not None:
            self._supervisor.join()

    def _start_child(self) -> subprocess.Popen[bytes] | None:
        with self._starting:
            if self._stopping.is_set():
                return None
            self._child = subprocess.Popen(
                [sys.executable, "-m", "kinprint.cli", "worker", "--until-stdin-closes"],
                stdin=subprocess.PIPE,
                # Ctrl-C in a terminal reaches the whole group; the child is ended from here.
                start_new_session=True,
            )
            return self._child

    def _supervise(self) -> None:
        failures = 0
        child = self._child
        while child is not None:
            code = child.wait()
            if child.stdin is not None:
                child.stdin.close()
            if self._stopping.is_set():
                return
            delay_s = RESTART_DELAYS_S[min(failures, len(RESTART_DELAYS_S) - 1)]
            log.warning("The worker ended with code %d; starting another in %s s", code, delay_s)
            failures += 1
            if self._stopping.wait(delay_s):
                return
            child = self._start_child()
