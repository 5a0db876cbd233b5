"""`POST /compare`: how two repos relate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Response  # noqa: TC002 - the framework reads the annotation

from kinprint.lineage.evidence.record import Comparison
from kinprint.service.asking import asker_of, reply
from kinprint.service.schemas import CompareBody, ErrorAnswer, Pending

if TYPE_CHECKING:
    from flask_openapi3 import OpenAPI

    from kinprint.service.answers import Answers
    from kinprint.service.limits import Limits
    from kinprint.settings import Settings


def register(app: OpenAPI, answers: Answers, limits: Limits, settings: Settings) -> None:
    """Add the route."""

    @app.post(
        "/compare",
        summary="How do two repos relate?",
        description="Unread repos are queued and answered with 202: send the same request again.",
        responses={
            200: Comparison,
            202: Pending,
            404: ErrorAnswer,
            422: ErrorAnswer,
            502: ErrorAnswer,
        },
    )
    @limits.limiter.limit(limits.look_ups)
    def post_compare(body: CompareBody) -> Response:
        asker = asker_of(limits, settings)
        return reply(answers.compare(body.a, body.b, asker, wait_s=body.wait))
