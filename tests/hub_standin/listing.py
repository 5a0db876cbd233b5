"""The list of models: filtered, sorted, in pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hub_standin.access import RefusedError, User
from hub_standin.model_info import IN_FULL_LISTS, IN_LISTS, PROPERTIES, Others, describe
from hub_standin.pages import page_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hub_standin.exchange import Answer, Request
    from hub_standin.repo import Repo

LARGEST_PAGE = 500
SORTS: Mapping[str, Callable[[Repo], Any]] = {
    "createdAt": lambda repo: repo.created_at,
    "lastModified": lambda repo: repo.last_modified,
    "downloads": lambda repo: repo.downloads,
    "likes": lambda repo: repo.likes,
    "trendingScore": lambda repo: repo.likes,
}


def list_models(request: Request, repos: Others, user: User | None, largest_page: int) -> Answer:
    """Return a page of the models that this user sees, in descending order.

    Understands ``author``, ``search``, ``filter`` (tags), ``pipeline_tag``, ``gated``, ``sort``,
    ``limit``, ``full``, ``cardData``, ``config`` and ``expand``.
    """
    query = request.query
    sort = query.get("sort", ["trendingScore"])[-1]
    if sort not in SORTS:
        raise RefusedError(400, f'Invalid option: "{sort}" for query parameter "sort"')
    limit = query.get("limit", [str(largest_page)])[-1]
    if not limit.isdecimal() or int(limit) == 0:
        raise RefusedError(400, "Invalid limit")
    wanted = query.get("expand") or list(IN_FULL_LISTS if request.flag("full") else IN_LISTS)
    wanted += [name for name in ("cardData", "config") if request.flag(name)]
    seen = [repo for repo in repos if _is_listed(repo, user) and _matches(repo, repos, query)]
    # By id first: equal dates must not change places between two pages.
    ordered = sorted(sorted(seen, key=lambda repo: repo.id), key=SORTS[sort], reverse=True)
    size = min(int(limit), largest_page, LARGEST_PAGE)
    items = [describe(repo, repo.refs["main"], repos, wanted) for repo in ordered]
    return page_of(request, items, size)


def _is_listed(repo: Repo, user: User | None) -> bool:
    return not repo.disabled and (not repo.private or bool(user and repo.lets_in(user)))


def _matches(repo: Repo, repos: Others, query: Mapping[str, list[str]]) -> bool:
    tags = PROPERTIES["tags"](repo, repo.refs["main"], repos)
    gated = query.get("gated", [""])[-1].lower()
    return (
        query.get("author", [repo.owner])[-1] == repo.owner
        and query.get("search", [""])[-1].lower() in repo.id.lower()
        and all(tag in tags for tag in query.get("filter", []))
        and query.get("pipeline_tag", [None])[-1]
        in (None, PROPERTIES["pipeline_tag"](repo, repo.refs["main"], repos))
        and gated in ("", str(bool(repo.gated)).lower())
    )
