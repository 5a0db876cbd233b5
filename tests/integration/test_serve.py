"""`kinprint serve` as an operator starts it, reading from the Hub stand-in."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

import pytest
from safetensors.numpy import save

from hub_standin import HubStandIn
from weights import noised, renamed, strangers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import numpy as np

SIGMA = 1 / 708
START_TIMEOUT_S = 60

_direct = build_opener(ProxyHandler({}))


@dataclass
class Reply:
    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text) if self.text else None


@dataclass
class Server:
    """A running `kinprint serve`."""

    process: subprocess.Popen[str]
    address: str
    environ: Mapping[str, str]

    def browse(self, path: str, **query: Any) -> Reply:
        return self.ask(path, accept="text/html,application/xhtml+xml,*/*;q=0.8", **query)

    def ask(
        self,
        path: str,
        *,
        method: str = "GET",
        body: Any = None,
        accept: str = "*/*",
        **query: Any,
    ) -> Reply:
        url = f"{self.address}{path}" + (f"?{urlencode(query)}" if query else "")
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "Accept": accept}
        request = Request(url, data, headers, method=method)
        try:
            response = _direct.open(request, timeout=150)
        except HTTPError as error:
            response = error
        with response:
            return Reply(response.status, response.headers, response.read().decode())

    def similar(self, repo: str, **query: Any) -> Reply:
        return self.ask("/similar", repo=repo, wait=100, **query)

    def workers(self) -> list[int]:
        children = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        return [int(pid) for pid in Path(children).read_text().split()]


@pytest.fixture(scope="module")
def hub() -> Iterator[HubStandIn]:
    with HubStandIn() as hub:
        yield hub


StartServer = "Callable[..., Server]"

HEARS_CTRL_C = ("env", "--default-signal=INT")
"""A shell without job control starts background jobs deaf to SIGINT, and so their children."""


@pytest.fixture(scope="module")
def start(hub: HubStandIn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartServer]:
    running: list[subprocess.Popen[str]] = []

    def begin(*arguments: str, **variables: str) -> Server:
        environ = {
            **hub.environ(),
            "KINPRINT_DATA_DIR": str(tmp_path_factory.mktemp("kinprint")),
            "KINPRINT_PORT": "0",
            **variables,
        }
        process = subprocess.Popen(
            [*HEARS_CTRL_C, sys.executable, "-m", "kinprint.cli", "serve", *arguments],
            env=environ,
            stdout=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"http://\S+", line)
        assert found, line
        return Server(process, found[0], environ)

    yield begin
    for process in running:
        process.terminate()
        process.wait(30)
        if process.stdout is not None:
            process.stdout.close()


@pytest.fixture(scope="module")
def server(start: StartServer) -> Server:
    server = start(KINPRINT_LOOK_UPS_PER_MINUTE="10000", KINPRINT_NEW_READS_PER_HOUR="10000")
    wait_until(lambda: server.ask("/health/ready").status == 200)
    return server


def wait_until(true: Callable[[], bool], timeout_s: float = START_TIMEOUT_S) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.1)


def files(weights: Mapping[str, np.ndarray]) -> dict[str, bytes]:
    return {"model.safetensors": save(dict(weights))}


ORIGINAL = strangers(1)


@pytest.fixture(scope="module")
def original(hub: HubStandIn) -> str:
    return hub.repo("acme/original").commit(files(ORIGINAL))


@pytest.fixture(scope="module")
def copy(hub: HubStandIn) -> str:
    return hub.repo("rival/copy").commit(files(renamed(noised(ORIGINAL, SIGMA, seed=99))))


def test_a_copy_is_found_by_a_plain_request(server: Server, original: str, copy: str) -> None:
    assert server.similar("acme/original").status == 200
    reply = server.similar("rival/copy")
    assert reply.status == 200
    answer = reply.json
    assert answer["status"] == "ready"
    assert answer["revision"] == copy
    (match,) = answer["matches"]
    assert (match["repo"], match["revision"]) == ("acme/original", original)
    assert match["relation"] == "derived"
    kinds = {each["name"]: each["figures"] for each in match["transforms"]}
    assert kinds["noised"]["sigma_low"] <= SIGMA <= kinds["noised"]["sigma_high"]
    assert kinds["renamed"]["renamed"] > 0
    assert answer["coverage"]["models"] >= 2
    assert "kinprint index bootstrap" in answer["coverage"]["advice"]


def test_the_evidence_address_answers(server: Server, original: str, copy: str) -> None:
    server.similar("acme/original")
    (match,) = server.similar("rival/copy").json["matches"]
    assert match["evidence_url"].startswith(server.address)
    path = match["evidence_url"].removeprefix(server.address)
    comparison = server.ask(path).json
    assert (comparison["a"]["repo"], comparison["b"]["repo"]) == ("rival/copy", "acme/original")
    for name in ("relation", "sentence", "direction", "rename_map"):
        assert comparison["verdict"][name] == match["verdict"][name]
    evidence = comparison["evidence"]
    assert evidence["weights"]["explained"] > 0.9
    assert evidence["change"]["kind"] == "added_noise"
    assert evidence["timeline"]["order"] == "match_first" or evidence["timeline"]["reason"]
    assert evidence["reproduction"]["commands"][0].startswith("kinprint compare rival/copy@")


def test_a_browser_gets_the_report_and_the_page_of_a_model(
    server: Server, original: str, copy: str
) -> None:
    server.similar("acme/original")
    server.similar("rival/copy")
    pair = {"a": "rival/copy", "b": "acme/original", "wait": 60}
    report = server.browse("/compare", **pair)
    assert report.status == 200
    assert report.headers["Content-Type"].startswith("text/html")
    assert "default-src 'none'" in report.headers["Content-Security-Policy"]
    assert "<svg" in report.text
    assert "rival/copy" in report.text
    assert 'lang="zh' in server.browse("/compare", language="zh", **pair).text
    model = server.browse("/models/rival/copy", wait=60)
    assert "acme/original" in model.text
    assert "/compare?" in model.text


def test_what_a_card_claims_is_quoted_beside_the_measurement(
    server: Server, hub: HubStandIn, original: str
) -> None:
    server.similar("acme/original")
    card = "# Ours\n\nThis model was trained from scratch by us.\n"
    weights = renamed(noised(ORIGINAL, SIGMA, seed=77))
    hub.repo("boaster/model").commit({**files(weights), "README.md": card.encode()})
    server.similar("boaster/model")
    reply = server.ask("/compare", a="boaster/model", b="acme/original")
    (claim,) = reply.json["evidence"]["declarations"]
    assert (claim["side"], claim["line"], claim["code"]) == ("repo", 3, "trained_from_scratch")
    assert "trained from scratch" in claim["quote"]


def test_an_unread_repo_gives_202_and_then_its_answer(server: Server, hub: HubStandIn) -> None:
    sha = hub.repo("acme/later").commit(files(strangers(2)))
    reply = server.ask("/similar", repo="acme/later")
    assert reply.status == 202
    assert reply.json["status"] in {"queued", "reading"}
    assert reply.json["revision"] == sha
    assert reply.json["coverage"]["small"]
    assert int(reply.headers["Retry-After"]) > 0
    again = reply.headers["Location"].removeprefix(server.address)
    wait_until(lambda: server.ask(again).status == 200)
    assert server.ask(again).json["verdict"]["relation"] == "unrelated"


def test_a_repo_asked_for_twice_is_read_once(server: Server, hub: HubStandIn) -> None:
    hub.repo("acme/popular").commit(files(strangers(3)))
    for _ in range(4):
        server.ask("/similar", repo="acme/popular")
    assert server.similar("acme/popular").status == 200
    assert server.similar("acme/popular").status == 200
    assert len(hub.log.of("/acme/popular/resolve/*", origin="api")) == 1


def test_a_new_revision_supersedes_and_the_old_one_still_answers(
    server: Server, hub: HubStandIn
) -> None:
    repo = hub.repo("acme/moving")
    old = repo.commit(files(strangers(4)))
    assert server.similar("acme/moving").json["revision"] == old
    new = repo.commit(files(strangers(5)))
    wait_until(lambda: server.similar("acme/moving").json["revision"] == new)
    assert server.similar("acme/moving", revision=old).json["revision"] == old


def test_a_declared_child_is_declared_and_its_base_is_read_with_it(
    server: Server, hub: HubStandIn
) -> None:
    base = strangers(6)
    hub.repo("honest/base").commit(files(base))
    child = hub.repo("honest/child", card={"base_model": "honest/base"})
    child.commit(files(noised(base, 1e-3, seed=99)))
    (match,) = server.similar("honest/child").json["matches"]
    assert match["repo"] == "honest/base"
    assert match["declared"]
    assert match["direction"] == "repo_from_match"


def test_an_ancestor_that_cannot_be_read_is_named_with_the_reason(
    server: Server, hub: HubStandIn
) -> None:
    child = hub.repo("honest/orphan", card={"base_model": "gone/base"})
    child.commit(files(strangers(7)))
    unread = server.similar("honest/orphan").json["coverage"]["ancestors_unread"]
    assert "gone/base" in unread
    assert unread["gone/base"]


def test_a_missing_repo_is_404_at_once(server: Server) -> None:
    reply = server.ask("/similar", repo="nobody/nothing")
    assert reply.status == 404
    assert reply.json["error"]["code"] == "repo_not_found"


def test_a_missing_revision_is_404(server: Server, original: str) -> None:
    reply = server.ask("/similar", repo="acme/original", revision="no-such-branch")
    assert reply.status == 404
    assert reply.json["error"]["code"] == "revision_not_found"


def test_a_malformed_id_never_reaches_the_hub(server: Server, hub: HubStandIn) -> None:
    before = len(hub.log)
    for repo in ("../../etc/passwd", "a/b/c", "https://localhost/x", "a--b/c", "x y"):
        assert server.ask("/similar", repo=repo).status == 400
    assert len(hub.log) == before


def test_compare_answers_on_two_repos(server: Server, original: str, copy: str) -> None:
    body = {"a": "rival/copy", "b": f"acme/original@{original}", "wait": 100}
    reply = server.ask("/compare", method="POST", body=body)
    assert reply.status == 200
    assert reply.json["a"]["repo"] == "rival/copy"
    assert reply.json["verdict"]["relation"] == "derived"
    assert reply.json["verdict"]["coverage"]["models"] >= 1


def test_compare_takes_no_paths(server: Server, tmp_path: Path) -> None:
    body = {"a": str(tmp_path), "b": "/etc/passwd"}
    assert server.ask("/compare", method="POST", body=body).status == 400


def test_unreadable_weights_are_insufficient_never_clean(server: Server, hub: HubStandIn) -> None:
    hub.repo("acme/broken").commit({"model.safetensors": b"\xff" * 4_000})
    answer = server.similar("acme/broken")
    assert answer.status == 200
    assert answer.json["verdict"]["relation"] == "insufficient"
    assert "[limit_exceeded]" in answer.json["verdict"]["reason"]


def test_a_gated_repo_without_access_is_not_public(server: Server, hub: HubStandIn) -> None:
    hub.repo("acme/gated", gated="manual").commit(files(strangers(8)))
    reply = server.similar("acme/gated")
    assert reply.status == 404
    assert reply.json["error"]["message"] == "not public"


def test_a_repo_that_became_private_is_not_public_any_more(server: Server, hub: HubStandIn) -> None:
    repo = hub.repo("acme/shy")
    repo.commit(files(strangers(9)))
    assert server.similar("acme/shy").status == 200
    repo.private = True
    # A HEAD starts no reading; it must not show what a GET no longer would.
    wait_until(lambda: server.ask("/similar", repo="acme/shy", method="HEAD").status == 404)
    error = server.ask("/similar", repo="acme/shy").json["error"]
    assert (error["code"], error["message"]) == ("not_public", "not public")
    assert server.ask("/similar", repo="acme/shy", method="HEAD").status == 404


def test_a_head_request_reads_nothing(server: Server, hub: HubStandIn) -> None:
    hub.repo("acme/unasked").commit(files(strangers(10)))
    before = len(hub.log)
    assert server.ask("/similar", repo="acme/unasked", method="HEAD").status == 404
    assert len(hub.log) == before


def test_private_repos_that_the_token_can_read_are_never_answered_for(
    hub: HubStandIn, start: StartServer
) -> None:
    staff = hub.user("acme-bot", orgs=("hidden",))
    hub.repo("hidden/secret", private=True).commit(files(strangers(11)))
    server = start(KINPRINT_HUB_TOKEN=staff.token)
    for query in ({}, {"revision": "main"}, {"revision": "no-such-branch"}):
        private, missing = (
            server.similar(f"hidden/{name}", **query) for name in ("secret", "gone")
        )
        assert private.status == missing.status == 404
        assert private.json["error"]["code"] == "repo_not_found"
        assert str(private.json).replace("secret", "gone") == str(missing.json)
    assert hub.log.of("/hidden/secret/resolve/*") == []
    assert server.ask("/").json["models"] == 0
    card = {"base_model": ["hidden/secret", "hidden/gone"]}
    hub.repo("curious/card", card=card).commit(files(strangers(15)))
    unread = server.similar("curious/card").json["coverage"]["ancestors_unread"]
    assert unread["hidden/secret"] == unread["hidden/gone"]


def test_a_pull_request_does_not_put_weights_into_somebody_elses_repo(
    server: Server, hub: HubStandIn, original: str
) -> None:
    honest = hub.repo("honest/model")
    honest.commit(files(strangers(16)))
    planted = honest.commit(
        files(renamed(noised(ORIGINAL, SIGMA, seed=98))), branch="refs/pr/1", author="mallory"
    )
    for revision in ("refs/pr/1", planted):
        reply = server.similar("honest/model", revision=revision)
        assert (reply.status, reply.json["error"]["code"]) == (404, "revision_not_found")
    matches = server.similar("acme/original").json["matches"]
    assert "honest/model" not in [match["repo"] for match in matches]


def test_asking_for_an_old_commit_does_not_make_it_the_newest(
    server: Server, hub: HubStandIn
) -> None:
    repo = hub.repo("acme/grown")
    old, new = (repo.commit(files(strangers(seed))) for seed in (17, 18))
    assert server.similar("acme/grown").json["revision"] == new
    assert server.similar("acme/grown", revision=old).json["revision"] == old
    hub.repo("acme/child", card={"base_model": "acme/grown"}).commit(
        files(noised(strangers(18), SIGMA, seed=97))
    )
    (match,) = server.similar("acme/child").json["matches"]
    assert (match["repo"], match["revision"]) == ("acme/grown", new)


def test_one_repo_cannot_use_up_more_than_the_day_allows(
    hub: HubStandIn, start: StartServer
) -> None:
    hub.repo("huge/model").commit(files(strangers(19)))
    server = start(KINPRINT_BYTES_PER_DAY="100000")
    verdict = server.similar("huge/model").json["verdict"]
    assert verdict["relation"] == "insufficient"
    assert "[limit_exceeded]" in verdict["reason"]


def test_limits_answer_429_with_retry_after(hub: HubStandIn, start: StartServer) -> None:
    for name in ("one", "two"):
        hub.repo(f"limits/{name}").commit(files(strangers(12)))
    server = start(KINPRINT_NEW_READS_PER_HOUR="1", KINPRINT_BYTES_PER_DAY="1")
    assert server.ask("/similar", repo="limits/one").status == 202
    reply = server.ask("/similar", repo="limits/two")
    assert reply.status == 429
    assert reply.json["error"]["code"] == "rate_limited"
    assert int(reply.headers["Retry-After"]) > 0


def test_a_spent_budget_answers_429(hub: HubStandIn, start: StartServer) -> None:
    hub.repo("limits/three").commit(files(strangers(13)))
    server = start(KINPRINT_BYTES_PER_DAY="0")
    reply = server.ask("/similar", repo="limits/three")
    assert (reply.status, reply.json["error"]["code"]) == (429, "budget_spent")
    assert int(reply.headers["Retry-After"]) > 0


def test_who_waits_is_told_the_place_in_the_queue(hub: HubStandIn, start: StartServer) -> None:
    server = start("--no-worker")
    places = []
    for name in ("first", "second"):
        hub.repo(f"queued/{name}").commit(files(strangers(15)))
        places.append(server.ask("/similar", repo=f"queued/{name}").json["position"])
    assert places == [1, 2]


def test_a_small_index_is_said_to_be_small_at_the_start(start: StartServer) -> None:
    process = start("--no-worker").process
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(2)]
    assert "kinprint index bootstrap" in lines[-1]


def test_without_a_worker_it_is_live_but_not_ready(start: StartServer) -> None:
    server = start("--no-worker")
    assert server.ask("/health/live").status == 200
    reply = server.ask("/health/ready")
    assert (reply.status, reply.json["error"]["code"]) == (503, "not_ready")
    assert server.workers() == []


def test_a_dead_worker_is_replaced_and_its_reading_done(
    hub: HubStandIn, start: StartServer
) -> None:
    server = start()
    wait_until(lambda: server.ask("/health/ready").status == 200)
    (worker,) = server.workers()
    os.kill(worker, signal.SIGKILL)
    hub.repo("acme/survivor").commit(files(strangers(14)))
    assert server.similar("acme/survivor").status == 200
    assert server.workers() != [worker]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_server_and_worker_end_together(start: StartServer, how: signal.Signals) -> None:
    server = start()
    wait_until(lambda: server.ask("/health/ready").status == 200)
    (worker,) = server.workers()
    server.process.send_signal(how)
    code = server.process.wait(30)
    assert code == (-how if how is signal.SIGKILL else 0)
    wait_until(lambda: not is_running(worker))


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_taken_port_is_an_error_with_a_hint(server: Server) -> None:
    port = server.address.rpartition(":")[2]
    done = subprocess.run(
        [sys.executable, "-m", "kinprint.cli", "serve", "--port", port],
        env=server.environ,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert f"already listens on 127.0.0.1:{port}" in done.stderr
    assert "--port" in done.stderr
    assert "Traceback" not in done.stderr
