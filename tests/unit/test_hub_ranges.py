"""Ranges of a Hub file: exact bytes, few requests, and nothing a server says is believed."""

from __future__ import annotations

import re
import socket
import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
import tenacity.nap
from huggingface_hub import close_session, get_session
from huggingface_hub.utils import httpx
from hypothesis import given
from hypothesis import strategies as st

from kinprint.checkpoints.hub_client import HubClient, HubModel
from kinprint.checkpoints.hub_ranges import (
    GAP_BYTES,
    REQUEST_BYTES,
    WINDOW_BYTES,
    WINDOWS_AHEAD,
    RangeReader,
    coalesce,
)
from kinprint.checkpoints.hub_session import HubSession
from kinprint.checkpoints.limits import READ_SPAN_BYTES
from kinprint.checkpoints.tensors import CheckpointFile, Origin, Span
from kinprint.errors import (
    CheckpointError,
    HostRefusedError,
    HubError,
    HubTimeoutError,
    LimitExceededError,
    NotPublicError,
    RangeRefusedError,
)
from kinprint.settings import Settings

COMMIT = "c" * 40
TOKEN = "hf_secret"
CDN = "cdn-lfs.hf.co"


@dataclass
class FakeHub:
    """Answers as the Hub and its CDN do; a test replaces what should go wrong."""

    files: dict[str, bytes]
    seen: list[httpx.Request] = field(default_factory=list)
    address: str = f"https://{CDN}/blob/{{file}}?sig={{turn}}"
    resolved: Counter = field(default_factory=Counter)
    expired: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        with self.lock:
            self.seen.append(request)
            file = request.url.path.rpartition("/")[2]
            if request.method == "HEAD":
                return self.resolve(file)
            if request.url.params.get("sig") in self.expired:
                return httpx.Response(403)
            return self.range(request, self.files[file])

    def resolve(self, file: str) -> httpx.Response:
        self.resolved[file] += 1
        headers = {
            "x-repo-commit": COMMIT,
            "x-linked-size": str(len(self.files[file])),
            "location": self.address.format(file=file, turn=self.resolved[file]),
        }
        return httpx.Response(302, headers=headers)

    def range(self, request: httpx.Request, blob: bytes) -> httpx.Response:
        first, last = map(int, re.findall(r"\d+", request.headers["range"]))
        headers = {"content-range": f"bytes {first}-{last}/{len(blob)}"}
        return httpx.Response(206, headers=headers, content=iter([blob[first : last + 1]]))

    def ranges(self) -> list[str]:
        return [request.headers["range"] for request in self.seen if request.method == "GET"]


@pytest.fixture
def waits(monkeypatch) -> list[float]:
    slept: list[float] = []
    monkeypatch.setattr(tenacity.nap.time, "sleep", slept.append)
    return slept


@contextmanager
def reading(hub, files=None, **fields):
    chosen = Settings(hub_token=TOKEN, **fields)
    session = HubSession(chosen, transport=httpx.MockTransport(hub))
    listed = files or {name: len(blob) for name, blob in hub.files.items()}
    model = HubModel(
        "acme/model",
        COMMIT,
        Origin("acme/model"),
        tuple(CheckpointFile(name, size) for name, size in listed.items()),
        config=None,
    )
    reader = RangeReader(HubClient(chosen, session), model, chosen.range_concurrency)
    try:
        yield reader
    finally:
        reader.close()
        close_session()


BLOB = bytes(range(256)) * 400


def test_spans_come_back_exactly_and_in_the_order_asked() -> None:
    hub = FakeHub({"a": BLOB, "b": BLOB[::-1]})
    spans = [Span("b", 90_000, 90_010), Span("a", 5, 9), Span("a", 0, 0), Span("b", 3, 70_000)]
    with reading(hub) as reader:
        assert list(reader.read(spans)) == [
            hub.files[span.file][span.start : span.stop] for span in spans
        ]
        assert hub.resolved == {"a": 1, "b": 1}


