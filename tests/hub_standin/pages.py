"""Lists in pages: a cursor in the query, and the next page's address in the Link header."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from hub_standin.access import RefusedError
from hub_standin.exchange import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def page_of(
    request: Request,
    items: Sequence[Any],
    size: int,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Return the page of ``items`` that the request's cursor points to, as JSON.

    Raises:
        RefusedError: The cursor is not one of ours.
    """
    cursor = request.query.get("cursor", ["0"])[-1]
    if not cursor.isdecimal():
        raise RefusedError(400, "Invalid cursor")
    start, stop = int(cursor), int(cursor) + size
    told = dict(headers or {})
    if stop < len(items):
        query = {key: values for key, values in request.query.items() if key != "cursor"}
        following = urlencode({**query, "cursor": [str(stop)]}, doseq=True)
        host = request.headers.get("Host", "")
        address = f"https://{host}{urlsplit(request.target).path}?{following}"
        told["Link"] = f'<{address}>; rel="next"'
    return Answer.of_json(items[start:stop], headers=told)
