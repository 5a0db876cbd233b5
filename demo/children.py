"""The real command line and service, run as child processes in a clean environment."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, build_opener

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

KINPRINT = Path(sys.executable).with_name("kinprint")
PORT = 8765
START_S = 60
STOP_S = 15
WAIT_S = 60
_KEPT = ("PATH", "LANG", "LC_ALL", "TERM", "TMPDIR")
_local = build_opener(ProxyHandler({}))


class FailedError(Exception):
    """A child process did not do its part; the message says which, and what it wrote."""


@dataclass(frozen=True)
class Instance:
    """One Kinprint instance: its folder, and the Hub that it talks to.

    Attributes:
        folder: Its data directory, where the service's log is written too.
        hub: Variables that point it at the stand-in.
    """

    folder: Path
    hub: Mapping[str, str]

    def environment(self, now: datetime) -> dict[str, str]:
        """Return the variables of a child on one day: none of the user's tokens or settings."""
        return {
            **{name: os.environ[name] for name in _KEPT if name in os.environ},
            **self.hub,
            "HOME": str(self.folder),
            "KINPRINT_DATA_DIR": str(self.folder),
            "KINPRINT_NOW": now.isoformat(),
        }

    def run(self, *arguments: str, now: datetime) -> str:
        """Run one command to its end and return what it printed.

        Raises:
            FailedError: It ended with another code than 0.
        """
        done = subprocess.run(
            [KINPRINT, *arguments],
            env=self.environment(now),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            command = " ".join(["kinprint", *arguments])
            raise FailedError(f"`{command}` ended with {done.returncode}:\n{done.stderr}")
        return done.stdout

    @contextmanager
    def service(self, now: datetime) -> Iterator[Service]:
        """Run ``kinprint serve`` with its worker; it is stopped at the end, whatever happens.

        Raises:
            FailedError: It is not ready within ``START_S`` seconds.
        """
        log = self.folder / "serve.log"
        port = _free_port()
        with log.open("wb") as output:
            child = subprocess.Popen(
                [KINPRINT, "serve", "--port", str(port)],
                env=self.environment(now),
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            try:
                service = Service(f"http://127.0.0.1:{port}", child, log)
                service.await_ready()
                yield service
            finally:
                child.terminate()
                try:
                    child.wait(STOP_S)
                except subprocess.TimeoutExpired:
                    child.kill()
                    child.wait()


@dataclass(frozen=True)
class Service:
    """A running service."""

    address: str
    child: subprocess.Popen[bytes]
    log: Path

    def curl_line(self, repo: str) -> str:
        """Return what a person would type to ask the same."""
        return f"curl '{self.address}/similar?repo={repo}&wait={WAIT_S}'"

    def similar(self, repo: str) -> dict[str, Any]:
        """Ask whose weights a repo holds, as `curl_line` does.

        Raises:
            FailedError: The answer is not a 200.
        """
        query = urlencode({"repo": repo, "wait": WAIT_S})
        try:
            with _local.open(f"{self.address}/similar?{query}", timeout=2 * WAIT_S) as reply:
                status, body = reply.status, json.load(reply)
        except HTTPError as error:
            raise FailedError(f"{repo}: {error.code} {error.read().decode()}") from error
        if status != 200:
            raise FailedError(f"{repo}: {status} {body}\n{self.log.read_text()}")
        answer: dict[str, Any] = body
        return answer

    def await_ready(self) -> None:
        """Return once the service says that it can do its work.

        Raises:
            FailedError: It ended, or does not say so in time.
        """
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self.child.poll() is None:
            try:
                with _local.open(f"{self.address}/health/ready", timeout=5):
                    return
            except (URLError, ConnectionError, TimeoutError):
                time.sleep(0.2)
        raise FailedError(f"`kinprint serve` does not get ready:\n{self.log.read_text()}")


def _free_port() -> int:
    """Return the usual port, or any free one where that is taken."""
    for port in (PORT, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise FailedError("no free port on 127.0.0.1")
