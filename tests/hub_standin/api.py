"""The Hub's own origin: finds the repo and revision that an address names, and answers."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hub_standin.access import (
    LOG_IN,
    RefusedError,
    User,
    check_readable,
    check_visible,
    identify,
    missing_repo,
)
from hub_standin.clock import wire_time
from hub_standin.exchange import Answer, Request
from hub_standin.files import paths_info, resolve, tree
from hub_standin.listing import LARGEST_PAGE, list_models
from hub_standin.model_info import IN_FULL, describe
from hub_standin.pages import page_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hub_standin.cdn import Cdn
    from hub_standin.rate_limits import RateLimits
    from hub_standin.registry import Registry
    from hub_standin.repo import Commit, Repo

VERBS = frozenset({"revision", "tree", "paths-info", "refs", "commits", "discussions"})
COMMITS_PAGE = 50
FULL_SHA = re.compile("[0-9a-f]{40}")
REF_KINDS = frozenset({"pr", "heads", "tags", "convert"})


@dataclass(frozen=True)
class Place:
    """What an address points at.

    Attributes:
        before: Segments before the repo id (`api`, `models`, or nothing).
        repo_id: The id as it stands in the address.
        verb: What is asked of the repo; "" for its info.
        rest: Segments after the verb.
    """

    before: tuple[str, ...]
    repo_id: str
    verb: str
    rest: tuple[str, ...]

    @classmethod
    def of(cls, segments: tuple[str, ...]) -> Place | None:
        """Read an address; ``None`` where it points at no repo."""
        if segments[:2] == ("api", "models"):
            before, verbs = segments[:2], VERBS
        elif segments[:3] == ("api", "resolve-cache", "models"):
            # Its form is owner/name/sha/path, without a verb: the sha tells where the id ends.
            at = 4 if FULL_SHA.fullmatch("".join(segments[4:5])) else 5
            return cls(segments[:3], "/".join(segments[3:at]), "resolve", segments[at:])
        else:
            before, verbs = (), frozenset({"resolve"})
        parts = segments[len(before) :]
        # An id of the early days has no owner, so the verb may come second.
        for length in (2, 1):
            if len(parts) > length and parts[length] in verbs:
                return cls(before, "/".join(parts[:length]), parts[length], parts[length + 1 :])
        return cls(before, "/".join(parts), "", ()) if before and len(parts) in (1, 2) else None

    def revision(self) -> tuple[str, tuple[str, ...]]:
        """Return the revision that ``rest`` starts with, and what follows it."""
        if self.rest[:1] == ("refs",) and self.rest[1:2] and self.rest[1] in REF_KINDS:
            return "/".join(self.rest[:3]), self.rest[3:]
        return (self.rest[0], self.rest[1:]) if self.rest else ("main", ())


class Api:
    """Answers like huggingface.co.

    Attributes:
        largest_page: Models on one page of the list, at most.
        small_files_by_redirect: Files outside LFS are answered by a redirect to
            `/api/resolve-cache/…` on the same host, as the Hub does since 2025.
    """

    def __init__(
        self, registry: Registry, users: Mapping[str, User], cdn: Cdn, limits: RateLimits
    ) -> None:
        self.largest_page = LARGEST_PAGE
        self.small_files_by_redirect = False
        self._registry = registry
        self._users = users
        self._cdn = cdn
        self._limits = limits
        self._verbs: Mapping[str, Callable[[Request, Repo, Place, User | None], Answer]] = {
            "": self._info,
            "revision": self._info,
            "tree": self._tree,
            "paths-info": self._paths_info,
            "refs": self._refs,
            "commits": self._commits,
            "discussions": self._discussions,
            "resolve": self._resolve,
        }

    def file_of(self, request: Request) -> str:
        """Return ``owner/name/path/in/repo`` of the file that a resolve is for, or ""."""
        place = Place.of(request.segments)
        if place is None or place.verb != "resolve":
            return ""
        repo = self._registry.find(place.repo_id)
        return "/".join((repo.id if repo else place.repo_id, *place.revision()[1]))

    def answer(self, request: Request) -> Answer:
        """Answer a request."""
        limits: dict[str, str] = {}
        try:
            user = identify(request, self._users)
            place = Place.of(request.segments)
            kind = "resolvers" if place and place.verb == "resolve" else "api"
            limits = self._limits.spend(kind, user)
            answer = self._route(request, place, user)
        except RefusedError as refusal:
            answer = refusal.answer()
        return answer.with_headers(limits)

    def _route(self, request: Request, place: Place | None, user: User | None) -> Answer:
        if request.segments == ("api", "whoami-v2"):
            return _whoami(user)
        if request.segments == ("api", "models"):
            return list_models(request, self._registry.all(), user, self.largest_page)
        if place is None:
            raise RefusedError(404, "Not Found")
        repo = self._registry.find(place.repo_id)
        if repo is None:
            raise missing_repo(user)
        check_visible(repo, user)
        if repo.id != place.repo_id:
            return _redirect(request, place, repo)
        return self._verbs[place.verb](request, repo, place, user)

    def _info(self, request: Request, repo: Repo, place: Place, user: User | None) -> Answer:
        commit = repo.at(place.revision()[0])
        wanted = request.query.get("expand") or IN_FULL
        blobs = request.flag("blobs")
        return Answer.of_json(describe(repo, commit, self._registry.all(), wanted, blobs=blobs))

    def _resolve(self, request: Request, repo: Repo, place: Place, user: User | None) -> Answer:
        check_readable(repo, user)
        revision, path = place.revision()
        by_redirect = self.small_files_by_redirect
        commit, name = repo.at(revision), "/".join(path)
        return resolve(request, repo, commit, name, self._cdn, by_redirect=by_redirect)

    def _tree(self, request: Request, repo: Repo, place: Place, _: User | None) -> Answer:
        revision, folder = place.revision()
        return tree(request, repo.at(revision), "/".join(folder))

    def _paths_info(self, request: Request, repo: Repo, place: Place, _: User | None) -> Answer:
        return paths_info(request, repo.at(place.revision()[0]))

    def _commits(self, request: Request, repo: Repo, place: Place, _: User | None) -> Answer:
        formatted = "formatted" in request.query.get("expand", [])
        history = [_commit(commit, formatted) for commit in repo.at(place.revision()[0]).history()]
        return page_of(request, history, COMMITS_PAGE, {"X-Total-Count": str(len(history))})

    def _refs(self, request: Request, repo: Repo, place: Place, _: User | None) -> Answer:
        groups: dict[str, list[dict[str, str]]] = {"branches": [], "tags": [], "converts": []}
        pulls = groups.setdefault("pullRequests", []) if request.flag("include_prs") else []
        kinds = {"tags": groups["tags"], "convert": groups["converts"], "pr": pulls}
        for name, commit in repo.refs.items():
            kind, short = (name.split("/", 2)[1:]) if name.startswith("refs/") else ("", name)
            group = kinds.get(kind, groups["branches"])
            ref = name if kind in kinds else f"refs/heads/{name}"
            group.append({"name": short, "ref": ref, "targetCommit": commit.sha})
        return Answer.of_json(groups)

    def _discussions(self, request: Request, repo: Repo, place: Place, user: User | None) -> Answer:
        discussions, rest = repo.discussions, place.rest
        if request.method == "POST":
            wanted = _json(request.body)
            if not rest:
                return Answer.of_json(discussions.opened_by(user, wanted), 201)
            if rest[1:] == ("comment",):
                return Answer.of_json(discussions.commented_by(user, rest[0], wanted))
            raise RefusedError(404, "Not Found")
        discussions.check_enabled()
        if rest:
            return Answer.of_json(discussions.details(discussions.numbered(rest[0])))
        query = {key: values[-1] for key, values in request.query.items()}
        page, kind, status = query.get("p", "0"), query.get("type"), query.get("status")
        if not page.isdecimal():
            raise RefusedError(400, "Invalid page")
        shown = discussions.page(int(page), kind or "all", status or "all", query.get("author"))
        return Answer.of_json(shown)


def _redirect(request: Request, place: Place, repo: Repo) -> Answer:
    path, question, query = request.target.partition("?")
    skipped = len(place.before) + place.repo_id.count("/") + 1
    rest = path.strip("/").split("/")[skipped:]
    to = "/" + "/".join((*place.before, repo.id, *rest)) + question + query
    # The API names the host, resolve does not: the client must cope with both.
    host = f"https://{request.headers['Host']}" if place.before else ""
    return Answer.redirect(307, host + to)


def _json(body: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(body or b"{}")
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise RefusedError(400, "Invalid JSON")
    return value


def _whoami(user: User | None) -> Answer:
    if user is None:
        raise RefusedError(401, "Invalid username or password.", headers=LOG_IN)
    orgs = [{"type": "org", "name": org} for org in user.orgs]
    return Answer.of_json(
        {"type": "user", "name": user.name, "isPro": user.kind == "pro", "orgs": orgs}
    )


def _commit(commit: Commit, formatted: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": commit.sha,
        "title": commit.title,
        "message": commit.message,
        "authors": [{"user": commit.author}],
        "date": wire_time(commit.date),
    }
    if formatted:
        shown["formatted"] = {"title": commit.title, "message": commit.message}
    return shown
