"""The shipped list of base repos that a new index starts from, and what reading it costs."""

from __future__ import annotations

import tomllib
from datetime import date
from importlib.resources import files
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, ValidationError

from kinprint.checkpoints.source import validate_repo_id
from kinprint.errors import MissingError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

_REFERENCE_MODEL_BYTES = 16e9
_REFERENCE_READ_BYTES = 20e6
"""An 8B model in bf16 and what its fingerprint reads of it. Rows read are constant, so the cost
grows with layers times width, about the two-thirds power of the size."""

_SMALL_READ_BYTES = 5_000_000
"""Narrow matrices are read with more rows: small models cost more than the power says."""

BYTES_PER_SECOND = 4e6
SECONDS_PER_REPO = 3.0
"""A cautious home connection, and the requests that carry no weights."""


class Base(BaseModel):
    """One line of the list: a repo, the family it founds, and the document it was taken from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    repo: str
    family: str
    source: HttpUrl


class BaseList(BaseModel):
    """The dated list."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dated: date
    base: tuple[Base, ...] = Field(min_length=1)


def load_bases(path: Path | None = None) -> BaseList:
    """Read the shipped list, or another one of the same form.

    Raises:
        MissingError: The file is not there.
        UsageError: The file is not a valid list; names the line or field.
    """
    source = files("kinprint.service") / "bases.toml" if path is None else path
    name = "bases.toml" if path is None else str(path)
    try:
        bases = BaseList.model_validate(tomllib.loads(source.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise MissingError(f"No list of bases at {name!r}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{name!r} is not TOML: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"{name!r}, {field}: {first['msg']}") from None
    for base in bases.base:
        validate_repo_id(base.repo)
    return bases


def expected_bytes(model_bytes: int) -> int:
    """Estimate the bytes that fingerprinting a model reads, from the size of its weight files."""
    by_size: float = _REFERENCE_READ_BYTES * (model_bytes / _REFERENCE_MODEL_BYTES) ** (2 / 3)
    return int(min(model_bytes, max(_SMALL_READ_BYTES, by_size)))


def expected_seconds(repos: int, bytes_expected: int) -> float:
    """Estimate how long reading takes."""
    return repos * SECONDS_PER_REPO + bytes_expected / BYTES_PER_SECOND
