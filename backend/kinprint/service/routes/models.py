"""`GET /models/{owner}/{name}`: what is known here of one model, as a page."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from flask import Response  # noqa: TC002 - the framework reads the annotation

from kinprint import clock
from kinprint.lineage.verdict import Similar
from kinprint.report.model_page import render_model_page
from kinprint.service.asking import asker_of, page, reply, wants_page
from kinprint.service.schemas import ErrorAnswer, ModelPath, ModelQuery, Pending

if TYPE_CHECKING:
    from flask_openapi3 import OpenAPI

    from kinprint.service.answers import Answers
    from kinprint.service.limits import Limits
    from kinprint.settings import Settings


def register(app: OpenAPI, answers: Answers, limits: Limits, settings: Settings) -> None:
    """Add the route."""

    @app.get(
        "/models/<owner>/<name>",
        summary="What is known of a model? A page for browsers, JSON for programs",
        description="The answer of `/similar`, with a way from each relative to its evidence.",
        responses={200: Similar, 202: Pending, 404: ErrorAnswer, 502: ErrorAnswer},
    )
    @limits.limiter.limit(limits.look_ups)
    def get_model(path: ModelPath, query: ModelQuery) -> Response:
        asker = asker_of(limits, settings)
        repo = f"{path.owner}/{path.name}"
        answer = answers.similar(repo, query.revision, asker, wait_s=query.wait)
        if isinstance(answer, Similar) and wants_page():
            return page(render_model_page(answer, language=query.language, made_at=clock.now()))
        asked = {"revision": answer.revision, "language": query.language}
        again = urlencode({name: value for name, value in asked.items() if value})
        return reply(answer, location=f"{asker.base_url}/models/{repo}?{again}")
