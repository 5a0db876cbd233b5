"""Whatever a Hub or a repo does to a queued reading: a code in the index, and the queue goes on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import tenacity
from safetensors.numpy import save

from kinprint import clock
from kinprint.index.readings import ReadingState
from kinprint.service.instance import Instance
from kinprint.service.work import put_back, work
from kinprint.settings import settings
from weights import strangers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hub_standin import HubStandIn

WEIGHTS = save(strangers(1))
CDN = {"origin": "cdn"}

SERVER_FAULTS: dict[str, tuple[Callable[[HubStandIn], object], str]] = {
    "short bodies": (lambda hub: hub.faults.short_body(**CDN), "hub_error"),
    "ranges ignored": (lambda hub: hub.faults.ignore_range(**CDN), "range_refused"),
    "other ranges": (lambda hub: hub.faults.other_range(**CDN), "range_refused"),
    "stalls": (lambda hub: hub.faults.stall(**CDN), "hub_timeout"),
    "broken connections": (lambda hub: hub.faults.drop(**CDN), "hub_error"),
    "errors of the CDN": (lambda hub: hub.faults.status(500, **CDN), "hub_timeout"),
    "junk of the API": (
        lambda hub: hub.faults.add(
            lambda request, answering: replace(answering(request), body=b"[1, 2"), "/api/*"
        ),
        "hub_error",
    ),
}
REPO_FAULTS: dict[str, tuple[bytes, str]] = {
    "a truncated file": (WEIGHTS[: len(WEIGHTS) // 2], "malformed_header"),
    "a file of garbage": (b"\xff" * 4_096, "limit_exceeded"),
    "an empty file": (b"", "malformed_header"),
}


@pytest.fixture
def instance(connected_hub: HubStandIn, monkeypatch: pytest.MonkeyPatch) -> Iterator[Instance]:
    monkeypatch.setenv("KINPRINT_REQUEST_TIMEOUT_S", "0.5")
    monkeypatch.setenv("KINPRINT_RETRY_DEADLINE_S", "1")
    settings.cache_clear()
    monkeypatch.setattr(tenacity.nap.time, "sleep", lambda _s: None)
    with Instance.open(settings()) as opened:
        yield opened


def read_queued(instance: Instance, repo: str) -> tuple[ReadingState, str | None]:
    asked, _ = instance.index.readings.request(repo, None, at=clock.now(), queue_limit=10)
    work(instance, asked.id)
    done = instance.index.readings.get(asked.id)
    return done.state, done.code


def assert_nothing_is_left_behind(instance: Instance) -> None:
    assert instance.index.size().models == 0
    assert instance.index.readings.queue_length() == 0
    put_back(instance)
    assert instance.queue.pending() == 0


@pytest.mark.parametrize("name", SERVER_FAULTS)
def test_a_fault_of_the_server_ends_one_reading_and_not_the_next(
    connected_hub: HubStandIn, instance: Instance, name: str
) -> None:
    begin, code = SERVER_FAULTS[name]
    connected_hub.repo("acme/model").commit({"model.safetensors": WEIGHTS})
    begin(connected_hub)
    assert read_queued(instance, "acme/model") == (ReadingState.FAILED, code)
    assert_nothing_is_left_behind(instance)
    connected_hub.faults.clear()
    assert read_queued(instance, "acme/model") == (ReadingState.DONE, None)
    assert instance.index.size().models == 1


@pytest.mark.parametrize("name", REPO_FAULTS)
def test_a_broken_repo_ends_one_reading_and_not_the_next(
    connected_hub: HubStandIn, instance: Instance, name: str
) -> None:
    content, code = REPO_FAULTS[name]
    connected_hub.repo("mallory/broken").commit({"model.safetensors": content})
    connected_hub.repo("acme/model").commit({"model.safetensors": WEIGHTS})
    assert read_queued(instance, "mallory/broken") == (ReadingState.FAILED, code)
    assert_nothing_is_left_behind(instance)
    assert read_queued(instance, "acme/model") == (ReadingState.DONE, None)
