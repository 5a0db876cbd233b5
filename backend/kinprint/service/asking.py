"""From an HTTP request to the one who asks, and from an answer to an HTTP response."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Response, request

from kinprint.service.answers import Asker
from kinprint.service.limits import may_enqueue
from kinprint.service.schemas import Pending

if TYPE_CHECKING:
    from pydantic import BaseModel

    from kinprint.service.limits import Limits
    from kinprint.settings import Settings

RETRY_AFTER_S = 5
_FORMS = ("application/json", "text/html")
_PAGE_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)


def asker_of(limits: Limits, settings: Settings) -> Asker:
    """Describe who makes the current request."""
    return Asker(
        may_enqueue=may_enqueue(),
        spend_new_read=limits.spend_new_read,
        waiting=limits.waiting,
        base_url=(settings.public_url or request.url_root).rstrip("/"),
    )


def wants_page() -> bool:
    """Whether the asker is a browser rather than a program; without a wish it is a program."""
    return request.accept_mimetypes.best_match(_FORMS, default=_FORMS[0]) == "text/html"


def page(html: str) -> Response:
    """Answer with a page that loads nothing and runs nothing."""
    response = Response(html, mimetype="text/html")
    response.headers["Content-Security-Policy"] = _PAGE_POLICY
    response.headers["Cache-Control"] = "no-store"
    response.headers["Vary"] = "Accept"
    return response


def reply(answer: BaseModel, *, location: str | None = None) -> Response:
    """Turn an answer into 200, or 202 with when (and where) to ask again."""
    response = Response(answer.model_dump_json(), mimetype="application/json")
    response.headers["Vary"] = "Accept"
    if isinstance(answer, Pending):
        response.status_code = 202
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
        if wants_page():
            # A browser does not obey Retry-After.
            response.headers["Refresh"] = str(RETRY_AFTER_S)
        if location is not None:
            response.headers["Location"] = location
    return response
