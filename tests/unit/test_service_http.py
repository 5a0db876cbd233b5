"""The outside of the HTTP API: one error shape, limits, who may start a reading."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from kinprint.errors import BudgetError, IndexUnreadableError, NotPublicError, NotReadyError
from kinprint.lineage.verdict import Coverage, Relation, Similar, Verdict
from kinprint.service.app import create_app
from kinprint.service.limits import REQUEST_BYTES
from kinprint.service.schemas import Pending, Ready
from kinprint.settings import Settings

COVERAGE = Coverage(models=3, small=True, advice="run `kinprint index bootstrap`.")
VERDICT = Verdict(relation=Relation.UNRELATED, sentence="No relative was found.", coverage=COVERAGE)


class StubAnswers:
    """Answers as told; remembers who asked."""

    def __init__(self) -> None:
        self.asked = []
        self.spends = False
        self.answer = Similar(
            repo="acme/model",
            revision="a" * 40,
            verdict=VERDICT,
            matches=(),
            coverage=COVERAGE,
            checked_at=datetime(2026, 11, 23, tzinfo=UTC),
        )

    def coverage(self):
        return COVERAGE

    def ready(self):
        return Ready(models=3, as_of=None, waiting=0)

    def similar(self, repo, revision, asker, *, wait_s):
        self.asked.append((repo, revision, asker, wait_s))
        if self.spends:
            asker.spend_new_read()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def compare(self, a, b, asker, *, wait_s):
        return self.similar(a, b, asker, wait_s=wait_s)


@pytest.fixture
def answers():
    return StubAnswers()


@pytest.fixture
def make_client(answers):
    def make(**changed):
        return create_app(answers, Settings(**changed)).test_client()

    return make


@pytest.fixture
def client(make_client):
    return make_client()


def error_of(response, status):
    assert response.status_code == status, response.text
    assert response.mimetype == "application/json"
    error = response.json["error"]
    assert set(error) == {"code", "message", "hint"}
    assert all(error.values())
    return error


def test_similar_answers_with_its_coverage_and_says_that_nobody_reviewed_it(client, answers):
    response = client.get("/similar?repo=acme/model&revision=main&wait=30")
    assert response.status_code == 200
    assert response.json["status"] == "ready"
    assert response.json["review"] == "unreviewed measurement"
    assert response.json["coverage"]["models"] == 3
    assert response.json["coverage"]["advice"]
    ((repo, revision, asker, wait_s),) = answers.asked
    assert (repo, revision, wait_s) == ("acme/model", "main", 30.0)
    assert asker.base_url == "http://localhost"
    assert asker.may_enqueue


def test_a_repo_being_read_gives_202_with_location_and_retry_after(client, answers):
    answers.answer = Pending(
        repo="acme/model", revision="b" * 40, status="queued", position=1, coverage=COVERAGE
    )
    response = client.get("/similar?repo=acme/model")
    assert response.status_code == 202
    assert int(response.headers["Retry-After"]) > 0
    again = response.headers["Location"]
    assert again == f"http://localhost/similar?repo=acme%2Fmodel&revision={'b' * 40}"
    assert response.json["coverage"]["models"] == 3


def test_links_use_the_public_address_where_one_is_set(make_client, answers):
    make_client(public_url="https://kin.example/").get("/similar?repo=acme/model")
    assert answers.asked[0][2].base_url == "https://kin.example"


@pytest.mark.parametrize(
    "query",
    [
        "",
        "repo=",
        "repo=a/b&wait=-1",
        "repo=a/b&wait=121",
        "repo=a/b&wait=nan",
        "repo=a/b&wait=soon",
        "repo=a/b&reviison=main",
        f"repo={'a' * 300}",
    ],
)
def test_a_wrong_query_is_refused_with_400(client, query):
    assert error_of(client.get(f"/similar?{query}"), 400)["code"] == "usage"


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"a": "x/y"}', b'{"a": 1, "b": 2}', b'"x"', b"\xff"]
)
def test_a_wrong_body_is_refused_with_400(client, body):
    error_of(client.post("/compare", data=body, content_type="application/json"), 400)


def test_a_deeply_nested_body_is_refused(client):
    body = b"[" * (REQUEST_BYTES - 1)
    error_of(client.post("/compare", data=body, content_type="application/json"), 400)


def test_a_large_body_is_refused_with_413(client):
    body = b'{"a": "' + b"x" * REQUEST_BYTES + b'"}'
    response = client.post("/compare", data=body, content_type="application/json")
    assert error_of(response, 413)["code"] == "too_large"


def test_unknown_routes_and_methods_have_the_same_shape(client):
    assert error_of(client.get("/nowhere"), 404)["code"] == "not_found"
    response = client.delete("/similar")
    assert error_of(response, 405)["code"] == "method_not_allowed"
    assert "GET" in response.headers["Allow"]


def test_not_public_says_nothing_of_the_repo(client, answers):
    answers.answer = NotPublicError("acme/secret at owner/kinship is gated")
    error = error_of(client.get("/similar?repo=acme/secret"), 404)
    assert error["code"] == "not_public"
    assert error["message"] == "not public"
    assert "acme" not in str(error)


def test_an_unexpected_error_shows_no_internals(client, answers, caplog):
    answers.answer = RuntimeError("password is hunter2")
    error = error_of(client.get("/similar?repo=acme/model"), 500)
    assert error["code"] == "internal"
    assert "hunter2" not in str(error)
    assert "hunter2" in caplog.text


def test_a_spent_budget_gives_429_with_retry_after(client, answers):
    answers.answer = BudgetError("no bytes left", retry_after_s=77)
    response = client.get("/similar?repo=acme/model")
    assert error_of(response, 429)["code"] == "budget_spent"
    assert response.headers["Retry-After"] == "77"


def test_look_ups_a_minute_are_limited_per_address(make_client):
    client = make_client(look_ups_per_minute=2)
    for _ in range(2):
        assert client.get("/similar?repo=acme/model").status_code == 200
    response = client.get("/similar?repo=acme/model")
    assert error_of(response, 429)["code"] == "rate_limited"
    assert int(response.headers["Retry-After"]) > 0
    other = {"REMOTE_ADDR": "192.0.2.7"}
    assert client.get("/similar?repo=acme/model", environ_base=other).status_code == 200


def test_an_ipv6_household_is_one_address(make_client):
    client = make_client(look_ups_per_minute=1)
    first, second = ({"REMOTE_ADDR": f"2001:db8::{n}"} for n in (1, 2))
    assert client.get("/similar?repo=a/b", environ_base=first).status_code == 200
    assert client.get("/similar?repo=a/b", environ_base=second).status_code == 429


def test_ipv4_addresses_in_ipv6_clothes_do_not_share_a_limit(make_client):
    client = make_client(look_ups_per_minute=1)
    first, second = ({"REMOTE_ADDR": f"::ffff:192.0.2.{n}"} for n in (1, 2))
    assert client.get("/similar?repo=a/b", environ_base=first).status_code == 200
    assert client.get("/similar?repo=a/b", environ_base=second).status_code == 200
    assert client.get("/similar?repo=a/b", environ_base=second).status_code == 429


def test_a_database_in_trouble_is_not_described_to_strangers(client, answers):
    answers.answer = IndexUnreadableError("no connection as 'kinprint' to db.internal:5432")
    response = client.get("/similar?repo=acme/model")
    assert error_of(response, 500)["code"] == "index_unreadable"
    assert "internal" not in response.text


def test_new_reads_an_hour_are_limited_per_address(make_client, answers):
    answers.spends = True
    client = make_client(new_reads_per_hour=1)
    assert client.get("/similar?repo=acme/one").status_code == 200
    response = client.get("/similar?repo=acme/two")
    assert error_of(response, 429)["code"] == "rate_limited"
    assert 0 < int(response.headers["Retry-After"]) <= 3_600


@pytest.mark.parametrize(
    ("headers", "may"),
    [
        ({"User-Agent": "curl/8.14"}, True),
        ({"User-Agent": "python-requests/2.33"}, True),
        ({"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/150.0"}, True),
        ({"User-Agent": "Mozilla/5.0 (compatible; Googlebot/2.1)"}, False),
        ({"User-Agent": "GPTBot/1.2"}, False),
        ({"User-Agent": "Slackbot-LinkExpanding 1.0"}, False),
        ({"User-Agent": "facebookexternalhit/1.1"}, False),
        ({"Purpose": "prefetch"}, False),
        ({"Sec-Purpose": "prefetch;prerender"}, False),
    ],
)
def test_crawlers_and_prefetching_start_no_reading(client, answers, headers, may):
    client.get("/similar?repo=acme/model", headers=headers)
    assert answers.asked[0][2].may_enqueue is may


def test_head_starts_no_reading_and_has_no_body(client, answers):
    response = client.head("/similar?repo=acme/model")
    assert response.status_code == 200
    assert response.data == b""
    assert not answers.asked[0][2].may_enqueue


def test_no_more_than_a_few_requests_wait_at_once(client, answers):
    client.get("/similar?repo=acme/model")
    waiting = answers.asked[0][2].waiting
    allowed = []

    @contextmanager
    def many(n):
        if n == 0:
            yield
            return
        with waiting() as may, many(n - 1):
            allowed.append(may)
            yield

    with many(9):
        pass
    assert sorted(allowed) == [False] + [True] * 8
    with waiting() as may:
        assert may


def test_health_and_home(client, answers):
    assert client.get("/health/live").json == {"status": "live"}
    assert client.get("/health/ready").json["status"] == "ready"
    assert client.get("/").json["models"] == 3
    answers.ready = lambda: (_ for _ in ()).throw(NotReadyError("No worker"))
    assert error_of(client.get("/health/ready"), 503)["code"] == "not_ready"


def test_the_description_lists_every_route_with_the_error_shape(client):
    spec = client.get("/openapi.json").json
    assert set(spec["paths"]) == {
        *("/", "/similar", "/compare", "/models/{owner}/{name}"),
        *("/health/live", "/health/ready"),
    }
    for path in spec["paths"].values():
        for operation in path.values():
            assert operation["summary"]
            schema = operation["responses"]["400"]["content"]["application/json"]["schema"]
            assert schema["$ref"].endswith("/ErrorAnswer")
    assert "Similar" in spec["components"]["schemas"]


def test_the_description_can_be_browsed_without_foreign_hosts(client):
    page = client.get("/docs", follow_redirects=True)
    assert page.status_code == 200
    assert page.mimetype == "text/html"
    assert "https://" not in page.text.replace("https://www.w3.org", "")
    with client.get("/docs/swagger/js/swagger-ui-bundle.js") as script:
        assert script.status_code == 200


def test_answers_are_not_sniffed_framed_or_kept(client):
    headers = client.get("/similar?repo=acme/model").headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Cache-Control"] == "no-store"


def test_the_access_log_knows_neither_address_nor_repo(client, caplog):
    caplog.set_level("INFO")
    client.get("/similar?repo=acme/model", environ_base={"REMOTE_ADDR": "192.0.2.55"})
    assert "GET /similar 200" in caplog.text
    assert "192.0.2.55" not in caplog.text
    assert "acme" not in caplog.text
