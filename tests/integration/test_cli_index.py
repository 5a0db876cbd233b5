"""The index commands against the Hub stand-in."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING, Any

import pytest
import tenacity
from click.testing import CliRunner
from safetensors.numpy import save

from hub_standin.rate_limits import Quota
from kinprint.cli import main
from kinprint.settings import settings
from kinprint.sketches.secret import SecretKey
from weights import noised, renamed, strangers

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from click.testing import Result

    from hub_standin import HubStandIn

ORIGINAL = strangers(1)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments), catch_exceptions=False)


def run_json(*arguments: str) -> Any:
    return json.loads(run(*arguments, "--json").stdout)


@pytest.fixture
def hub(connected_hub: HubStandIn) -> HubStandIn:
    connected_hub.repo("acme/original").commit({"model.safetensors": save(ORIGINAL)})
    copy = renamed(noised(ORIGINAL, 1 / 708, seed=99))
    connected_hub.repo("rival/copy").commit({"model.safetensors": save(copy)})
    return connected_hub


def list_of(repos: Iterable[str], folder: Path) -> Path:
    path = folder / "bases.toml"
    lines = "".join(
        f'[[base]]\nrepo = "{repo}"\nfamily = "acme"\nsource = "https://acme.example/"\n'
        for repo in repos
    )
    path.write_text(f'dated = "2026-11-23"\n{lines}')
    return path


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    return list_of(("acme/original", "nobody/nothing", "rival/copy"), tmp_path)


def test_add_then_similar_finds_the_copy_and_exits_10(hub: HubStandIn) -> None:
    added = run_json("index", "add", "acme/original")["added"]
    assert [(each["repo"], each["is_new"]) for each in added] == [("acme/original", True)]
    done = run("similar", "rival/copy", "--json", "--exit-code")
    assert done.exit_code == 10
    answer = json.loads(done.stdout)
    assert answer["matches"][0]["repo"] == "acme/original"
    assert answer["matches"][0]["relation"] == "derived"
    again = run_json("index", "add", "acme/original")["added"]
    assert [(each["bytes_read"], each["is_new"]) for each in again] == [(0, False)]


def test_similar_reads_well(hub: HubStandIn) -> None:
    run("index", "add", "acme/original")
    text = run("similar", "rival/copy").stdout
    assert "rival/copy" in text.splitlines()[0]
    assert "σ" in text
    assert "kinprint index bootstrap" in text
    assert "What this does not say" in text


def test_a_local_folder_is_compared_and_never_stored(hub: HubStandIn, tmp_path: Path) -> None:
    run("index", "add", "acme/original")
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(save(ORIGINAL))
    assert run_json("similar", str(folder))["verdict"]["relation"] == "same_weights"
    assert run_json("index", "stats")["models"] == 1


def test_a_private_repo_is_compared_and_never_stored(
    hub: HubStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("index", "add", "acme/original")
    hub.repo("hidden/secret", private=True).commit({"model.safetensors": save(ORIGINAL)})
    monkeypatch.setenv("KINPRINT_HUB_TOKEN", hub.user("bot", orgs=("hidden",)).token)
    settings.cache_clear()
    assert run_json("similar", "hidden/secret")["verdict"]["relation"] == "same_weights"
    assert run_json("index", "stats")["models"] == 1
    refused = run("index", "add", "hidden/secret")
    assert refused.exit_code == 1
    assert "not public" in refused.stderr


def test_one_that_fails_does_not_stop_the_others(hub: HubStandIn) -> None:
    done = run("index", "add", "nobody/nothing", "acme/original", "--json")
    assert done.exit_code == 1
    result = json.loads(done.stdout)
    assert [each["repo"] for each in result["added"]] == ["acme/original"]
    assert [each["code"] for each in result["failed"]] == ["repo_not_found"]


def test_local_weights_do_not_enter_the_index(hub: HubStandIn, tmp_path: Path) -> None:
    done = run("index", "add", str(tmp_path))
    assert done.exit_code == 2
    assert "kinprint similar" in done.stderr


def test_bootstrap_shows_what_it_takes_before_it_reads(hub: HubStandIn, listed: Path) -> None:
    plan = run_json("index", "bootstrap", "--list", str(listed), "--dry-run")
    assert (plan["listed"], plan["to_read"], plan["indexed_before"]) == (3, 2, 0)
    assert plan["bytes_expected"] > 0
    assert hub.log.of("*", origin="cdn") == []


def test_bootstrap_asks_nobody_without_a_terminal(hub: HubStandIn, listed: Path) -> None:
    done = run("index", "bootstrap", "--list", str(listed))
    assert done.exit_code == 2
    assert "--yes" in done.stderr


def test_bootstrap_goes_on_after_a_failure_and_resumes(hub: HubStandIn, listed: Path) -> None:
    done = run("index", "bootstrap", "--list", str(listed), "--yes")
    assert done.exit_code == 1
    assert "failed: nobody/nothing" in done.stderr
    assert run_json("index", "stats")["models"] == 2
    read = len(hub.log.of("*", origin="cdn"))
    again = run_json("index", "bootstrap", "--list", str(listed), "--yes")
    assert (again["indexed_before"], again["to_read"]) == (2, 0)
    assert len(hub.log.of("*", origin="cdn")) == read


def test_bootstrap_waits_for_the_rate_limits_of_a_reader_without_an_account(
    hub: HubStandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(
        tenacity.nap.time, "sleep", lambda s: (waits.append(s), hub.clock.advance(s))
    )
    hub.limits.quotas["anonymous"] = Quota(api=9, resolvers=3_000)
    names = [f"bases/b{number}" for number in range(10)]
    for number, name in enumerate(names):
        hub.repo(name).commit({"model.safetensors": save(strangers(number, layers=3))})
    done = run("index", "bootstrap", "--list", str(list_of(names, tmp_path)), "--yes")
    assert done.exit_code == 0, done.stderr
    assert run_json("index", "stats")["models"] == len(names)
    # Two questions a repo are all that is asked of the API.
    assert 1 <= len(waits) <= 2 * len(names) / 9 + 1
    assert all(250 < wait_s <= 301 for wait_s in waits)


def test_bootstrap_says_which_bases_need_a_token_and_does_not_fail_for_them(
    hub: HubStandIn, tmp_path: Path
) -> None:
    hub.repo("acme/gated", gated="manual").commit({"model.safetensors": save(strangers(7))})
    path = list_of(["acme/original", "acme/gated"], tmp_path)
    done = run("index", "bootstrap", "--list", str(path), "--yes")
    assert done.exit_code == 0, done.stderr
    assert "1 of these are gated" in done.stdout
    assert "KINPRINT_HUB_TOKEN" in done.stdout
    assert run_json("index", "bootstrap", "--list", str(path), "--yes")["gated"] == ["acme/gated"]


def test_a_rotated_key_replaces_the_old_one_once_everything_was_read_again(
    hub: HubStandIn,
) -> None:
    passing = hub.repo("passing/by")
    passing.commit({"model.safetensors": save(strangers(5))})
    run("index", "add", "acme/original", "passing/by")
    path = settings().data_dir / "secret.key"
    (old,) = SecretKey.load_all(path)
    passing.private = True
    done = run("index", "renew-probes", "--rotate", "--json")
    assert done.exit_code == 1
    report = json.loads(done.stdout)
    assert (report["renewed"], report["keys"]) == (1, 2)
    assert [each["repo"] for each in report["failed"]] == ["passing/by"]
    passing.private = False
    report = run_json("index", "renew-probes")
    assert (report["renewed"], report["keys"], report["failed"]) == (1, 1, [])
    (new,) = SecretKey.load_all(path)
    assert new.id != old.id
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_key_that_a_finding_rests_on_outlives_its_rotation(hub: HubStandIn) -> None:
    run("index", "add", "acme/original", "rival/copy")
    found = run_json("similar", "rival/copy")["matches"][0]["relation"]
    report = run_json("index", "renew-probes", "--rotate")
    assert (report["renewed"], report["keys"], report["failed"]) == (2, 2, [])
    assert run_json("similar", "rival/copy")["matches"][0]["relation"] == found == "derived"


def test_a_mistyped_folder_is_not_only_called_a_missing_repo(hub: HubStandIn) -> None:
    done = run("fingerprint", "my-modle", "-o", "out.safetensors")
    assert done.exit_code == 2
    assert "Nor is there a file or folder 'my-modle'" in done.stderr


def test_compare_works_across_hub_and_disk(hub: HubStandIn, tmp_path: Path) -> None:
    file = tmp_path / "copy.safetensors"
    taken = run_json("fingerprint", "rival/copy", "-o", str(file))
    assert set(taken) == {
        *("repo", "revision", "views", "sketched", "depth"),
        *("bytes_read", "bytes_stored", "digest", "file"),
    }
    assert taken["bytes_stored"] == file.stat().st_size
    done = run("compare", str(file), "acme/original", "--json", "--exit-code")
    assert done.exit_code == 10
    verdict = json.loads(done.stdout)["verdict"]
    assert verdict["relation"] == "derived"
    assert len(verdict["rename_map"]) >= 12
