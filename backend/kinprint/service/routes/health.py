"""`/health/live` (the process answers) and `/health/ready` (it can do its work)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kinprint.service.schemas import ErrorAnswer, Live, Ready

if TYPE_CHECKING:
    from flask_openapi3 import OpenAPI

    from kinprint.service.answers import Answers


def register(app: OpenAPI, answers: Answers) -> None:
    """Add both routes."""

    @app.get("/health/live", summary="Is the process there?", responses={200: Live})
    def live() -> dict[str, Any]:
        return Live().model_dump(mode="json")

    @app.get(
        "/health/ready",
        summary="Are the database and a worker there?",
        responses={200: Ready, 503: ErrorAnswer},
    )
    def ready() -> dict[str, Any]:
        return answers.ready().model_dump(mode="json")
