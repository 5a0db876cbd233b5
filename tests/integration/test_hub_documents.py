"""config.json and the card are read off the Hub at the fixed revision, and only when asked."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import save

from kinprint.checkpoints import limits
from kinprint.checkpoints.open_documents import documents_of
from kinprint.checkpoints.source import HubSource
from kinprint.fingerprint.source import fingerprint_of
from kinprint.settings import settings


@pytest.fixture
def hub(connected_hub):
    return connected_hub


def test_documents_are_those_of_the_revision_asked_for(hub) -> None:
    repo = hub.repo("acme/model")
    old = repo.commit({"config.json": '{"hidden_size": 8}', "README.md": "# old"})
    repo.commit({"config.json": '{"hidden_size": 16}', "README.md": "# new"})
    at_first = documents_of(HubSource("acme/model", old))
    assert (at_first.config, at_first.card) == ({"hidden_size": 8}, "# old")
    newest = documents_of(HubSource("acme/model"))
    assert (newest.config, newest.card) == ({"hidden_size": 16}, "# new")


def test_a_fingerprint_does_not_read_them(hub) -> None:
    hub.repo("acme/model").commit(
        {
            "model.safetensors": save({"a": np.ones((64, 96), np.float32)}),
            "config.json": "{}",
            "README.md": "# x",
        }
    )
    fingerprint_of("acme/model")
    assert not [seen for seen in hub.log if "config.json" in seen.path or "README" in seen.path]


def test_a_long_card_is_not_fetched_beyond_the_limit(hub) -> None:
    hub.repo("acme/model").commit({"README.md": b"x" * (limits.CARD_BYTES + 5000)})
    found = documents_of(HubSource("acme/model"))
    assert len(found.card) == limits.CARD_BYTES
    assert found.config_reason == "there is no config.json"


def test_a_gated_repo_gives_a_reason_and_with_access_its_texts(hub, monkeypatch) -> None:
    hub.repo("acme/gated", gated="manual").commit({"config.json": "{}", "README.md": "# terms"})
    refused = documents_of(HubSource("acme/gated"))
    assert (refused.config, refused.card) == (None, None)
    assert "not public" in refused.config_reason
    assert "not public" in refused.card_reason
    monkeypatch.setenv("KINPRINT_HUB_TOKEN", hub.user("acme").token)
    settings.cache_clear()
    granted = documents_of(HubSource("acme/gated"))
    assert (granted.config, granted.card) == ({}, "# terms")


@pytest.mark.parametrize("repo", ["acme/none", "acme/private"])
def test_a_repo_out_of_reach_gives_a_reason(hub, repo) -> None:
    hub.repo("acme/private", private=True).commit({"config.json": "{}"})
    found = documents_of(HubSource(repo))
    assert (found.config, found.card) == (None, None)
    assert repo in found.config_reason
