"""The one settings object, read from ``KINPRINT_*`` variables or one TOML file."""

from __future__ import annotations

import os
import tomllib
from functools import cache
from pathlib import Path
from typing import Annotated

import platformdirs
from pydantic import AwareDatetime, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from kinprint.errors import MissingError, UsageError

MB = 1_000_000


class Settings(BaseSettings):
    """Everything that an operator may set; each field is ``KINPRINT_<NAME>``."""

    model_config = SettingsConfigDict(env_prefix="KINPRINT_", extra="forbid", frozen=True)

    data_dir: Path = Field(
        default_factory=lambda: Path(platformdirs.user_data_dir("kinprint")),
        description="Where the database, the queue, fingerprints and the secret key live.",
    )
    database_url: str = Field(
        default="", description="SQLAlchemy URL; empty: SQLite in the data directory."
    )
    hub_endpoint: str = Field(
        default="https://huggingface.co", description="Base address of the Hub."
    )
    hub_token: SecretStr | None = Field(
        default=None, description="Token sent to the Hub's own host only."
    )
    cdn_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Extra hosts (host or host:port, comma-separated) to read from; "
        "these alone may be private addresses.",
    )
    contact: str = Field(
        default="", description="Mail or web address of the operator, for the User-Agent."
    )
    host: str = Field(default="127.0.0.1", description="Address that `serve` listens on.")
    port: int = Field(default=8765, ge=0, le=65_535, description="Port that `serve` listens on.")
    public_url: str = Field(
        default="",
        description="Address under which others reach this instance, for links in answers; "
        "empty: the address that was asked.",
    )
    trusted_proxy: str = Field(
        default="",
        description="Address of the reverse proxy whose X-Forwarded-For, -Host and -Proto count.",
    )
    range_concurrency: int = Field(
        default=8, ge=1, le=64, description="Range requests in flight per checkpoint."
    )
    request_timeout_s: float = Field(default=20.0, gt=0, description="Time-out of one request.")
    retry_deadline_s: float = Field(
        default=330.0,
        gt=0,
        description="Longest time spent on retries of one request; a window of the Hub's rate "
        "limits is 300 s long.",
    )
    bytes_per_day: int = Field(
        default=20_000 * MB, ge=0, description="Bytes that unasked-for reading may use a day."
    )
    queue_limit: int = Field(default=1_000, ge=1, description="Longest queue of unread repos.")
    look_ups_per_minute: int = Field(
        default=60, ge=1, description="Look-ups that one address may make a minute."
    )
    new_reads_per_hour: int = Field(
        default=20, ge=1, description="Unknown repos that one address may queue an hour."
    )
    now: AwareDatetime | None = Field(
        default=None, description="Fixes the instance's clock (ISO 8601 with zone); for tests."
    )

    @field_validator("cdn_hosts", mode="before")
    @classmethod
    def _split_hosts(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip().lower() for part in value.split(",") if part.strip())
        return value

    @field_validator("hub_endpoint")
    @classmethod
    def _https_only(cls, value: str) -> str:
        if not value.startswith("https://"):
            raise ValueError("must start with https://")
        return value.rstrip("/")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - signature is pydantic's
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments first, then variables, then the TOML file that KINPRINT_CONFIG names."""
        config = os.environ.get("KINPRINT_CONFIG")
        if not config:
            return init_settings, env_settings
        toml = TomlConfigSettingsSource(settings_cls, _existing(Path(config)))
        return init_settings, env_settings, toml

    @property
    def database(self) -> str:
        """SQLAlchemy URL of the index."""
        return self.database_url or f"sqlite:///{self.data_dir / 'kinprint.db'}"


@cache
def settings() -> Settings:
    """Return the process's settings, read once.

    Raises:
        UsageError: A variable or a line of the TOML file is not valid; names it.
        MissingError: There is no such TOML file.
    """
    try:
        return Settings()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"The file that KINPRINT_CONFIG names is not TOML: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise UsageError(
            f"Setting KINPRINT_{name.upper()}: {first['msg']}",
            hint="docs/settings.md lists every setting.",
        ) from None


def _existing(config: Path) -> Path:
    if not config.is_file():
        # Without this the settings would silently be the defaults.
        raise MissingError(
            f"KINPRINT_CONFIG names {str(config)!r}, which is no file",
            hint="Name a TOML file, or unset KINPRINT_CONFIG.",
        )
    return config
