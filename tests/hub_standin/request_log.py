"""The log of every request seen: to count bytes, and to prove what was not sent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import overload


@dataclass
class Seen:
    """One request and what was answered. ``bytes_sent`` grows while the body goes out.

    Attributes:
        origin: ``api`` or ``cdn``.
        host: The Host header.
        path: The path, decoded, without the query.
        file: ``owner/name/path/in/repo``, where the request was for a file; else "".
        range: The Range header.
        authorized: Whether an Authorization header came along.
        connection: Which connection it came by: the client's port.
        status: 0 while no answer was given, and when the connection was dropped instead.
    """

    origin: str
    method: str
    host: str
    path: str
    query: str
    range: str | None
    authorized: bool
    user_agent: str
    connection: int
    file: str = ""
    status: int = 0
    bytes_sent: int = 0


class RequestLog(Sequence[Seen]):
    """All requests in the order in which they came in."""

    def __init__(self) -> None:
        self._seen: list[Seen] = []

    @overload
    def __getitem__(self, index: int) -> Seen: ...
    @overload
    def __getitem__(self, index: slice) -> list[Seen]: ...
    def __getitem__(self, index: int | slice) -> Seen | list[Seen]:
        return self._seen[index]

    def __len__(self) -> int:
        return len(self._seen)

    def __iter__(self) -> Iterator[Seen]:
        return iter(tuple(self._seen))

    def append(self, seen: Seen) -> None:
        """Add a request (the servers do)."""
        self._seen.append(seen)

    def clear(self) -> None:
        """Forget everything seen so far."""
        self._seen.clear()

    def of(
        self, pattern: str = "*", *, origin: str | None = None, method: str | None = None
    ) -> list[Seen]:
        """Return the requests whose path or file matches a glob, in order."""
        return [
            seen
            for seen in self
            if origin in (None, seen.origin)
            and method in (None, seen.method)
            and (fnmatchcase(seen.path, pattern) or fnmatchcase(seen.file, pattern))
        ]

    def bytes_sent(self, pattern: str = "*", *, origin: str | None = None) -> int:
        """Return the number of body bytes sent in answer to these requests."""
        return sum(seen.bytes_sent for seen in self.of(pattern, origin=origin))