def test_neighbours_are_fetched_together_and_all_bytes_are_counted() -> None:
    hub = FakeHub({"a": BLOB})
    spans = [Span("a", 0, 10), Span("a", 20, 30), Span("a", 60_000, 60_010)]
    with reading(hub) as reader:
        list(reader.read(spans))
        assert sorted(hub.ranges()) == ["bytes=0-29", "bytes=60000-60009"]
        assert reader.bytes_read == 40


spans_of_files = st.lists(
    st.builds(
        lambda file, start, length: Span(file, start, start + length),
        st.sampled_from("ab"),
        st.integers(0, 200_000),
        st.integers(0, 2 * GAP_BYTES),
    ),
    max_size=30,
)


@given(spans_of_files)
def test_joined_requests_cover_every_span_and_read_little_more(spans: list[Span]) -> None:
    requests, request_of = coalesce(spans)
    for span, number in zip(spans, request_of, strict=True):
        if span.start == span.stop:
            assert number == -1
            continue
        request = requests[number]
        assert request.file == span.file
        assert request.start <= span.start <= span.stop <= request.stop
    wanted = sum(span.stop - span.start for span in spans)
    assert sum(r.stop - r.start for r in requests) <= wanted + GAP_BYTES * len(spans)


def test_a_joined_request_stays_small_enough_to_run_beside_others() -> None:
    step = 100_000
    spans = [Span("a", at, at + step) for at in range(0, 3 * REQUEST_BYTES, step)]
    requests, _ = coalesce(spans)
    assert len(requests) == 3
    assert all(request.stop - request.start <= REQUEST_BYTES for request in requests)


def test_only_a_bounded_part_is_read_ahead_of_the_consumer() -> None:
    step = 1_000_000
    hub = FakeHub({"a": bytes(80 * step)})
    with reading(hub) as reader:
        bytes_of = reader.read([Span("a", at, at + step) for at in range(0, 80 * step, step)])
        for _ in range(3):
            next(bytes_of)
        bytes_of.close()
    assert reader.bytes_read <= WINDOWS_AHEAD * WINDOW_BYTES


def test_the_token_goes_to_the_hub_and_to_no_cdn() -> None:
    hub = FakeHub({"a": BLOB})
    with reading(hub) as reader:
        list(reader.read([Span("a", 0, 10)]))
    head, get = hub.seen
    assert head.headers["authorization"] == f"Bearer {TOKEN}"
    assert get.url.host == CDN
    assert "authorization" not in get.headers


def test_a_redirect_of_the_hub_itself_carries_no_token_away() -> None:
    hub = FakeHub({"a": BLOB}, address="https://huggingface.co/moved/{file}?sig={turn}")

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/moved/a" and request.method == "GET":
            return httpx.Response(302, headers={"location": f"https://{CDN}/blob/a"})
        if request.url.path == "/moved/a":
            return httpx.Response(200, headers={"content-length": str(len(BLOB))})
        return hub(request)

    hub.files["a"] = BLOB
    with reading(hub) as reader:
        reader._client.session._transport = httpx.MockTransport(answer)
        close_session()
        assert list(reader.read([Span("a", 1, 3)])) == [BLOB[1:3]]
    assert "authorization" not in hub.seen[-1].headers


def test_a_small_file_that_is_kept_in_git_is_read_from_the_hub_itself() -> None:
    hub = FakeHub({"a": BLOB})
    hub.resolve = lambda file: httpx.Response(
        200, headers={"x-repo-commit": COMMIT, "content-length": str(len(BLOB))}
    )
    with reading(hub) as reader:
        assert reader.read_range("a", 2, 5) == BLOB[2:5]
    assert {request.url.host for request in hub.seen} == {"huggingface.co"}


def test_who_reads_is_said_in_every_request() -> None:
    hub = FakeHub({"a": BLOB})
    with reading(hub, contact="ops@acme.example") as reader:
        reader.read_range("a", 0, 5)
    agents = {request.headers["user-agent"] for request in hub.seen}
    assert len(agents) == 1
    assert re.fullmatch(r"kinprint/[\w.]+; ops@acme\.example", agents.pop())


def test_an_expired_address_is_resolved_once_more_for_all_threads() -> None:
    hub = FakeHub({"a": BLOB}, expired={"1"})
    spans = [Span("a", at, at + 10) for at in range(0, 100_000, 20_000)]
    with reading(hub) as reader:
        assert list(reader.read(spans)) == [BLOB[s.start : s.stop] for s in spans]
    assert hub.resolved["a"] == 2


