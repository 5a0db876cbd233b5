"""Who may see what on the stand-in, under which name, and how often, through the real client."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from huggingface_hub import HfApi, get_hf_file_metadata, hf_hub_download, hf_hub_url
from huggingface_hub.errors import (
    DisabledRepoError,
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import parse_ratelimit_headers

from hub_standin import Quota

if TYPE_CHECKING:
    from hub_standin import HubStandIn, Repo

WEIGHTS = b"weights" * 100


@pytest.fixture
def repo(hub: HubStandIn) -> Repo:
    """acme/original, public."""
    repo = hub.repo("acme/original")
    repo.commit({"model.safetensors": WEIGHTS})
    return repo


@pytest.fixture
def api(hub: HubStandIn) -> HfApi:
    """An anonymous client."""
    return HfApi(endpoint=hub.endpoint, token=False)


def test_what_is_missing_is_named(hub: HubStandIn, api: HfApi, repo: Repo) -> None:
    with pytest.raises(RepositoryNotFoundError) as anonymous:
        api.model_info("acme/nothing")
    with pytest.raises(RepositoryNotFoundError) as known:
        api.model_info("acme/nothing", token=hub.user("alice").token)
    assert (anonymous.value.response.status_code, known.value.response.status_code) == (401, 404)
    with pytest.raises(RevisionNotFoundError):
        api.model_info(repo.id, revision="no-such-branch")
    with pytest.raises(RevisionNotFoundError):
        api.model_info(repo.id, revision=repo.sha[:7])
    with pytest.raises(EntryNotFoundError):
        hf_hub_download(repo.id, "nothing.safetensors", token=False)
    with pytest.raises(HfHubHTTPError, match="Invalid credentials"):
        api.model_info(repo.id, token="hf_wrong")


def test_a_repo_goes_from_private_to_public_to_gated_to_deleted(
    hub: HubStandIn, api: HfApi, repo: Repo
) -> None:
    alice, bo = hub.user("alice"), hub.user("bo", orgs=("acme",))
    url = hf_hub_url(repo.id, "model.safetensors")
    repo.private = True
    with pytest.raises(RepositoryNotFoundError):
        api.model_info(repo.id)
    with pytest.raises(RepositoryNotFoundError):
        api.model_info(repo.id, token=alice.token)
    assert api.model_info(repo.id, token=bo.token).private
    repo.private = False
    get_hf_file_metadata(url, token=False)
    repo.gated = "manual"
    assert api.model_info(repo.id).gated == "manual"
    with pytest.raises(GatedRepoError) as anonymous:
        get_hf_file_metadata(url, token=False)
    with pytest.raises(GatedRepoError) as known:
        get_hf_file_metadata(url, token=alice.token)
    assert (anonymous.value.response.status_code, known.value.response.status_code) == (401, 403)
    repo.let_in(alice)
    get_hf_file_metadata(url, token=alice.token)
    repo.disabled = True
    with pytest.raises(DisabledRepoError):
        api.model_info(repo.id)
    hub.delete(repo)
    with pytest.raises(RepositoryNotFoundError):
        api.model_info(repo.id, token=bo.token)


def test_old_names_lead_to_the_new_one(hub: HubStandIn, api: HfApi) -> None:
    repo = hub.repo("gpt2")
    repo.commit({"model.safetensors": WEIGHTS})
    hub.rename(repo, "openai-community/gpt2")
    hub.rename(repo, "somebody/gpt2-small")
    for old in ("gpt2", "openai-community/gpt2", "Somebody/GPT2-small"):
        assert api.model_info(old, files_metadata=True).id == "somebody/gpt2-small"
        assert api.get_paths_info(old, "model.safetensors")[0].path == "model.safetensors"
        path = hf_hub_download(old, "model.safetensors", token=False, force_download=True)
        assert Path(path).read_bytes() == WEIGHTS
    hub.repo("gpt2").commit({"config.json": "{}"})
    hub.api.small_files_by_redirect = True
    assert api.model_info("gpt2").id == "gpt2"
    assert Path(hf_hub_download("gpt2", "config.json", token=False)).read_text() == "{}"


def test_rate_limits_are_counted_by_asker_and_kind(hub: HubStandIn, api: HfApi, repo: Repo) -> None:
    hub.limits.quotas["anonymous"] = Quota(api=2, resolvers=1)
    for _ in range(2):
        api.model_info(repo.id)
    with pytest.raises(HfHubHTTPError, match="rate limit") as refused:
        api.model_info(repo.id)
    told = parse_ratelimit_headers(refused.value.response.headers)
    assert told is not None
    assert (told.resource_type, told.remaining, told.limit) == ("api", 0, 2)
    assert told.window_seconds == 300
    assert 0 < told.reset_in_seconds <= 300
    get_hf_file_metadata(hf_hub_url(repo.id, "model.safetensors"), token=False)
    api.model_info(repo.id, token=hub.user("alice").token)
    hub.clock.advance(300)
    api.model_info(repo.id)
