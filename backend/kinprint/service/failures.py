"""How the service says that something went wrong: one JSON shape for every status."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from flask import Response, jsonify
from flask_limiter import RateLimitExceeded
from werkzeug.exceptions import HTTPException

from kinprint.errors import (
    BudgetError,
    IndexUnreadableError,
    KinprintError,
    NotPublicError,
    NotReadyError,
    TooManyRequestsError,
)

if TYPE_CHECKING:
    from flask import Flask
    from pydantic import ValidationError

    from kinprint.service.limits import Limits

log = logging.getLogger(__name__)

HTTP_CODES = {
    400: ("bad_request", "docs/api.md shows a request and its answer for each route."),
    404: ("not_found", "GET /openapi.json lists the routes."),
    405: ("method_not_allowed", "The Allow header lists what this route takes."),
    413: ("too_large", "Send less; the service takes repo ids, not weights."),
    415: ("unsupported_media_type", "Send JSON with `Content-Type: application/json`."),
}
"""Status → (code, hint) of the refusals that the HTTP library makes by itself."""

INTERNAL = ("internal", "Tell the operator when it happened; the log has the details.")
NOT_PUBLIC = "not public"
INDEX_UNREADABLE = "The index cannot be used"


def answer(
    status: int, code: str, message: str, hint: str, headers: dict[str, str] | None = None
) -> Response:
    """Build the one shape of an error: ``{"error": {"code", "message", "hint"}}``."""
    response = jsonify({"error": {"code": code, "message": message, "hint": hint}})
    response.status_code = status
    response.headers.update(headers or {})
    return response


def validation_failure(error: ValidationError) -> Response:
    """Turn pydantic's findings on a request into a 400 that names the first wrong field."""
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"]) or "body"
    return answer(400, "usage", f"{field}: {first['msg']}", HTTP_CODES[400][1])


def register(app: Flask, limits: Limits) -> None:
    """Install the handlers.

    Args:
        app: The application.
        limits: Know when a limited address may ask again.
    """

    def limited(_error: RateLimitExceeded) -> Response:
        retry_after_s = limits.look_ups_retry_after_s()
        return _kinprint(TooManyRequestsError("Too many look-ups", retry_after_s=retry_after_s))

    app.register_error_handler(RateLimitExceeded, limited)
    app.register_error_handler(KinprintError, _kinprint)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(RecursionError, _too_deep)
    app.register_error_handler(Exception, _unexpected)


def _kinprint(error: KinprintError) -> Response:
    headers = {}
    if isinstance(error, BudgetError):
        headers["Retry-After"] = str(error.retry_after_s)
    if error.http_status >= 500 and not isinstance(error, NotReadyError):
        log.warning("%s: %s", error.code, error.message)
    # Private, gated and disabled repos must not be told apart by the wording.
    message = NOT_PUBLIC if isinstance(error, NotPublicError) else error.message
    if isinstance(error, IndexUnreadableError):
        # The driver's words name the database's host, user or path.
        message = INDEX_UNREADABLE
    return answer(error.http_status, error.code, message, error.hint, headers)


def _http(error: HTTPException) -> Response:
    if error.response is not None:
        response: Response = error.response  # type: ignore[assignment]
        return response
    status = error.code or 500
    code, hint = HTTP_CODES.get(status, HTTP_CODES[400] if status < 500 else INTERNAL)
    allowed = dict(error.get_headers()).get("Allow")
    headers = {"Allow": allowed} if allowed else {}
    return answer(status, code, error.description or error.name, hint, headers)


def _too_deep(_error: RecursionError) -> Response:
    return answer(400, "bad_request", "body: nested too deeply", HTTP_CODES[400][1])


def _unexpected(error: Exception) -> Response:
    log.error("Unexpected error while answering", exc_info=error)
    return answer(500, INTERNAL[0], "something went wrong on our side", INTERNAL[1])
