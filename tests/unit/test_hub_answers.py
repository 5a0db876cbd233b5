"""What the Hub's API sends is hostile as well: long, endless, compressed, or many small values."""

from __future__ import annotations

import gzip
import json
from contextlib import contextmanager
from itertools import count, repeat

import pytest
from huggingface_hub import close_session
from huggingface_hub.utils import httpx

from kinprint.checkpoints import hub_session
from kinprint.checkpoints.hub_client import HubClient
from kinprint.checkpoints.hub_session import HubSession
from kinprint.checkpoints.limits import API_TOKENS, DECLARED_BASES
from kinprint.errors import HubError, HubTimeoutError, LimitExceededError
from kinprint.settings import Settings


@contextmanager
def hub_that_answers(answer):
    chosen = Settings(retry_deadline_s=0.5)
    client = HubClient(chosen, HubSession(chosen, transport=httpx.MockTransport(answer)))
    try:
        yield client
    finally:
        close_session()


def described(**facts):
    return json.dumps({"id": "acme/model", "sha": "c" * 40, **facts}).encode()


def test_an_answer_without_end_is_given_up():
    def endless(_request):
        return httpx.Response(200, content=repeat(b" " * 1_000_000))

    with hub_that_answers(endless) as client, pytest.raises(LimitExceededError, match="bytes"):
        client.origin("acme/model")


def test_an_answer_of_countless_small_values_is_not_parsed():
    body = described(config={"x": [{}] * API_TOKENS})

    def many(_request):
        return httpx.Response(200, content=iter([body]))

    with hub_that_answers(many) as client, pytest.raises(LimitExceededError, match="values"):
        client.origin("acme/model")


def test_a_compressed_answer_is_neither_asked_for_nor_unpacked():
    asked = []

    def bomb(request):
        asked.append(request.headers["accept-encoding"])
        packed = gzip.compress(b" " * 10_000_000)
        return httpx.Response(200, headers={"content-encoding": "gzip"}, content=iter([packed]))

    with hub_that_answers(bomb) as client, pytest.raises(HubError, match="compressed"):
        client.origin("acme/model")
    assert set(asked) == {"identity"}


def test_an_answer_that_trickles_ends_at_the_deadline(monkeypatch):
    seconds = count()
    monkeypatch.setattr(hub_session.time, "monotonic", lambda: next(seconds))

    def trickle(_request):
        return httpx.Response(200, content=repeat(b" "))

    with hub_that_answers(trickle) as client, pytest.raises(HubTimeoutError):
        client.origin("acme/model")


def test_a_card_with_ten_thousand_bases_declares_a_hundred():
    tags = ["base_model:" + "x" * 5_000, *(f"base_model:acme/base-{n}" for n in range(10_000))]

    def card(_request):
        return httpx.Response(200, content=described(tags=tags))

    with hub_that_answers(card) as client:
        bases = client.origin("acme/model").declared_bases
    assert bases == tuple(f"acme/base-{n}" for n in range(DECLARED_BASES))
