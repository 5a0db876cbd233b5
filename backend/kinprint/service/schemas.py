"""What requests and answers look like on the wire; `/openapi.json` is made from these."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from kinprint.lineage.verdict import Coverage
from kinprint.service.limits import MAX_WAIT_S

RepoId = Annotated[
    str,
    Field(min_length=1, max_length=200, description="owner/name on the Hub."),
]
Revision = Annotated[
    str | None,
    Field(
        min_length=1,
        max_length=255,
        description="Branch, tag or full commit sha; without it, the newest.",
    ),
]
Wait = Annotated[
    float,
    Field(
        ge=0,
        le=MAX_WAIT_S,
        allow_inf_nan=False,
        description="Seconds to wait for a repo that has to be read first.",
    ),
]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SimilarQuery(_Request):
    """Query of ``GET /similar``."""

    repo: RepoId
    revision: Revision = None
    wait: Wait = 0.0


class CompareBody(_Request):
    """Body of ``POST /compare``."""

    a: Annotated[str, Field(max_length=460, description="owner/name[@revision]")]
    b: Annotated[str, Field(max_length=460, description="owner/name[@revision]")]
    wait: Wait = 0.0


class ComparePairQuery(_Request):
    """Query of ``GET /compare``."""

    a: Annotated[str, Field(max_length=460, description="owner/name[@revision]")]
    b: Annotated[str, Field(max_length=460, description="owner/name[@revision]")]
    wait: Wait = 0.0
    language: Literal["en", "zh"] = "en"


class ModelPath(_Request):
    """Path of ``GET /models/{owner}/{name}``."""

    owner: Annotated[str, Field(max_length=96)]
    name: Annotated[str, Field(max_length=96)]


class ModelQuery(_Request):
    """Query of ``GET /models/{owner}/{name}``."""

    revision: Revision = None
    wait: Wait = 0.0
    language: Literal["en", "zh"] = "en"


class Pending(BaseModel):
    """A 202: the repo is being read; ask again after ``Retry-After`` seconds."""

    repo: str
    revision: str | None = None
    status: Literal["queued", "reading"]
    position: int = Field(description="Place in the queue, 1 for the next; 0 while it is read.")
    coverage: Coverage


class Live(BaseModel):
    """The process answers."""

    status: Literal["live"] = "live"


class Ready(BaseModel):
    """The database and a worker are there."""

    status: Literal["ready"] = "ready"
    models: int = Field(description="Models in the index.")
    as_of: datetime | None = Field(description="When the newest of them was read.")
    waiting: int = Field(description="Repos in the queue.")


class About(BaseModel):
    """What this service is, and where to go from here."""

    name: Literal["kinprint"] = "kinprint"
    version: str
    what: str
    try_this: str
    documentation: str
    models: int


class ErrorDetail(BaseModel):
    """One error, with a stable code (``docs/errors.md``)."""

    code: str
    message: str
    hint: str


class ErrorAnswer(BaseModel):
    """Every refusal has this shape."""

    error: ErrorDetail
