"""The app factory: routes, limits, error answers and headers, put together once."""

from __future__ import annotations

import importlib.metadata
import logging
import time
from typing import TYPE_CHECKING

from flask import Response, g, request
from flask_openapi3 import Info, OpenAPI

from kinprint.service import failures
from kinprint.service.limits import REQUEST_BYTES, Limits
from kinprint.service.routes import browse, compare, health, home, models, similar
from kinprint.service.schemas import ErrorAnswer

if TYPE_CHECKING:
    from kinprint.service.answers import Answers
    from kinprint.settings import Settings

log = logging.getLogger("kinprint.access")

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}
_JSON_POLICY = "default-src 'none'; frame-ancestors 'none'"


def create_app(answers: Answers, settings: Settings) -> OpenAPI:
    """Build the WSGI application.

    Args:
        answers: What knows the index, the Hub and the queue.
        settings: Limits per address and the public address.
    """
    app = OpenAPI(
        __name__,
        info=Info(
            title="Kinprint",
            version=importlib.metadata.version("kinprint"),
            description="Where do these weights come from? Every answer is an unreviewed "
            "measurement and carries what it rests on.",
        ),
        responses=dict.fromkeys((400, 429, 500), ErrorAnswer),
        validation_error_status=400,
        validation_error_model=ErrorAnswer,
        validation_error_callback=failures.validation_failure,
        doc_ui=False,
        static_folder=None,
    )
    app.config["MAX_CONTENT_LENGTH"] = REQUEST_BYTES
    app.json.sort_keys = False  # type: ignore[attr-defined]  # the default one has it
    limits = Limits(settings)
    limits.limiter.init_app(app)
    failures.register(app, limits)
    home.register(app, answers)
    health.register(app, answers)
    similar.register(app, answers, limits, settings)
    compare.register(app, answers, limits, settings)
    models.register(app, answers, limits, settings)
    browse.register(app)
    app.before_request(_start)
    app.after_request(_finish)
    return app


def _start() -> None:
    g.started_s = time.monotonic()


def _finish(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    if response.mimetype == "application/json":
        response.headers.setdefault("Content-Security-Policy", _JSON_POLICY)
        response.headers.setdefault("Cache-Control", "no-store")
    elapsed_ms = 1000 * (time.monotonic() - g.get("started_s", time.monotonic()))
    # Neither address nor query: who asked for which repo is nobody's business later.
    log.info("%s %s %d %.0f ms", request.method, request.path, response.status_code, elapsed_ms)
    return response
