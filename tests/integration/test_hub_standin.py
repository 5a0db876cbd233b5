"""The real Hub client, unmodified, gets from the stand-in what it gets from the Hub."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from huggingface_hub import (
    HfApi,
    HfFileSystem,
    get_hf_file_metadata,
    hf_hub_download,
    hf_hub_url,
)
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError

from hub_standin import Stored

if TYPE_CHECKING:
    from hub_standin import HubStandIn, Repo

HEADER = json.dumps({"w": {"dtype": "F32", "shape": [250, 100], "data_offsets": [0, 100_000]}})
WEIGHTS = (
    len(HEADER).to_bytes(8, "little") + HEADER.encode() + bytes(range(256)) * 390 + b"tail" * 40
)
CONFIG = '{"architectures": ["BertModel"], "model_type": "bert", "hidden_size": 384}'


@pytest.fixture
def repo(hub: HubStandIn) -> Repo:
    """acme/original: weights, a configuration, and a file in a folder."""
    repo = hub.repo("acme/original", card={"license": "mit"})
    repo.commit({"model.safetensors": WEIGHTS, "config.json": CONFIG, "unet/notes.txt": "text"})
    return repo


@pytest.fixture
def api(hub: HubStandIn) -> HfApi:
    """An anonymous client."""
    return HfApi(endpoint=hub.endpoint, token=False)


def test_model_info_tells_size_and_digest_of_each_file(api: HfApi, repo: Repo) -> None:
    info = api.model_info(repo.id, files_metadata=True)
    files = {sibling.rfilename: sibling for sibling in info.siblings or []}
    assert info.sha == repo.sha
    assert set(files) == {".gitattributes", "config.json", "model.safetensors", "unet/notes.txt"}
    weights, config = files["model.safetensors"], files["config.json"]
    assert weights.lfs is not None
    assert weights.lfs.sha256 == hashlib.sha256(WEIGHTS).hexdigest()
    assert weights.size == weights.lfs.size == len(WEIGHTS)
    blob = b"blob %d\0%s" % (len(CONFIG), CONFIG.encode())
    assert (config.blob_id, config.lfs) == (hashlib.sha1(blob).hexdigest(), None)
    assert info.safetensors is not None
    assert info.safetensors.parameters == {"F32": 25_000}


def test_expand_gives_the_config_without_counting_a_download(api: HfApi, repo: Repo) -> None:
    info = api.model_info(repo.id, expand=["config", "cardData", "downloads", "tags"])
    assert info.config == {"architectures": ["BertModel"], "model_type": "bert"}
    assert (info.downloads, info.sha) == (0, None)
    assert "license:mit" in (info.tags or [])
    hf_hub_download(repo.id, "config.json", token=False)
    assert repo.downloads > 0
    with pytest.raises(HfHubHTTPError, match="Invalid option"):
        api.model_info(repo.id, expand=["nonsense"])  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("card", "files", "relation"),
    [
        ({}, {}, "finetune"),
        ({}, {"adapter_config.json": "{}"}, "adapter"),
        ({}, {"model.gguf": b"GGUF"}, "quantized"),
        ({"base_model_relation": "merge"}, {}, "merge"),
    ],
)
def test_declared_bases_show_with_their_relation(
    hub: HubStandIn,
    api: HfApi,
    repo: Repo,
    card: dict[str, str],
    files: dict[str, str],
    relation: str,
) -> None:
    hub.repo("other/child", card={"base_model": repo.id, **card}).commit(files)
    child = api.model_info("other/child", expand=["baseModels", "tags"])
    assert child.base_models["relation"] == relation  # type: ignore[call-overload, index]
    assert f"base_model:{relation}:{repo.id}" in (child.tags or [])
    assert api.model_info(repo.id, expand=["childrenModelCount"]).children_model_count == 1
    listed = api.list_models(filter=f"base_model:{repo.id}")
    assert [model.id for model in listed] == ["other/child"]


def test_lists_are_sorted_and_paged(hub: HubStandIn, api: HfApi) -> None:
    day = datetime(2026, 11, 1, tzinfo=UTC)
    for number in (2, 0, 4, 1, 3):
        hub.repo(f"acme/m{number}", created_at=day + timedelta(days=number))
    hub.repo("acme/hidden", private=True)
    hub.repo("other/m")
    hub.api.largest_page = 2
    listed = [model.id for model in api.list_models(author="acme", sort="created_at")]
    assert listed == ["acme/m4", "acme/m3", "acme/m2", "acme/m1", "acme/m0"]
    assert len(hub.log.of("/api/models")) == 3


def test_creation_dates_have_the_hubs_floor(hub: HubStandIn, api: HfApi) -> None:
    hub.repo("gpt2", created_at=datetime(2019, 2, 14, tzinfo=UTC))
    created = api.model_info("gpt2").created_at
    assert created == datetime(2022, 3, 2, 23, 29, 4, tzinfo=UTC)


def test_resolving_large_files_names_the_cdn(hub: HubStandIn, repo: Repo) -> None:
    found = get_hf_file_metadata(hf_hub_url(repo.id, "model.safetensors"), token=False)
    assert found.commit_hash == repo.sha
    assert found.etag == hashlib.sha256(WEIGHTS).hexdigest()
    assert found.size == len(WEIGHTS)
    assert found.location.startswith(f"https://{hub.cdn_host}/")


@pytest.mark.parametrize("by_redirect", [False, True])
def test_downloads_are_whole_and_the_token_stays_with_the_hub(
    hub: HubStandIn, repo: Repo, by_redirect: bool
) -> None:
    hub.api.small_files_by_redirect = by_redirect
    token = hub.user("alice").token
    for name, content in [("model.safetensors", WEIGHTS), ("config.json", CONFIG.encode())]:
        path = hf_hub_download(repo.id, name, token=token)
        assert Path(path).read_bytes() == content
    assert all(seen.authorized == (seen.origin == "api") for seen in hub.log)
    assert hub.log.bytes_sent(f"{repo.id}/*", origin="cdn") == len(WEIGHTS)


def test_the_file_system_reads_exact_ranges(hub: HubStandIn, repo: Repo) -> None:
    fs = HfFileSystem(endpoint=hub.endpoint, token=False, skip_instance_cache=True)
    with fs.open(f"{repo.id}/model.safetensors", block_size=1 << 20, cache_type="none") as file:
        file.seek(1_000)
        assert file.read(24) == WEIGHTS[1_000:1_024]
    assert [seen.range for seen in hub.log.of(origin="cdn")] == ["bytes=1000-1023"]
    assert hub.log.bytes_sent(origin="cdn") == 24


def test_trees_and_paths_are_listed(api: HfApi, repo: Repo) -> None:
    assert {entry.path for entry in api.list_repo_tree(repo.id)} == {
        *(".gitattributes", "config.json", "model.safetensors", "unet")
    }
    assert "unet/notes.txt" in api.list_repo_files(repo.id)
    found = api.get_paths_info(repo.id, ["unet", "model.safetensors", "nothing"], expand=True)
    assert [entry.path for entry in found] == ["unet", "model.safetensors"]
    assert found[1].last_commit is not None
    assert found[1].last_commit.oid == repo.sha
    with pytest.raises(EntryNotFoundError):
        list(api.list_repo_tree(repo.id, "no/such/folder"))


def test_revisions_are_found_by_sha_branch_tag_and_pull_request(api: HfApi, repo: Repo) -> None:
    first = repo.sha
    repo.tag("v1.0")
    pull = repo.commit({"model.safetensors": b"proposed"}, branch="refs/pr/1")
    half = repo.commit({"model.safetensors": b"half"}, branch="fp16")
    repo.commit({"more.txt": "more"}, delete=["config.json"])
    wanted = {"v1.0": first, first: first, "refs/pr/1": pull, "fp16": half, "main": repo.sha}
    for revision, sha in wanted.items():
        assert api.model_info(repo.id, revision=revision).sha == sha
        url = hf_hub_url(repo.id, "model.safetensors", revision=revision)
        assert get_hf_file_metadata(url, token=False).commit_hash == sha
    refs = api.list_repo_refs(repo.id, include_pull_requests=True)
    assert {branch.name for branch in refs.branches} == {"main", "fp16"}
    assert [(tag.name, tag.target_commit) for tag in refs.tags] == [("v1.0", first)]
    assert [pr.ref for pr in refs.pull_requests or []] == ["refs/pr/1"]
    assert "config.json" not in api.list_repo_files(repo.id)


def test_the_history_is_paged(hub: HubStandIn, api: HfApi, repo: Repo) -> None:
    for number in range(60):
        date = datetime(2026, 11, 1, tzinfo=UTC) + timedelta(minutes=number)
        repo.commit({"n.txt": str(number)}, message=f"Step {number}\n\nWhy", date=date, author="bo")
    commits = api.list_repo_commits(repo.id, formatted=True)
    assert len(commits) == 62
    assert (commits[0].title, commits[0].message, commits[0].authors) == ("Step 59", "Why", ["bo"])
    assert commits[0].created_at == datetime(2026, 11, 1, 0, 59, tzinfo=UTC)
    assert commits[-1].title == "initial commit"
    assert len(hub.log.of("*/commits/main")) == 2


def test_discussions_are_opened_listed_and_can_be_off(hub: HubStandIn, repo: Repo) -> None:
    api = HfApi(endpoint=hub.endpoint, token=hub.user("alice").token)
    repo.discussions.open("Which data?", "The card does not say.", author="bo")
    opened = api.create_discussion(repo.id, "Where from?", description="Looks derived.")
    api.comment_discussion(repo.id, opened.num, "See the evidence.")
    details = api.get_discussion_details(repo.id, opened.num)
    texts = [event.content for event in details.events]  # type: ignore[attr-defined]
    assert texts == ["Looks derived.", "See the evidence."]
    listed = api.get_repo_discussions(repo.id, author="alice", discussion_status="open")
    assert [(found.num, found.title) for found in listed] == [(2, "Where from?")]
    with pytest.raises(HfHubHTTPError, match="3 to 200"):
        api.create_discussion(repo.id, "Hi")
    repo.discussions_disabled = True
    with pytest.raises(HfHubHTTPError, match="disabled"):
        api.create_discussion(repo.id, "Where from?")


def test_a_claimed_digest_and_a_plain_git_file_are_served_as_told(
    hub: HubStandIn, api: HfApi
) -> None:
    lie = "0" * 64
    files = {"a.safetensors": Stored(WEIGHTS, sha256=lie), "b.bin": Stored(b"small", lfs=False)}
    hub.repo("acme/odd").commit(files)
    info = api.model_info("acme/odd", files_metadata=True)
    digests = {file.rfilename: file.lfs and file.lfs.sha256 for file in info.siblings or []}
    assert (digests["a.safetensors"], digests["b.bin"]) == (lie, None)
    found = get_hf_file_metadata(hf_hub_url("acme/odd", "b.bin"), token=False)
    assert found.location.startswith(hub.endpoint)


def test_a_subprocess_finds_the_stand_in_by_its_environment(
    hub: HubStandIn, repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_private")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    script = "import huggingface_hub as h; print(h.HfApi().model_info('acme/original').sha)"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=hub.environ(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == repo.sha
    assert [seen.authorized for seen in hub.log] == [False]
