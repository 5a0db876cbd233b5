"""How the stand-in's wire behaves: ranges, signed addresses, keep-alive, and what can go wrong."""

from __future__ import annotations

import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from huggingface_hub import get_hf_file_metadata, get_session, hf_hub_url
from huggingface_hub.utils import http_backoff, httpx

from hub_standin import HubStandIn, Stored

if TYPE_CHECKING:
    from pathlib import Path

CONTENT = bytes(range(256)) * 1_000
FILE = "acme/original/model.safetensors"


@pytest.fixture
def url(hub: HubStandIn) -> str:
    """Address of a large file on the API."""
    hub.repo("acme/original").commit({"model.safetensors": CONTENT})
    return hf_hub_url("acme/original", "model.safetensors")


@pytest.fixture
def signed(url: str) -> str:
    """Signed address of the same file on the CDN."""
    return get_hf_file_metadata(url, token=False).location


def read(address: str, wanted: str | None = None, patience_s: float = 10.0) -> httpx.Response:
    headers = {} if wanted is None else {"Range": wanted}
    timeout = httpx.Timeout(10.0, read=patience_s)
    return get_session().get(address, headers=headers, timeout=timeout)


@pytest.mark.parametrize(
    ("wanted", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=100-199", 100, 200),
        ("bytes=255990-", 255_990, 256_000),
        ("bytes=-10", 255_990, 256_000),
        ("bytes=255990-999999", 255_990, 256_000),
    ],
)
def test_one_range_is_served_exactly(signed: str, wanted: str, start: int, stop: int) -> None:
    answer = read(signed, wanted)
    assert answer.status_code == 206
    assert answer.content == CONTENT[start:stop]
    assert answer.headers["Content-Range"] == f"bytes {start}-{stop - 1}/256000"


@pytest.mark.parametrize("wanted", ["bytes=256000-", "bytes=5-4", "bytes=-0", "bytes=0-1,5-6", "x"])
def test_other_ranges_are_refused(signed: str, wanted: str) -> None:
    answer = read(signed, wanted)
    assert (answer.status_code, answer.headers["Content-Range"]) == (416, "bytes */256000")


def test_small_files_are_served_by_range_too(hub: HubStandIn) -> None:
    hub.repo("acme/small").commit({"config.json": "0123456789"})
    answer = read(hf_hub_url("acme/small", "config.json"), "bytes=2-4")
    assert (answer.status_code, answer.content) == (206, b"234")


def test_signed_addresses_expire_and_bear_no_token(hub: HubStandIn, url: str, signed: str) -> None:
    hub.clock.advance(hub.cdn.signed_for_s)
    assert read(signed, "bytes=0-9").status_code == 403
    fresh = get_hf_file_metadata(url, token=False).location
    assert read(fresh, "bytes=0-9").status_code == 206
    assert read(fresh + "0", "bytes=0-9").status_code == 403
    leaky = get_session().get(fresh, headers={"Authorization": "Bearer hf_secret"})
    assert leaky.status_code == 400
    hub.cdn.expire_addresses()
    assert read(fresh, "bytes=0-9").status_code == 403


