"""What is dated around a model is read bounded, and whatever is wrong with it is left out."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from huggingface_hub import close_session
from huggingface_hub.utils import httpx

from kinprint.checkpoints.history import history_of
from kinprint.checkpoints.hub_client import HubClient
from kinprint.checkpoints.hub_session import HubSession
from kinprint.checkpoints.limits import SHOWN_COMMITS, TITLE_CHARACTERS
from kinprint.errors import UsageError
from kinprint.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HUB = "https://huggingface.co"


@contextmanager
def hub_that_answers(answer: Callable[[httpx.Request], httpx.Response]) -> Iterator[HubClient]:
    chosen = Settings(retry_deadline_s=0.5)
    client = HubClient(chosen, HubSession(chosen, transport=httpx.MockTransport(answer)))
    try:
        yield client
    finally:
        close_session()


def in_json(value: Any, **headers: str) -> httpx.Response:
    return httpx.Response(200, content=iter([json.dumps(value).encode()]), headers=headers)


def commit(**facts: Any) -> dict[str, Any]:
    return {"id": "c" * 40, "title": "Upload", "date": "2026-01-02T03:04:05.000Z", **facts}


def hub_with(commits: Any) -> Callable[[httpx.Request], httpx.Response]:
    def answer(request: httpx.Request) -> httpx.Response:
        if "/commits/" in request.url.path:
            return in_json(commits)
        return in_json({"discussions": []} if "/discussions" in request.url.path else [])

    return answer


def test_a_history_without_end_is_cut() -> None:
    pages = count()

    def endless(request: httpx.Request) -> httpx.Response:
        if "/commits/" not in request.url.path:
            return hub_with([])(request)
        link = f'<{HUB}{request.url.path}?p={next(pages)}>; rel="next"'
        return in_json([commit() for _ in range(50)], link=link)

    with hub_that_answers(endless) as client:
        history = history_of(client, "acme/model")
    assert len(history.notes) == SHOWN_COMMITS
    assert next(pages) <= SHOWN_COMMITS / 50 + 1


def test_dates_that_are_none_or_have_no_zone_are_left_out() -> None:
    dates = ("yesterday", "2026-01-02T03:04:05", None, 7, "9999-99-99T00:00:00Z", {})
    entries = [commit(date=date) for date in dates]
    with hub_that_answers(hub_with([*entries, commit(title="kept")])) as client:
        history = history_of(client, "acme/model")
    assert [note.title for note in history.notes] == ["kept"]
    assert history.missing == {}


def test_a_long_title_is_cut_and_a_change_of_the_card_is_told_by_its_title() -> None:
    entries = [commit(title="x" * 100_000), commit(title="Update README.md")]
    with hub_that_answers(hub_with(entries)) as client:
        long, card = history_of(client, "acme/model").notes
    assert (len(long.title), long.kind, card.kind) == (TITLE_CHARACTERS, "commit", "card")


@pytest.mark.parametrize("commits", [{"error": "x"}, [7], [{}], "text", None])
def test_an_answer_of_another_shape_is_named_and_stops_nothing_else(commits: Any) -> None:
    with hub_that_answers(hub_with(commits)) as client:
        history = history_of(client, "acme/model")
    assert history.notes == ()
    assert set(history.missing) == {"commits"}


def test_a_hub_that_is_down_leaves_reasons_and_is_waited_for_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    asked = set()

    def down(request: httpx.Request) -> httpx.Response:
        asked.add(request.url.path)
        return httpx.Response(503)

    with hub_that_answers(down) as client:
        history = history_of(client, "acme/model")
    assert set(history.missing) == {"commits", "discussions", "children"}
    assert all("503" in reason for reason in history.missing.values())
    assert asked == {"/api/models/acme/model/commits/main"}


def test_what_was_read_before_the_hub_went_down_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)

    def half(request: httpx.Request) -> httpx.Response:
        return hub_with([commit()])(request) if "commits" in request.url.path else down()

    def down() -> httpx.Response:
        return httpx.Response(503)

    with hub_that_answers(half) as client:
        history = history_of(client, "acme/model")
    assert [note.kind for note in history.notes] == ["commit"]
    assert set(history.missing) == {"discussions", "children"}


def test_the_instances_token_is_not_sent() -> None:
    sent = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers.get("authorization"))
        return hub_with([commit()])(request)

    chosen = Settings(retry_deadline_s=0.5, hub_token="hf_secret")
    client = HubClient(chosen, HubSession(chosen, transport=httpx.MockTransport(answer)))
    try:
        history_of(client, "acme/model")
    finally:
        close_session()
    assert sent == [None, None, None]


@pytest.mark.parametrize("repo", ["../../etc", "a/b/c", "https://localhost/x"])
def test_a_malformed_id_is_never_asked_for(repo: str) -> None:
    def never(_request: httpx.Request) -> httpx.Response:
        raise AssertionError("asked")

    with hub_that_answers(never) as client, pytest.raises(UsageError):
        history_of(client, repo)
