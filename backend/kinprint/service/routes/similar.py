"""`GET /similar`: whose weights are these?"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from flask import Response  # noqa: TC002 - the framework reads the annotation

from kinprint.lineage.verdict import Similar
from kinprint.service.asking import asker_of, reply
from kinprint.service.schemas import ErrorAnswer, Pending, SimilarQuery

if TYPE_CHECKING:
    from flask_openapi3 import OpenAPI

    from kinprint.service.answers import Answers
    from kinprint.service.limits import Limits
    from kinprint.settings import Settings


def register(app: OpenAPI, answers: Answers, limits: Limits, settings: Settings) -> None:
    """Add the route."""

    @app.get(
        "/similar",
        summary="Whose weights are these?",
        description="Looks a repo up among the models read here. An unread repo is queued and "
        "answered with 202; `wait` keeps the request open meanwhile. HEAD, prefetching and "
        "crawlers start no reading.",
        responses={200: Similar, 202: Pending, 404: ErrorAnswer, 502: ErrorAnswer},
    )
    @limits.limiter.limit(limits.look_ups)
    def get_similar(query: SimilarQuery) -> Response:
        asker = asker_of(limits, settings)
        answer = answers.similar(query.repo, query.revision, asker, wait_s=query.wait)
        again = {"repo": answer.repo, "revision": answer.revision or ""}
        return reply(answer, location=f"{asker.base_url}/similar?{urlencode(again)}")
