"""What goes over the wire: a request as it came in, and the answer to it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    from email.message import Message

    from hub_standin.request_log import Seen
    from hub_standin.stored import Stored


@dataclass(frozen=True, eq=False)
class Request:
    """One request, its path still percent-encoded (a revision may hold an encoded slash)."""

    method: str
    target: str
    headers: Message[str, str]
    connection: int
    body: bytes = b""

    @cached_property
    def path(self) -> str:
        """The path, decoded."""
        return unquote(urlsplit(self.target).path)

    @cached_property
    def segments(self) -> tuple[str, ...]:
        """The parts of the path, split first and decoded then."""
        return tuple(unquote(part) for part in urlsplit(self.target).path.split("/") if part)

    @cached_property
    def query(self) -> Mapping[str, list[str]]:
        """The query; ``expand[]=x`` counts as ``expand=x``."""
        merged: dict[str, list[str]] = {}
        for key, values in parse_qs(urlsplit(self.target).query, keep_blank_values=True).items():
            merged.setdefault(key.removesuffix("[]"), []).extend(values)
        return merged

    def flag(self, name: str) -> bool:
        """Say whether a query parameter is given and means yes."""
        return self.query.get(name, [""])[-1].lower() in {"true", "1"}

    @property
    def token(self) -> str | None:
        """The bearer token, if one was sent."""
        value = self.headers.get("Authorization")
        return value.removeprefix("Bearer ").strip() if value is not None else None


@dataclass(frozen=True, eq=False)
class Slice:
    """A body that is read from a stored file while it is sent."""

    stored: Stored
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes in pieces."""
        return self.stored.chunks(self.start, self.stop)


@dataclass(frozen=True, eq=False)
class Answer:
    """A response. ``cut_at`` and ``stalls`` are how a broken one ends.

    Attributes:
        status: HTTP status; 0: the connection is closed without an answer.
        cut_at: Number of body bytes after which the sending stops; ``None``: all are sent.
        stalls: Whether the connection then stays open and silent, instead of being closed.
        bytes_per_s: How fast the body trickles; ``None``: as fast as the line goes.
        seen: Where the bytes sent are counted.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Slice = b""
    cut_at: int | None = None
    stalls: bool = False
    bytes_per_s: float | None = None
    seen: Seen | None = None

    @classmethod
    def of_json(
        cls, value: Any, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Return an answer that carries ``value`` as JSON."""
        kind = {"Content-Type": "application/json; charset=utf-8"}
        return cls(status, kind | dict(headers or {}), json.dumps(value).encode())

    @classmethod
    def redirect(cls, status: int, to: str, headers: Mapping[str, str] | None = None) -> Answer:
        """Return a redirect."""
        words = "Found" if status == 302 else "Temporary Redirect"
        kind = {"Content-Type": "text/plain; charset=utf-8", "Location": to}
        return cls(status, kind | dict(headers or {}), f"{words}. Redirecting to {to}".encode())

    def with_headers(self, extra: Mapping[str, str]) -> Answer:
        """Return a copy with more headers."""
        return replace(self, headers={**self.headers, **extra})

    def chunks(self) -> Iterator[bytes]:
        """Yield the body in pieces, up to where it is cut."""
        pieces = self.body.chunks() if isinstance(self.body, Slice) else iter((self.body,))
        left = len(self.body) if self.cut_at is None else min(self.cut_at, len(self.body))
        while left > 0:
            piece = next(pieces)[:left]
            left -= len(piece)
            yield piece


Answering = Callable[[Request], Answer]