def test_an_address_that_is_refused_twice_ends_the_reading() -> None:
    hub = FakeHub({"a": BLOB}, expired={"1", "2"})
    with reading(hub) as reader, pytest.raises(HubError, match="is refused") as caught:
        reader.read_range("a", 0, 10)
    assert "sig" not in str(caught.value)


def test_a_gated_repo_is_not_public() -> None:
    hub = FakeHub({"a": BLOB})
    hub.resolve = lambda file: httpx.Response(
        403, headers={"x-error-code": "GatedRepo", "x-error-message": "ask for access"}
    )
    with reading(hub) as reader, pytest.raises(NotPublicError) as caught:
        reader.read_range("a", 0, 10)
    assert "gated" not in str(caught.value).lower()


def body_that_must_not_be_read():
    raise AssertionError("the body was read")
    yield b""


def test_a_server_that_ignores_range_is_not_read() -> None:
    hub = FakeHub({"a": BLOB})
    hub.range = lambda request, blob: httpx.Response(200, content=body_that_must_not_be_read())
    with reading(hub) as reader, pytest.raises(RangeRefusedError, match="sent all of 'a'"):
        reader.read_range("a", 0, 10)


@pytest.mark.parametrize(
    "headers",
    [
        {"content-range": f"bytes 1-10/{len(BLOB)}"},
        {"content-range": f"bytes 0-10/{len(BLOB)}"},
        {"content-range": "bytes 0-9/99"},
        {"content-range": "bytes 0-9/*"},
        {},
        {"content-range": f"bytes 0-9/{len(BLOB)}", "content-length": "4"},
        {"content-range": f"bytes 0-9/{len(BLOB)}", "content-encoding": "gzip"},
    ],
)
def test_other_bytes_than_asked_for_are_refused_by_their_headers(headers) -> None:
    hub = FakeHub({"a": BLOB})
    hub.range = lambda request, blob: httpx.Response(
        206, headers=headers, content=body_that_must_not_be_read()
    )
    with reading(hub) as reader, pytest.raises(RangeRefusedError):
        reader.read_range("a", 0, 10)


def endless():
    for _ in range(1_000):
        yield b"x" * 10
    raise AssertionError("an endless body was read on")


@pytest.mark.parametrize(("body", "said"), [(endless, "more than"), (lambda: [b"xy"], "sent 2 of")])
def test_a_body_of_another_length_is_refused(body, said: str) -> None:
    hub = FakeHub({"a": BLOB})
    headers = {"content-range": f"bytes 0-9/{len(BLOB)}", "transfer-encoding": "chunked"}
    hub.range = lambda request, blob: httpx.Response(206, headers=headers, content=iter(body()))
    with reading(hub) as reader, pytest.raises(RangeRefusedError, match=said):
        reader.read_range("a", 0, 10)


def test_a_file_that_the_server_has_in_another_size_is_refused() -> None:
    hub = FakeHub({"a": BLOB})
    with reading(hub, files={"a": 10**9}) as reader, pytest.raises(CheckpointError, match="lists"):
        reader.read_range("a", 0, 10)


@pytest.mark.parametrize(
    ("span", "error"),
    [
        (Span("a", 0, len(BLOB) + 1), CheckpointError),
        (Span("a", -1, 3), CheckpointError),
        (Span("a", 9, 3), CheckpointError),
        (Span("../a", 0, 1), CheckpointError),
    ],
)
def test_a_span_outside_its_file_is_never_asked_for(span, error) -> None:
    hub = FakeHub({"a": BLOB})
    with reading(hub) as reader, pytest.raises(error):
        list(reader.read([span]))
    assert not hub.seen


def test_a_span_is_bounded() -> None:
    hub = FakeHub({"a": BLOB})
    with reading(hub, files={"a": 10**12}) as reader, pytest.raises(LimitExceededError):
        list(reader.read([Span("a", 0, READ_SPAN_BYTES + 1)]))


