"""The stand-in as a case sees it: starts two origins, holds the scene, records what happens."""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self, Unpack
from urllib.parse import urlsplit

from hub_standin.access import User
from hub_standin.api import Api
from hub_standin.cdn import Cdn
from hub_standin.certificates import authority, server_context
from hub_standin.clock import Clock
from hub_standin.faults import Faults
from hub_standin.pace import Pace
from hub_standin.rate_limits import RateLimits
from hub_standin.registry import Registry
from hub_standin.repo import Repo, State
from hub_standin.request_log import RequestLog, Seen
from hub_standin.wire import Origin

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from types import TracebackType

    from hub_standin.exchange import Answer, Answering, Request

PERSONAL_VARIABLES = frozenset(
    {
        *("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH", "KINPRINT_HUB_TOKEN"),
        *("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_ASSETS_CACHE", "SSL_CERT_DIR"),
        *("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"),
        *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
    }
)


class HubStandIn:
    """A Hub on 127.0.0.1, over TLS, with its CDN on another origin.

    The API answers at ``https://localhost:…`` and the CDN at ``https://127.0.0.1:…``: two host
    names, since the Hub's client tells origins apart by name.

    Attributes:
        endpoint: Base address of the API.
        cdn_host: ``host:port`` of the CDN.
        ca_file: The authority to trust.
        clock: Put it forward, and signed addresses expire and rate-limit windows pass.
        faults: Slow and broken answers on demand.
        limits: Rate limits; the Hub's own until a case tightens them.
        log: Every request seen.
        pace: Latency and bandwidth of the line.
        api: Behaviour of the API (page size, small files by redirect).
        cdn: Signs addresses (``signed_for_s``, ``expire_addresses()``).
    """

    def __init__(self) -> None:
        self.clock = Clock()
        self.faults = Faults()
        self.log = RequestLog()
        self.limits = RateLimits(self.clock)
        self.pace = Pace()
        self.cdn = Cdn(self.clock)
        self._registry = Registry()
        self._users: dict[str, User] = {}
        self.api = Api(self._registry, self._users, self.cdn, self.limits)
        self._folder = tempfile.TemporaryDirectory(prefix="hub-standin-")
        self.ca_file = Path(self._folder.name) / "ca.pem"

    def __enter__(self) -> Self:
        authority().cert_pem.write_to_path(self.ca_file)
        tls = server_context()
        watched_api = self._watched("api", self.api.answer, self.api.file_of)
        watched_cdn = self._watched("cdn", self.cdn.answer, self.cdn.file_of)
        self._origins = (
            Origin("localhost", tls, self.pace, watched_api),
            Origin("127.0.0.1", tls, self.pace, watched_cdn),
        )
        for origin in self._origins:
            origin.start()
        self.endpoint = f"https://{self._origins[0].authority}"
        self.cdn_host = self.cdn.authority = self._origins[1].authority
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for origin in self._origins:
            origin.stop()
        self._folder.cleanup()
        failures = [text for origin in self._origins for text in origin.failures]
        if failures and error is None:
            raise AssertionError("the stand-in itself failed:\n" + "\n".join(failures))

    def repo(
        self, repo_id: str, *, created_at: datetime | None = None, **state: Unpack[State]
    ) -> Repo:
        """Make a repo with an initial commit.

        Args:
            repo_id: ``owner/name``, or an old id without owner.
            created_at: Now by default.
            **state: ``private``, ``gated``, ``card``, ``config`` and so on, as in `Repo`.
        """
        repo = Repo(repo_id, self.clock.now, created_at or self.clock.now(), **state)
        self._registry.add(repo)
        return repo

    def rename(self, repo: Repo, new_id: str) -> None:
        """Rename a repo or move it to another owner; the old id redirects."""
        self._registry.rename(repo, new_id)

    def delete(self, repo: Repo) -> None:
        """Delete a repo."""
        self._registry.delete(repo)

    def user(self, name: str, *, kind: str = "free", orgs: tuple[str, ...] = ()) -> User:
        """Register somebody, whose token is ``user.token``."""
        user = User(name, f"hf_token_of_{name}", kind, orgs)
        self._users[user.token] = user
        return user

    def withdraw_token(self, user: User) -> None:
        """Make a token invalid."""
        del self._users[user.token]

    @property
    def latency_s(self) -> float:
        """Seconds added to each request and each new connection."""
        return self.pace.latency_s

    @latency_s.setter
    def latency_s(self, seconds: float) -> None:
        self.pace.latency_s = seconds

    @property
    def bandwidth(self) -> float | None:
        """Body bytes a second over all connections together; ``None``: no limit."""
        return self.pace.bandwidth

    @bandwidth.setter
    def bandwidth(self, bytes_per_s: float | None) -> None:
        self.pace.bandwidth = bytes_per_s

    @property
    def variables(self) -> Mapping[str, str]:
        """The variables that point Kinprint and the Hub's client at this stand-in."""
        return {
            "KINPRINT_HUB_ENDPOINT": self.endpoint,
            "KINPRINT_CDN_HOSTS": self.cdn_host,
            "SSL_CERT_FILE": str(self.ca_file),
            "HF_ENDPOINT": self.endpoint,
            "HF_HOME": str(Path(self._folder.name) / "hf-home"),
            # Else the client asks the Hub for a list of coding agents, once a process.
            "HF_HUB_DISABLE_TELEMETRY": "1",
        }

    @staticmethod
    def personal_variables() -> list[str]:
        """Return the names of the variables set here that would let the user's own set-up in."""
        return [name for name in os.environ if name.upper() in PERSONAL_VARIABLES]

    def environ(self) -> dict[str, str]:
        """Return an environment for a subprocess: this one's, without tokens and proxies."""
        kept = {name: os.environ[name] for name in os.environ.keys() - self.personal_variables()}
        return {**kept, **self.variables}

    def _watched(
        self, origin: str, answering: Answering, file_of: Callable[[Request], str]
    ) -> Answering:
        """Return ``answering`` with the log before it and the faults around it."""

        def answer(request: Request) -> Answer:
            seen = Seen(
                origin=origin,
                method=request.method,
                host=request.headers.get("Host", ""),
                path=request.path,
                query=urlsplit(request.target).query,
                range=request.headers.get("Range"),
                authorized="Authorization" in request.headers,
                user_agent=request.headers.get("User-Agent", ""),
                connection=request.connection,
                file=file_of(request),
            )
            self.log.append(seen)
            answer = self.faults.apply(seen, request, answering)
            seen.status = answer.status
            return replace(answer, seen=seen)

        return answer
