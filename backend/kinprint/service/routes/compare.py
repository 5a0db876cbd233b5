"""`GET /compare` and `POST /compare`: how two repos relate, with the evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from flask import Response  # noqa: TC002 - the framework reads the annotation

from kinprint import clock
from kinprint.lineage.evidence.record import Comparison
from kinprint.report.html import render_html
from kinprint.service.asking import asker_of, page, reply, wants_page
from kinprint.service.schemas import CompareBody, ComparePairQuery, ErrorAnswer, Pending

if TYPE_CHECKING:
    from http import HTTPStatus

    from flask_openapi3 import OpenAPI
    from pydantic import BaseModel

    from kinprint.service.answers import Answers
    from kinprint.service.limits import Limits
    from kinprint.settings import Settings

_RESPONSES: dict[str | int | HTTPStatus, type[BaseModel] | dict[Any, Any] | None] = {
    200: Comparison,
    202: Pending,
    404: ErrorAnswer,
    422: ErrorAnswer,
    502: ErrorAnswer,
}


def register(app: OpenAPI, answers: Answers, limits: Limits, settings: Settings) -> None:
    """Add both routes."""

    @app.get(
        "/compare",
        summary="How do two repos relate? The report for browsers, JSON for programs",
        description="Unread repos are queued and answered with 202.",
        responses=_RESPONSES,
    )
    @limits.limiter.limit(limits.look_ups)
    def get_compare(query: ComparePairQuery) -> Response:
        asker = asker_of(limits, settings)
        answer = answers.compare(query.a, query.b, asker, wait_s=query.wait)
        if isinstance(answer, Comparison) and wants_page():
            return page(render_html(answer, language=query.language, made_at=clock.now()))
        again = urlencode({"a": query.a, "b": query.b, "language": query.language})
        return reply(answer, location=f"{asker.base_url}/compare?{again}")

    @app.post(
        "/compare",
        summary="How do two repos relate?",
        description="Unread repos are queued and answered with 202: send the same request again.",
        responses=_RESPONSES,
    )
    @limits.limiter.limit(limits.look_ups)
    def post_compare(body: CompareBody) -> Response:
        asker = asker_of(limits, settings)
        return reply(answers.compare(body.a, body.b, asker, wait_s=body.wait))