def test_many_ranges_share_few_connections(hub: HubStandIn, signed: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = pool.map(lambda at: read(signed, f"bytes={at}-{at + 99}"), range(0, 20_000, 100))
        assert b"".join(answer.content for answer in answers) == CONTENT[:20_000]
    assert len({seen.connection for seen in hub.log.of(FILE, origin="cdn")}) <= 4


def test_sparse_files_are_never_loaded(hub: HubStandIn, tmp_path: Path) -> None:
    size = 16 * 10**9
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(size)
    stored = Stored(tmp_path / "sparse", sha256="0" * 64)
    hub.repo("acme/big").commit({"model.safetensors": stored})
    found = get_hf_file_metadata(hf_hub_url("acme/big", "model.safetensors"), token=False)
    assert found.size == size
    tracemalloc.start()
    answer = read(found.location, f"bytes={size - 1_000_000}-{size - 1}")
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert answer.content == bytes(1_000_000)
    assert peak_bytes < 20_000_000


def test_a_slow_line_still_gives_every_byte(hub: HubStandIn, signed: str) -> None:
    hub.latency_s, hub.bandwidth = 0.01, 10_000_000
    assert read(signed).content == CONTENT


def test_a_status_is_given_as_often_as_told(hub: HubStandIn, signed: str) -> None:
    hub.faults.status(503, FILE, origin="cdn", times=2)
    answer = http_backoff("GET", signed, base_wait_time=0)
    assert answer.content == CONTENT
    assert [seen.status for seen in hub.log.of(FILE, origin="cdn")] == [503, 503, 200]


def test_ranges_can_be_ignored_shifted_or_filled_with_other_bytes(
    hub: HubStandIn, signed: str
) -> None:
    hub.faults.ignore_range(FILE, origin="cdn", times=1)
    whole = read(signed, "bytes=0-9")
    assert (whole.status_code, len(whole.content)) == (200, len(CONTENT))
    hub.faults.other_range(FILE, by=5, times=1)
    shifted = read(signed, "bytes=0-9")
    assert shifted.headers["Content-Range"] == "bytes 5-14/256000"
    hub.faults.other_bytes(bytes(len(CONTENT)), FILE, times=1)
    assert read(signed, "bytes=0-9").content == bytes(10)
    hub.faults.truncate(FILE, keep=0.3, times=1)
    assert read(signed, "bytes=0-9").content == CONTENT[:3]
    hub.faults.headers({"Content-Range": "bytes 0-9/11"}, FILE, times=1)
    assert read(signed, "bytes=0-9").headers["Content-Range"] == "bytes 0-9/11"
    assert read(signed, "bytes=0-9").content == CONTENT[:10]


def test_short_bodies_and_dropped_connections_are_noticed(hub: HubStandIn, signed: str) -> None:
    hub.faults.short_body(FILE, origin="cdn", times=1)
    with pytest.raises(httpx.RemoteProtocolError):
        read(signed)
    assert hub.log[-1].bytes_sent == len(CONTENT) // 2
    hub.faults.drop(FILE, origin="cdn", times=1)
    with pytest.raises(httpx.RemoteProtocolError):
        read(signed)
    assert read(signed).content == CONTENT


def test_stalls_last_until_the_client_gives_up(hub: HubStandIn, signed: str) -> None:
    hub.faults.stall(FILE, after=100, times=1)
    with pytest.raises(httpx.ReadTimeout):
        read(signed, patience_s=0.1)
    hub.faults.delay(5.0, FILE, times=1)
    with pytest.raises(httpx.ReadTimeout):
        read(signed, patience_s=0.1)


def test_a_trickle_never_times_out_and_hardly_moves(hub: HubStandIn, signed: str) -> None:
    hub.faults.trickle(200, FILE)
    with get_session().stream("GET", signed, timeout=5.0) as answer:
        pieces = answer.iter_raw()
        assert sum(len(next(pieces)) for _ in range(5)) < 1_000


def test_redirects_lead_where_told_and_keep_the_digest(hub: HubStandIn, url: str) -> None:
    fault = hub.faults.redirect("https://10.0.0.1/loot", "acme/original/*", origin="api")
    found = get_hf_file_metadata(url, token=False)
    assert found.location == "https://10.0.0.1/loot"
    assert found.size == len(CONTENT)
    assert fault.hits == 1
    hub.faults.remove(fault)
    assert hub.cdn_host in get_hf_file_metadata(url, token=False).location


def test_an_authority_that_is_not_trusted_is_refused(hub: HubStandIn) -> None:
    with httpx.Client(trust_env=False) as stranger, pytest.raises(httpx.ConnectError):
        stranger.get(hub.endpoint)


def test_an_error_of_the_stand_in_itself_is_shown() -> None:
    broken = HubStandIn()
    broken.faults.add(lambda request, answering: 1 / 0)  # type: ignore[arg-type, return-value]
    with pytest.raises(AssertionError, match="ZeroDivisionError"), broken:
        ask_in_vain(broken)


def ask_in_vain(hub: HubStandIn) -> None:
    with httpx.Client(verify=False) as client, pytest.raises(httpx.RemoteProtocolError):
        client.get(hub.endpoint)
