"""How the Hub is spoken to: one client, checked hops, time-outs, back-off, one gate for errors."""

from __future__ import annotations

import importlib.metadata
import logging
import time
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import tenacity
from huggingface_hub import set_client_factory
from huggingface_hub.errors import (
    DisabledRepoError,
    GatedRepoError,
    HfHubHTTPError,
    RepositoryNotFoundError,
)
from huggingface_hub.errors import RevisionNotFoundError as NoSuchRevision
from huggingface_hub.utils import httpx, parse_ratelimit_headers

from kinprint.checkpoints.hosts import HTTPS_PORT, HostRules, system_addresses
from kinprint.checkpoints.limits import API_BYTES, API_TOKENS
from kinprint.errors import (
    HostRefusedError,
    HubError,
    HubTimeoutError,
    LimitExceededError,
    NotPublicError,
    RepoNotFoundError,
    RevisionNotFoundError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from kinprint.settings import Settings

T = TypeVar("T")

log = logging.getLogger(__name__)

REDIRECTS = 3
ATTEMPTS = 6
PARTIAL_CONTENT = 206
BUSY_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
CONNECTIONS = 128
IDLE_CONNECTIONS = 64
IDLE_S = 30.0
LONG_WAIT_S = 10.0
BODY_DEADLINE_S = 120.0

_redirects_in_a_row: ContextVar[int] = ContextVar("_redirects_in_a_row", default=0)


class HubSession:
    """The rules under which this process talks to the Hub and to the hosts it redirects to.

    Takes over the client that huggingface_hub shares between all its calls, so that the same
    rules hold for the API, for ``/resolve/`` and for ranges. One per process at a time.

    Args:
        settings: Endpoint, token, extra hosts, contact, time-outs.
        transport: Stands in for the network in tests.
        addresses_of: Stands in for the system's resolver in tests.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        transport: httpx.BaseTransport | None = None,
        addresses_of: Callable[[str, int], Sequence[str]] = system_addresses,
    ) -> None:
        self.rules = HostRules.of(settings, addresses_of)
        self.retry_deadline_s = settings.retry_deadline_s
        self._timeout = httpx.Timeout(settings.request_timeout_s)
        self._transport = transport
        version = importlib.metadata.version("kinprint")
        self._user_agent = f"kinprint/{version}" + (settings.contact and f"; {settings.contact}")
        set_client_factory(self._client)

    def run(self, subject: str, attempt: Callable[[], T]) -> T:
        """Make requests through the one gate: back-off first, then the error tree.

        Waits as long as ``RateLimit`` or ``Retry-After`` ask, else exponentially, and gives up
        where the next attempt would fall after ``retry_deadline_s``.

        Args:
            subject: What is asked for, in words, for the message of an error.
            attempt: Makes the requests; called again after 408, 429, 5xx, a time-out or a
                broken connection.

        Raises:
            HubError: Its child says what happened; never shows headers or signed addresses.
        """

        def fresh() -> T:
            _redirects_in_a_row.set(0)
            return attempt()

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_is_passing),
            wait=_wait_s,
            stop=tenacity.stop_after_attempt(ATTEMPTS)
            | tenacity.stop_before_delay(self.retry_deadline_s),
            before_sleep=partial(_tell_of_long_waits, subject),
            reraise=True,
        )
        try:
            return retrying(fresh)
        except httpx.HTTPError as error:
            # The cause would carry the request, and with it the token and signed addresses.
            raise _translated(error, subject) from None
        except httpx.InvalidURL:
            raise HubError(f"The Hub gave an address for {subject} that is none.") from None

    def _client(self) -> httpx.Client:
        return httpx.Client(
            transport=self._transport,
            timeout=self._timeout,
            follow_redirects=True,
            limits=httpx.Limits(
                max_connections=CONNECTIONS,
                max_keepalive_connections=IDLE_CONNECTIONS,
                keepalive_expiry=IDLE_S,
            ),
            event_hooks={"request": [self._before], "response": [self._after]},
        )

    def _before(self, request: httpx.Request) -> None:
        """Check a hop before it is made; httpx calls this for each redirect as well."""
        host, port = request.url.raw_host.decode("ascii"), request.url.port
        self.rules.check_url(request.url.scheme, host, port)
        if not self.rules.is_endpoint(host, port):
            request.headers.pop("authorization", None)
        request.headers["user-agent"] = self._user_agent
        # A compressed body could be a thousand times its length.
        request.headers["accept-encoding"] = "identity"
        # huggingface_hub passes timeout=None in places, which would wait for ever.
        request.extensions["timeout"] = self._timeout.as_dict()
        request.extensions["trace"] = _ConnectionCheck(self.rules, host, port or HTTPS_PORT)

    def _after(self, response: httpx.Response) -> None:
        stream = response.stream
        if response.status_code != PARTIAL_CONTENT and isinstance(stream, httpx.SyncByteStream):
            response.stream = _BoundedBody(response, stream)
        if not response.has_redirect_location:
            _redirects_in_a_row.set(0)
            return
        seen = _redirects_in_a_row.get() + 1
        _redirects_in_a_row.set(seen)
        if seen > REDIRECTS:
            raise HostRefusedError(f"Gave up after {REDIRECTS} redirects.")


class _BoundedBody(httpx.SyncByteStream):
    """The body of an answer of the API: neither long, nor compressed, nor without end.

    Args:
        response: Whose body; of a range it has an exact length, which `RangeReader` checks.
        stream: The body as it comes; it may take `BODY_DEADLINE_S`.
    """

    def __init__(self, response: httpx.Response, stream: httpx.SyncByteStream) -> None:
        self._response = response
        self._stream = stream
        self._deadline_s = time.monotonic() + BODY_DEADLINE_S

    def __iter__(self) -> Iterator[bytes]:
        host = self._response.url.host
        if self._response.headers.get("content-encoding", "identity") != "identity":
            raise HubError(f"{host} sent a compressed answer, which nobody asked for.")
        n_bytes = n_tokens = 0
        for piece in self._stream:
            n_bytes += len(piece)
            # Each opens or separates JSON values; Python objects are far larger than their text.
            n_tokens += sum(piece.count(mark) for mark in (b",", b"[", b"{"))
            if n_bytes > API_BYTES or n_tokens > API_TOKENS:
                raise LimitExceededError(
                    f"an answer of {host} is over {API_BYTES:,} bytes or {API_TOKENS:,} values"
                )
            if time.monotonic() > self._deadline_s:
                raise httpx.ReadTimeout("too slow", request=self._response.request)
            yield piece

    def close(self) -> None:
        self._stream.close()


class _ConnectionCheck:
    """Checks a new connection's name before it is opened, and its peer before a byte is sent.

    Both, because a name can resolve to another address a moment later.
    """

    def __init__(self, rules: HostRules, host: str, port: int) -> None:
        self._rules = rules
        self._host = host
        self._port = port
        self._direct = False

    def __call__(self, event: str, info: Mapping[str, Any]) -> None:
        if event == "connection.connect_tcp.started":
            # Another host here is the operator's proxy, which does the resolving.
            self._direct = info["host"] == self._host
            if self._direct:
                self._rules.check_name(self._host, self._port)
        elif event == "connection.connect_tcp.complete" and self._direct:
            stream = info["return_value"]
            try:
                self._rules.check_peer(
                    self._host, self._port, stream.get_extra_info("server_addr")[0]
                )
            except HostRefusedError:
                stream.close()
                raise


def _is_passing(error: BaseException) -> bool:
    """Tell whether an error may be gone at the next attempt."""
    if isinstance(error, httpx.HTTPStatusError | HfHubHTTPError):
        return error.response.status_code in BUSY_STATUSES
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return False
    return isinstance(
        error, httpx.TimeoutException | httpx.NetworkError | httpx.RemoteProtocolError
    )


_spread_s = tenacity.wait_random(0.0, 0.5)
_backoff_s = tenacity.wait_exponential(multiplier=0.5, max=8.0) + _spread_s


def _tell_of_long_waits(subject: str, state: tenacity.RetryCallState) -> None:
    wait_s = state.next_action.sleep if state.next_action else 0.0
    if wait_s >= LONG_WAIT_S:
        log.warning("Waiting %.0f s for %s, as the Hub asks", wait_s, subject)


def _wait_s(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, httpx.HTTPStatusError | HfHubHTTPError):
        asked_s = _asked_wait_s(error.response.headers)
        if asked_s is not None:
            return asked_s + _spread_s(state)
    return _backoff_s(state)


def _asked_wait_s(headers: Mapping[str, str]) -> int | None:
    """Return the seconds to wait that a response asks for, None where it asks for nothing."""
    limit = parse_ratelimit_headers(headers)
    if limit is not None and limit.remaining == 0:
        return limit.reset_in_seconds
    retry_after = headers.get("retry-after", "").strip()
    return int(retry_after) if retry_after.isascii() and retry_after.isdigit() else None


def _translated(error: httpx.HTTPError, subject: str) -> HubError:
    """Map an error of the client, once retries are used up, to the error tree."""
    match error:
        # GatedRepoError is a RepositoryNotFoundError, so it comes first.
        case GatedRepoError() | DisabledRepoError():
            return NotPublicError(f"{subject} is not public.")
        case NoSuchRevision():
            return RevisionNotFoundError(f"No such revision: {subject}.")
        case RepositoryNotFoundError():
            return RepoNotFoundError(f"No such public repo: {subject}.")
        case httpx.HTTPStatusError() | HfHubHTTPError():
            return _refused(error.response, subject)
        case httpx.TimeoutException():
            return HubTimeoutError(f"No answer in time for {subject}.")
        case httpx.NetworkError():
            return HubError(f"The connection failed for {subject}: {error}.")
        case _:
            return HubError(f"Reading {subject} failed: {error}.")


def _refused(response: httpx.Response, subject: str) -> HubError:
    status = response.status_code
    request_id = response.headers.get("x-request-id", "")[:64]
    answer = f"{response.url.host} answered {status} for {subject}" + (
        f" (request {request_id!r})." if request_id else "."
    )
    if status in BUSY_STATUSES:
        return HubTimeoutError(answer)
    if status == 403:
        return NotPublicError(f"{subject} is not public.")
    if status == 401:
        return HubError(answer, hint="Check KINPRINT_HUB_TOKEN.")
    return HubError(answer)
