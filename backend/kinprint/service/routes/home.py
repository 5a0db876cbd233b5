"""`GET /`: what this is."""

from __future__ import annotations

import importlib.metadata
from typing import TYPE_CHECKING, Any

from kinprint.service.schemas import About

if TYPE_CHECKING:
    from flask_openapi3 import OpenAPI

    from kinprint.service.answers import Answers


def register(app: OpenAPI, answers: Answers) -> None:
    """Add the route."""

    @app.get("/", summary="What this is", responses={200: About})
    def home() -> dict[str, Any]:
        return About(
            version=importlib.metadata.version("kinprint"),
            what="Tells where a model's weights come from. An answer says what looks derived "
            "from what among the models read here, and what it does not know.",
            try_this="/similar?repo=owner/name&wait=60",
            documentation="/docs",
            models=answers.coverage().models,
        ).model_dump(mode="json")