@pytest.mark.parametrize(
    "headers",
    [{"ratelimit": '"resolvers";r=0;t=55'}, {"retry-after": "55"}],
)
def test_the_server_says_how_long_to_wait(headers, waits) -> None:
    hub = FakeHub({"a": BLOB})
    answers = iter([httpx.Response(429, headers=headers)])
    ordinary = hub.range
    hub.range = lambda request, blob: next(answers, None) or ordinary(request, blob)
    with reading(hub) as reader:
        assert reader.read_range("a", 0, 10) == BLOB[:10]
    assert len(waits) == 1
    assert 55 <= waits[0] <= 56


def test_a_wait_beyond_the_deadline_is_not_begun(waits) -> None:
    hub = FakeHub({"a": BLOB})
    hub.range = lambda request, blob: httpx.Response(429, headers={"retry-after": "86400"})
    with reading(hub) as reader, pytest.raises(HubTimeoutError, match="answered 429"):
        reader.read_range("a", 0, 10)
    assert not waits


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408])
def test_a_passing_failure_is_tried_again(status: int, waits) -> None:
    hub = FakeHub({"a": BLOB})
    failures = iter([status, status])
    ordinary = hub.range
    hub.range = lambda request, blob: (
        httpx.Response(code) if (code := next(failures, 0)) else ordinary(request, blob)
    )
    with reading(hub) as reader:
        assert reader.read_range("a", 0, 10) == BLOB[:10]
    assert len(waits) == 2


def test_a_stalling_server_times_out(waits) -> None:
    hub = FakeHub({"a": BLOB})

    def stall(request, blob):
        raise httpx.ReadTimeout("stalled", request=request)

    hub.range = stall
    with reading(hub) as reader, pytest.raises(HubTimeoutError, match="No answer in time"):
        reader.read_range("a", 0, 10)


def test_a_redirect_to_another_host_is_refused_before_it_is_followed() -> None:
    hub = FakeHub({"a": BLOB}, address="https://evil.example/{file}?sig={turn}")
    with reading(hub) as reader, pytest.raises(HostRefusedError, match=r"evil\.example"):
        reader.read_range("a", 0, 10)
    assert {request.url.host for request in hub.seen} == {"huggingface.co"}


@pytest.mark.parametrize(
    "where", ["http://cdn-lfs.hf.co/x", "https://127.0.0.1/x", "https://[::1]/"]
)
def test_a_cdn_cannot_redirect_to_plain_http_or_a_private_address(where: str) -> None:
    hub = FakeHub({"a": BLOB})
    hub.range = lambda request, blob: httpx.Response(302, headers={"location": where})
    with reading(hub) as reader, pytest.raises(HostRefusedError):
        reader.read_range("a", 0, 10)


def test_hops_are_few() -> None:
    hub = FakeHub({"a": BLOB})
    hub.range = lambda request, blob: httpx.Response(302, headers={"location": str(request.url)})
    with reading(hub) as reader, pytest.raises(HostRefusedError, match="3 redirects"):
        reader.read_range("a", 0, 10)
    assert len(hub.ranges()) == 4


def test_a_name_that_resolves_anew_to_a_private_address_gets_no_byte() -> None:
    """DNS rebinding: the check saw a public address, the connection went to loopback."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        received: list[bytes] = []

        def accept() -> None:
            connection, _ = server.accept()
            with connection:
                received.append(connection.recv(1))

        thread = threading.Thread(target=accept)
        thread.start()
        chosen = Settings(hub_endpoint="https://localhost:1")
        session = HubSession(chosen, addresses_of=lambda host, port: ("93.184.216.34",))
        try:
            with pytest.raises(HostRefusedError, match="no public address"):
                session.run("it", lambda: get_session().get(f"https://localhost:{port}/"))
        finally:
            thread.join()
            close_session()
        assert received == [b""]


def test_a_name_that_resolves_to_a_private_address_is_not_connected_to() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        port = server.getsockname()[1]
        session = HubSession(Settings(hub_endpoint="https://localhost:1"))
        try:
            with pytest.raises(HostRefusedError, match="no public address"):
                session.run("it", lambda: get_session().get(f"https://localhost:{port}/"))
        finally:
            close_session()
        with pytest.raises(TimeoutError):
            server.accept()
