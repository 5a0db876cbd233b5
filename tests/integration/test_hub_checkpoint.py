"""A checkpoint is read off a Hub by ranges, whatever the Hub and its CDN do meanwhile."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime

import numpy as np
import pytest
import tenacity.nap
from safetensors.numpy import save

from hub_standin import Quota, Stored
from kinprint.checkpoints.hub_client import hub_client
from kinprint.checkpoints.open import open_checkpoint
from kinprint.checkpoints.source import HubSource
from kinprint.checkpoints.tensors import Span, Visibility
from kinprint.errors import (
    CheckpointError,
    HostRefusedError,
    HubError,
    HubTimeoutError,
    MalformedIndexError,
    NotPublicError,
    RangeRefusedError,
    RepoNotFoundError,
    RevisionNotFoundError,
    UsageError,
)
from kinprint.settings import settings


@pytest.fixture
def hub(connected_hub):
    return connected_hub


def opened(repo: str, revision: str | None = None):
    return open_checkpoint(HubSource(repo, revision))


@pytest.fixture
def configure(hub, monkeypatch):
    def configure(**variables: str) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(f"KINPRINT_{name.upper()}", value)
        settings.cache_clear()

    return configure


@pytest.fixture
def impatient(configure) -> None:
    configure(request_timeout_s="0.4", retry_deadline_s="0.8")


@pytest.fixture
def waits(monkeypatch) -> list[float]:
    slept: list[float] = []
    monkeypatch.setattr(tenacity.nap.time, "sleep", slept.append)
    return slept


def weights(*names: str, seed: int = 0, rows: int = 64) -> bytes:
    random = np.random.default_rng(seed)
    return save({name: random.standard_normal((rows, 48), np.float32) for name in names})


def index_of(shards: dict[str, tuple[str, ...]]) -> str:
    listed = {name: shard for shard, names in shards.items() for name in names}
    return json.dumps({"metadata": {}, "weight_map": listed})


def spans_of(checkpoint) -> list[Span]:
    return [Span(t.file, t.offset, t.offset + t.nbytes) for t in checkpoint.tensors]


def stored_bytes(checkpoint, files: dict[str, bytes]) -> list[bytes]:
    return [files[span.file][span.start : span.stop] for span in spans_of(checkpoint)]


def test_one_file_is_read_exactly_and_every_byte_is_counted(hub) -> None:
    files = {"model.safetensors": weights("a.weight", "b.weight")}
    sha = hub.repo("acme/original").commit({**files, "config.json": "{}"})
    checkpoint = opened("acme/original")
    assert checkpoint.origin.repo == checkpoint.origin.source == "acme/original"
    assert checkpoint.origin.revision == sha
    assert checkpoint.origin.visibility is Visibility.PUBLIC
    assert [tensor.name for tensor in checkpoint.tensors] == ["a.weight", "b.weight"]
    assert list(checkpoint.read(spans_of(checkpoint))) == stored_bytes(checkpoint, files)
    assert checkpoint.bytes_read == hub.log.bytes_sent(origin="cdn")
    checkpoint.close()


def test_the_sha256_of_a_file_comes_without_reading_it(hub) -> None:
    stored = Stored(weights("a"))
    hub.repo("acme/original").commit({"model.safetensors": stored})
    (file,) = opened("acme/original").files
    assert file.sha256 == stored.digest
    assert file.size == stored.size


def test_reading_does_not_count_as_a_download(hub) -> None:
    repo = hub.repo("acme/original", config={"model_type": "bert"})
    repo.commit({"model.safetensors": weights("a"), "config.json": "{}"})
    assert hub_client().model("acme/original").config == {"model_type": "bert"}
    checkpoint = opened("acme/original")
    list(checkpoint.read(spans_of(checkpoint)))
    assert repo.downloads == 0


def test_few_requests_are_made(hub) -> None:
    shards = {f"model-{n:05}-of-00003.safetensors": (f"layer{n}.weight",) for n in (1, 2, 3)}
    files = {name: weights(*names, seed=i) for i, (name, names) in enumerate(shards.items())}
    index = {"model.safetensors.index.json": index_of(shards)}
    hub.repo("acme/sharded").commit({**files, **index})
    checkpoint = opened("acme/sharded")
    assert len(hub.log.of("/api/*")) == 2
    assert len(hub.log.of(method="HEAD")) == 4  # each shard and the index
    assert len(hub.log.of(origin="cdn")) == 3  # one header each
    assert list(checkpoint.read(spans_of(checkpoint))) == stored_bytes(checkpoint, files)
    assert len(hub.log.of(method="HEAD")) == 4
    assert len(hub.log.of(origin="cdn")) == 6


@pytest.mark.parametrize("by_redirect", [False, True])
def test_an_index_that_is_kept_in_git_is_read_from_the_hub(hub, by_redirect: bool) -> None:
    hub.api.small_files_by_redirect = by_redirect
    shards = {"unet/diffusion_pytorch_model-00001-of-00001.safetensors": ("w",)}
    files = {name: weights(*names) for name, names in shards.items()}
    index = index_of({"diffusion_pytorch_model-00001-of-00001.safetensors": ("w",)})
    path = "unet/diffusion_pytorch_model.safetensors.index.json"
    hub.repo("acme/diffuser").commit({**files, path: index, "model_index.json": "{}"})
    checkpoint = opened("acme/diffuser")
    assert list(checkpoint.read(spans_of(checkpoint))) == stored_bytes(checkpoint, files)
    assert not hub.log.of(f"*{path}", origin="cdn")


def test_a_long_header_takes_two_requests(hub) -> None:
    names = [f"layer.{number:04}.weight" for number in range(1_000)]
    content = save({name: np.ones((1, 2), np.float32) for name in names})
    hub.repo("acme/deep").commit({"model.safetensors": content})
    assert len(opened("acme/deep").tensors) == 1_000
    assert len(hub.log.of(origin="cdn")) == 2


def test_everything_is_read_at_the_commit_that_was_resolved_first(hub) -> None:
    files = {"model.safetensors": weights("a", seed=1)}
    repo = hub.repo("acme/moving")
    first = repo.commit(files)
    checkpoint = opened("acme/moving", "main")
    repo.commit({"model.safetensors": weights("a", seed=2)})
    assert checkpoint.origin.revision == first
    assert list(checkpoint.read(spans_of(checkpoint))) == stored_bytes(checkpoint, files)
    assert opened("acme/moving", first).origin.revision == first


def test_a_former_name_is_followed_and_kept(hub) -> None:
    repo = hub.repo("acme/old-name")
    repo.commit({"model.safetensors": weights("a")})
    hub.rename(repo, "acme/new-name")
    origin = opened("acme/old-name").origin
    assert origin.repo == "acme/new-name"
    assert origin.aliases == ("acme/old-name",)


def test_what_the_publisher_says_is_noted(hub) -> None:
    created_at = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
    card = {"base_model": ["acme/base", "else/Where"], "base_model_relation": "merge"}
    repo = hub.repo("acme/child", created_at=created_at, card=card)
    repo.commit({"model.safetensors": weights("a")})
    origin = opened("acme/child").origin
    assert origin.declared_bases == ("acme/base", "else/Where")
    assert origin.declared_relation == "merge"
    assert origin.created_at == created_at


def test_a_card_that_breaks_the_clients_parser_does_not_hide_the_weights(hub) -> None:
    card = {"ignore_metadata_errors": True, "self": 1, "base_model": "acme/base"}
    repo = hub.repo("acme/hidden", card=card)
    repo.commit({"model.safetensors": weights("a")})
    checkpoint = opened("acme/hidden")
    assert checkpoint.origin.declared_bases == ("acme/base",)
    assert len(checkpoint.tensors) == 1
    assert checkpoint.files[0].sha256


@pytest.mark.parametrize("repo", ["acme/../etc", "acme//x", "-acme/x", "a/b/c", "acme/x.git", ""])
def test_a_malformed_id_is_refused_before_any_request(hub, repo: str) -> None:
    with pytest.raises(UsageError):
        opened(repo)
    assert not hub.log


def test_a_missing_and_a_private_repo_look_the_same_to_a_stranger(hub) -> None:
    hub.repo("acme/secret", private=True)
    for name in ("acme/secret", "acme/nothing"):
        with pytest.raises(RepoNotFoundError, match=f"No such public repo: {name}"):
            opened(name)


def test_an_unknown_revision_is_said_to_be_so(hub) -> None:
    hub.repo("acme/original")
    with pytest.raises(RevisionNotFoundError, match="acme/original@v9"):
        opened("acme/original", "v9")


@pytest.mark.parametrize("state", [{"gated": "auto"}, {"gated": "manual"}, {"disabled": True}])
@pytest.mark.parametrize("known", [False, True])
def test_what_is_not_public_is_not_said_why(hub, configure, state, known: bool) -> None:
    if known:
        configure(hub_token=hub.user("reader").token)
    hub.repo("acme/closed", **state).commit({"model.safetensors": weights("a")})
    with pytest.raises(NotPublicError) as caught:
        opened("acme/closed")
    assert caught.value.message in (
        "acme/closed is not public.",
        "'model.safetensors' of acme/closed is not public.",
    )


def test_a_token_opens_what_it_may_and_stays_with_the_hub(hub, configure) -> None:
    owner = hub.user("acme")
    configure(hub_token=owner.token)
    files = {"model.safetensors": weights("a")}
    hub.repo("acme/secret", private=True).commit(files)
    hub.repo("acme/gated", gated="manual").commit(files)
    checkpoint = opened("acme/secret")
    assert checkpoint.origin.visibility is Visibility.PRIVATE
    assert opened("acme/gated").origin.visibility is Visibility.GATED
    assert list(checkpoint.read(spans_of(checkpoint))) == stored_bytes(checkpoint, files)
    assert all(seen.authorized for seen in hub.log.of(origin="api"))
    assert not any(seen.authorized for seen in hub.log.of(origin="cdn"))


def test_a_refused_token_is_not_shown(hub, configure, caplog) -> None:
    configure(hub_token="hf_withdrawn")
    hub.repo("acme/original")
    with caplog.at_level("DEBUG"), pytest.raises(HubError) as caught:
        opened("acme/original")
    assert "KINPRINT_HUB_TOKEN" in caught.value.hint
    assert "hf_withdrawn" not in str(caught.value) + caplog.text


def test_a_token_that_lies_on_the_machine_is_not_used(hub, monkeypatch) -> None:
    monkeypatch.setenv("HF_TOKEN", hub.user("somebody").token)
    hub.repo("acme/original").commit({"model.safetensors": weights("a")})
    opened("acme/original")
    assert not any(seen.authorized for seen in hub.log)


def test_who_reads_is_said(hub, configure) -> None:
    configure(contact="ops@acme.example")
    hub.repo("acme/original").commit({"model.safetensors": weights("a")})
    opened("acme/original")
    for seen in hub.log:
        assert seen.user_agent.startswith("kinprint/")
        assert seen.user_agent.endswith("; ops@acme.example")


def test_an_expired_address_is_asked_for_again(hub) -> None:
    files = {"model.safetensors": weights("a", "b")}
    hub.repo("acme/original").commit(files)
    checkpoint = opened("acme/original")
    hub.cdn.expire_addresses()
    assert list(checkpoint.read(spans_of(checkpoint))) == stored_bytes(checkpoint, files)
    assert len(hub.log.of(method="HEAD")) == 2


def test_a_spent_rate_limit_is_waited_for(hub, monkeypatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(
        tenacity.nap.time, "sleep", lambda s: (waits.append(s), hub.clock.advance(s))
    )
    hub.repo("acme/original").commit({"model.safetensors": weights("a")})
    hub.limits.quotas["anonymous"] = Quota(api=1, resolvers=10)
    hub.limits.window_s = 60
    opened("acme/original")
    assert 1 <= len(waits) <= 2
    assert all(wait_s <= 60.5 for wait_s in waits)


def test_passing_failures_of_every_kind_are_survived(hub, waits) -> None:
    files = {"model.safetensors": weights("a")}
    hub.repo("acme/original").commit(files)
    hub.faults.status(503, "/api/*", times=1)
    hub.faults.status(502, method="HEAD", times=1)
    hub.faults.drop(origin="cdn", times=1)
    checkpoint = opened("acme/original")
    hub.faults.short_body(origin="cdn", times=1)
    assert list(checkpoint.read(spans_of(checkpoint))) == stored_bytes(checkpoint, files)
    assert len(waits) == 4


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("where", [{"origin": "cdn"}, {"method": "HEAD"}, {"pattern": "/api/*"}])
@pytest.mark.parametrize("fault", ["stall", "delay"])
def test_a_stalling_server_is_given_up(hub, where, fault: str) -> None:
    hub.repo("acme/original").commit({"model.safetensors": weights("a")})
    if fault == "stall" and where != {"method": "HEAD"}:
        hub.faults.stall(**where)
    else:
        hub.faults.delay(1.0, **where)
    with pytest.raises(HubTimeoutError, match="No answer in time"):
        opened("acme/original")


@pytest.mark.usefixtures("impatient")
def test_bodies_that_keep_breaking_off_end_the_reading(hub) -> None:
    hub.repo("acme/original").commit({"model.safetensors": weights("a")})
    hub.faults.short_body(origin="cdn")
    with pytest.raises(HubError, match=r"model\.safetensors"):
        opened("acme/original")


@pytest.mark.parametrize("fault", ["ignore_range", "other_range", "truncate"])
def test_other_bytes_than_asked_for_are_refused(hub, fault: str) -> None:
    content = weights("a", rows=20_000)
    hub.repo("acme/original").commit({"model.safetensors": content})
    getattr(hub.faults, fault)(origin="cdn")
    with pytest.raises(RangeRefusedError, match=r"model\.safetensors"):
        opened("acme/original")
    assert hub.log.bytes_sent(origin="cdn") < len(content)


def test_another_files_bytes_are_no_header(hub) -> None:
    content = weights("a")
    hub.repo("acme/original").commit({"model.safetensors": content})
    hub.faults.other_bytes(b"\xff" * len(content), origin="cdn")
    with pytest.raises(CheckpointError, match=r"model\.safetensors"):
        opened("acme/original")


def test_a_host_that_nobody_listed_is_not_read_from(hub, configure) -> None:
    configure(cdn_hosts="")
    hub.repo("acme/original").commit({"model.safetensors": weights("a")})
    with pytest.raises(HostRefusedError, match=r"127\.0\.0\.1"):
        opened("acme/original")
    assert not hub.log.of(origin="cdn")


@pytest.mark.parametrize(
    "to",
    [
        "https://evil.example/model",
        "http://127.0.0.1:1/model",
        "https://127.0.0.1:1/model",
        "https://169.254.169.254/latest/meta-data",
        "https://[::ffff:127.0.0.1]/model",
    ],
)
@pytest.mark.parametrize("where", [{"method": "HEAD"}, {"origin": "cdn"}, {"pattern": "/api/*"}])
def test_redirects_to_other_hosts_and_private_addresses_are_refused(hub, to, where) -> None:
    hub.repo("acme/original").commit({"model.safetensors": weights("a")})
    hub.faults.redirect(to, **where)
    with pytest.raises(HostRefusedError):
        opened("acme/original")


def test_hops_are_few(hub) -> None:
    hub.repo("acme/original").commit({"model.safetensors": weights("a")})
    hub.faults.redirect("/acme/original/resolve/main/again", method="HEAD")
    with pytest.raises(HostRefusedError, match="3 redirects"):
        opened("acme/original")
    assert len(hub.log.of(method="HEAD")) == 4


def test_a_shard_that_is_missing_is_named(hub) -> None:
    files = {"model.safetensors.index.json": index_of({"lost.safetensors": ("a",)})}
    hub.repo("acme/broken").commit(files)
    with pytest.raises(MalformedIndexError, match=r"lost\.safetensors"):
        opened("acme/broken")


def test_the_hubs_client_is_not_imported_before_it_is_needed() -> None:
    code = "import sys, kinprint.checkpoints.open; sys.exit('huggingface_hub' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
