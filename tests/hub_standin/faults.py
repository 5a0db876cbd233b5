"""Slow and broken answers on demand: each rule says what it hits, and how often."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, TypedDict, Unpack

from hub_standin.exchange import Answer, Answering, Request, Slice
from hub_standin.stored import Stored

if TYPE_CHECKING:
    from hub_standin.request_log import Seen

Act = Callable[[Request, Answering], Answer]


class Where(TypedDict, total=False):
    """What a rule hits besides its pattern, and how often (``times``; always by default)."""

    origin: str
    method: str
    times: int


@dataclass(eq=False)
class Fault:
    """One rule; ``hits`` counts how often it struck."""

    act: Act
    pattern: str
    where: Where
    hits: int = 0

    def hits_on(self, seen: Seen) -> bool:
        """Say whether the rule is for this request."""
        return (
            self.hits < self.where.get("times", self.hits + 1)
            and self.where.get("origin", seen.origin) == seen.origin
            and self.where.get("method", seen.method) == seen.method
            and (fnmatchcase(seen.path, self.pattern) or fnmatchcase(seen.file, self.pattern))
        )


class Faults:
    """The rules in force; the newest one that hits a request decides.

    ``pattern`` is a glob over the path of the address, or over ``owner/name/path/in/repo`` of
    the file asked for, which is known on the CDN as well. ``origin`` is "api" or "cdn".
    """

    def __init__(self) -> None:
        self._rules: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, act: Act, pattern: str = "*", **where: Unpack[Where]) -> Fault:
        """Let ``act(request, answering)`` answer; ``answering`` is who would have."""
        fault = Fault(act, pattern, where)
        with self._lock:
            self._rules.append(fault)
        return fault

    def remove(self, fault: Fault) -> None:
        """Take one rule away."""
        with self._lock:
            self._rules.remove(fault)

    def clear(self) -> None:
        """Take all rules away."""
        with self._lock:
            self._rules.clear()

    def apply(self, seen: Seen, request: Request, answering: Answering) -> Answer:
        """Answer a request under the rules (the servers do)."""
        with self._lock:
            fault = next((rule for rule in reversed(self._rules) if rule.hits_on(seen)), None)
            if fault is None:
                act: Act = _as_usual
            else:
                fault.hits += 1
                act = fault.act
        return act(request, answering)

    def status(
        self,
        status: int,
        pattern: str = "*",
        *,
        headers: Mapping[str, str] | None = None,
        **where: Unpack[Where],
    ) -> Fault:
        """Answer with a bare status."""
        answer = Answer(status, dict(headers or {}))
        return self.add(lambda *_: answer, pattern, **where)

    def delay(self, seconds: float, pattern: str = "*", **where: Unpack[Where]) -> Fault:
        """Answer late."""

        def act(request: Request, answering: Answering) -> Answer:
            time.sleep(seconds)
            return answering(request)

        return self.add(act, pattern, **where)

    def stall(self, pattern: str = "*", *, after: int = 0, **where: Unpack[Where]) -> Fault:
        """Send the headers and ``after`` bytes, then nothing more, and keep the line open."""
        return self._change(
            lambda answer: replace(answer, cut_at=after, stalls=True), pattern, where
        )

    def trickle(self, bytes_per_s: float, pattern: str = "*", **where: Unpack[Where]) -> Fault:
        """Send the body so slowly that each read returns something, and the whole never comes."""
        return self._change(lambda answer: replace(answer, bytes_per_s=bytes_per_s), pattern, where)

    def drop(self, pattern: str = "*", **where: Unpack[Where]) -> Fault:
        """Close the connection without an answer."""
        return self.add(lambda *_: Answer(0), pattern, **where)

    def short_body(self, pattern: str = "*", *, keep: float = 0.5, **where: Unpack[Where]) -> Fault:
        """Announce the whole length, send a share of it, close the connection."""
        return self._change(
            lambda answer: replace(answer, cut_at=int(len(answer.body) * keep)), pattern, where
        )

    def truncate(self, pattern: str = "*", *, keep: float = 0.5, **where: Unpack[Where]) -> Fault:
        """Send a share of the body under its true (shorter) length and the same headers."""

        def shorter(answer: Answer) -> Answer:
            kept = b"".join(answer.chunks())[: int(len(answer.body) * keep)]
            return replace(answer, body=kept)

        return self._change(shorter, pattern, where)

    def ignore_range(self, pattern: str = "*", **where: Unpack[Where]) -> Fault:
        """Answer a range request with 200 and the whole file."""

        def act(request: Request, answering: Answering) -> Answer:
            del request.headers["Range"]
            return answering(request)

        return self.add(act, pattern, **where)

    def other_range(self, pattern: str = "*", *, by: int = 1, **where: Unpack[Where]) -> Fault:
        """Answer 206 with a range of the same length that starts ``by`` bytes too late or early."""

        def shifted(answer: Answer) -> Answer:
            if not isinstance(answer.body, Slice) or answer.status != 206:
                return answer
            stored, start, stop = answer.body.stored, answer.body.start + by, answer.body.stop + by
            told = {"Content-Range": f"bytes {start}-{stop - 1}/{stored.size}"}
            return replace(answer.with_headers(told), body=Slice(stored, start, stop))

        return self._change(shifted, pattern, where)

    def other_bytes(self, content: bytes, pattern: str = "*", **where: Unpack[Where]) -> Fault:
        """Serve another file of the same length: the body is not what was asked for."""

        def swapped(answer: Answer) -> Answer:
            if not isinstance(answer.body, Slice):
                return answer
            return replace(answer, body=Slice(Stored(content), answer.body.start, answer.body.stop))

        return self._change(swapped, pattern, where)

    def headers(
        self, headers: Mapping[str, str], pattern: str = "*", **where: Unpack[Where]
    ) -> Fault:
        """Answer as usual, but with these headers added or replaced."""
        return self._change(lambda answer: answer.with_headers(headers), pattern, where)

    def redirect(
        self, to: str, pattern: str = "*", *, status: int = 302, **where: Unpack[Where]
    ) -> Fault:
        """Redirect to ``to``, with the usual X- headers (so that a resolve looks genuine)."""

        def act(request: Request, answering: Answering) -> Answer:
            usual = answering(request).headers
            told = {name: value for name, value in usual.items() if name.startswith("X-")}
            return Answer.redirect(status, to, told)

        return self.add(act, pattern, **where)

    def _change(self, change: Callable[[Answer], Answer], pattern: str, where: Where) -> Fault:
        return self.add(lambda request, answering: change(answering(request)), pattern, **where)


def _as_usual(request: Request, answering: Answering) -> Answer:
    return answering(request)
