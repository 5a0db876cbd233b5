"""The scene of the integration tests: a fresh Hub stand-in and an environment pointing at it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from huggingface_hub import constants, set_client_factory
from huggingface_hub.utils._http import default_client_factory

from hub_standin import HubStandIn
from kinprint.settings import settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubStandIn]:
    """A fresh stand-in, trusted by the Hub's client, which reaches nothing else.

    The client reads its variables when it is imported, so its constants are set as well; the
    user's own token and cache are out of reach.
    """
    with HubStandIn() as hub:
        for name in hub.personal_variables():
            monkeypatch.delenv(name)
        for name, value in hub.variables.items():
            if not name.startswith("KINPRINT_"):
                monkeypatch.setenv(name, value)
        template = hub.endpoint + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "ENDPOINT", hub.endpoint)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub-cache"))
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
        # A test before this one may have left Kinprint's client, which trusts another stand-in.
        set_client_factory(default_client_factory)
        yield hub
        set_client_factory(default_client_factory)


@pytest.fixture
def connected_hub(
    hub: HubStandIn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[HubStandIn]:
    """The stand-in, with Kinprint's settings pointing at it and a data directory of its own."""
    for name, value in hub.variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("KINPRINT_DATA_DIR", str(tmp_path / "kinprint"))
    settings.cache_clear()
    yield hub
    settings.cache_clear()
