"""Exact byte ranges of a repo's files: resolved once a file, coalesced, many in flight."""

from __future__ import annotations

import threading
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from huggingface_hub import get_session
from huggingface_hub.utils import httpx

from kinprint.checkpoints.limits import READ_SPAN_BYTES
from kinprint.checkpoints.tensors import Span
from kinprint.errors import CheckpointError, HubError, LimitExceededError, RangeRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from kinprint.checkpoints.hub_client import HubClient, HubModel, Location

GAP_BYTES = 16_384
REQUEST_BYTES = 4_000_000
WINDOW_BYTES = 16_000_000
WINDOW_SPANS = 1_024
WINDOWS_AHEAD = 2


class _ExpiredAddressError(Exception):
    """A signed address is no longer accepted."""


@dataclass(frozen=True, slots=True)
class _Window:
    """Spans in the order asked, each with the request whose body holds it."""

    spans: tuple[Span, ...]
    request_of: tuple[int, ...]
    requests: tuple[Span, ...]
    bodies: tuple[Future[bytes], ...]


class RangeReader:
    """Reads ranges of the files of one repo at one commit.

    Holds at most ``WINDOWS_AHEAD`` windows of ``WINDOW_BYTES`` (and the gaps inside them).

    Args:
        client: Resolves files to addresses.
        model: Names the commit and the files that may be read, with their sizes.
        concurrency: Requests in flight.

    Attributes:
        bytes_read: Bytes of all bodies received, gaps and repeats included.
    """

    def __init__(self, client: HubClient, model: HubModel, concurrency: int) -> None:
        self.bytes_read = 0
        self._client = client
        self._model = model
        self._sizes = {file.path: file.size for file in model.files}
        self._pool = ThreadPoolExecutor(concurrency, thread_name_prefix="hub-range")
        self._lock = threading.Lock()
        self._locations: dict[str, Future[Location]] = {}

    def read(self, spans: Iterable[Span]) -> Iterator[bytes]:
        """Yield the exact bytes of each span, in the order given.

        Raises:
            CheckpointError: A span lies outside its file, or the file is not as long as listed.
            LimitExceededError: A span is longer than ``READ_SPAN_BYTES``.
            RangeRefusedError: The server sent the whole file, or other bytes.
            HubError: The Hub or its CDN failed for good.
        """
        ahead: deque[_Window] = deque()
        try:
            for group in _groups(self._checked(spans)):
                ahead.append(self._start(group))
                if len(ahead) == WINDOWS_AHEAD:
                    yield from _bytes_of(ahead[0])
                    ahead.popleft()
            while ahead:
                yield from _bytes_of(ahead[0])
                ahead.popleft()
        finally:
            for window in ahead:
                for body in window.bodies:
                    body.cancel()

    def read_range(self, file: str, start: int, stop: int) -> bytes:
        """Return bytes ``[start, stop)`` of one file, in the caller's thread.

        Raises:
            As ``read``.
        """
        (span,) = self._checked((Span(file, start, stop),))
        return self._fetch(span) if stop > start else b""

    def close(self) -> None:
        """Let go of the threads; requests in flight end at their time-out."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _checked(self, spans: Iterable[Span]) -> Iterator[Span]:
        for span in spans:
            size = self._sizes.get(span.file)
            if size is None:
                raise CheckpointError("no such file in this revision", file=span.file)
            if not 0 <= span.start <= span.stop <= size:
                raise CheckpointError(
                    f"bytes {span.start:,} to {span.stop:,} lie outside its {size:,} bytes",
                    file=span.file,
                )
            if span.stop - span.start > READ_SPAN_BYTES:
                raise LimitExceededError(
                    f"a read of {span.stop - span.start:,} bytes is over the limit of "
                    f"{READ_SPAN_BYTES:,}",
                    file=span.file,
                )
            yield span

    def _start(self, spans: Sequence[Span]) -> _Window:
        requests, request_of = coalesce(spans)
        bodies = tuple(self._pool.submit(self._fetch, request) for request in requests)
        return _Window(tuple(spans), request_of, requests, bodies)

    def _fetch(self, span: Span) -> bytes:
        location = self._location(span.file)
        try:
            return self._request(location, span)
        except _ExpiredAddressError:
            pass
        try:
            return self._request(self._location(span.file, expired=location), span)
        except _ExpiredAddressError:
            raise HubError(
                f"The address that the Hub gave for {span.file!r} of {self._model.repo} is refused."
            ) from None

    def _location(self, file: str, *, expired: Location | None = None) -> Location:
        """Resolve a file once, however many threads ask; once more when its address expired."""
        mine: Future[Location] | None = None
        with self._lock:
            known = self._locations.get(file)
            if known is None or (known.done() and known.result() is expired):
                known = mine = self._locations[file] = Future()
        if mine is not None:
            try:
                mine.set_result(self._resolved(file))
            except BaseException as error:
                mine.set_exception(error)
                raise
        return known.result()

    def _resolved(self, file: str) -> Location:
        location = self._client.locate(self._model, file)
        if location.size not in (None, self._sizes[file]):
            raise CheckpointError(
                f"the Hub lists {self._sizes[file]:,} bytes, its server has {location.size:,}",
                file=file,
            )
        return location

    def _request(self, location: Location, span: Span) -> bytes:
        deadline = time.monotonic() + self._client.session.retry_deadline_s

        def attempt() -> bytes:
            headers = {
                "range": f"bytes={span.start}-{span.stop - 1}",
                "accept-encoding": "identity",
                **self._client.authorization,
            }
            with get_session().stream("GET", location.url, headers=headers) as response:
                self._check(response, span)
                return self._body(response, span, deadline)

        return self._client.session.run(f"{span.file!r} of {self._model.repo}", attempt)

    def _check(self, response: httpx.Response, span: Span) -> None:
        """Refuse, by its headers alone, an answer that is not exactly the range asked for."""
        status = response.status_code
        host, port = response.url.raw_host.decode("ascii"), response.url.port
        if status in (401, 403) and not self._client.session.rules.is_endpoint(host, port):
            raise _ExpiredAddressError
        if status == 416:
            raise CheckpointError("the file is shorter than the Hub lists", file=span.file)
        if status == 200:
            raise RangeRefusedError(
                f"{host} sent all of {span.file!r} instead of {span.stop - span.start:,} bytes "
                f"of it; nothing was read."
            )
        if status != 206:
            raise httpx.HTTPStatusError(str(status), request=response.request, response=response)
        expected = f"bytes {span.start}-{span.stop - 1}/{self._sizes[span.file]}"
        found = response.headers.get("content-range", "")[:100]
        length = response.headers.get("content-length", str(span.stop - span.start))
        encoded = response.headers.get("content-encoding", "identity") != "identity"
        if found != expected or length != str(span.stop - span.start) or encoded:
            raise RangeRefusedError(
                f"{host} answered {found!r} for {span.file!r}, where {expected!r} was asked for."
            )

    def _body(self, response: httpx.Response, span: Span, deadline: float) -> bytes:
        body = bytearray()
        wanted = span.stop - span.start
        for piece in response.iter_raw():
            with self._lock:
                self.bytes_read += len(piece)
            body += piece
            if len(body) > wanted:
                raise RangeRefusedError(
                    f"{response.url.host} sent more than the {wanted:,} bytes asked for of "
                    f"{span.file!r}."
                )
            if time.monotonic() > deadline:
                raise httpx.ReadTimeout("too slow", request=response.request)
        if len(body) < wanted:
            raise RangeRefusedError(
                f"{response.url.host} sent {len(body):,} of the {wanted:,} bytes asked for of "
                f"{span.file!r}."
            )
        return bytes(body)


def coalesce(spans: Sequence[Span]) -> tuple[tuple[Span, ...], tuple[int, ...]]:
    """Join spans that lie close together in a file into few requests.

    A gap up to ``GAP_BYTES`` is read along, since it costs less than another request; a request
    grows to ``REQUEST_BYTES`` at most, unless one span alone is longer.

    Returns:
        The requests, and for each span the number of its request (−1 for an empty span).
    """
    requests: list[Span] = []
    request_of = [-1] * len(spans)
    for number in sorted(range(len(spans)), key=lambda n: (spans[n].file, spans[n].start)):
        span = spans[number]
        if span.start == span.stop:
            continue
        last = requests[-1] if requests else None
        if (
            last is not None
            and last.file == span.file
            and span.start <= last.stop + GAP_BYTES
            and max(last.stop, span.stop) - last.start <= max(REQUEST_BYTES, last.stop - last.start)
        ):
            requests[-1] = Span(last.file, last.start, max(last.stop, span.stop))
        else:
            requests.append(span)
        request_of[number] = len(requests) - 1
    return tuple(requests), tuple(request_of)


def _groups(spans: Iterable[Span]) -> Iterator[list[Span]]:
    group: list[Span] = []
    size = 0
    for span in spans:
        length = span.stop - span.start
        if group and (size + length > WINDOW_BYTES or len(group) == WINDOW_SPANS):
            yield group
            group, size = [], 0
        group.append(span)
        size += length
    if group:
        yield group


def _bytes_of(window: _Window) -> Iterator[bytes]:
    for span, number in zip(window.spans, window.request_of, strict=True):
        if number < 0:
            yield b""
            continue
        request, body = window.requests[number], window.bodies[number].result()
        yield body[span.start - request.start : span.stop - request.start]
