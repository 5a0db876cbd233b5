"""One instance: its settings, index, queue and secret key, opened together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from kinprint.errors import MissingError
from kinprint.index.store import Index
from kinprint.service.queue import ReadingQueue
from kinprint.sketches.secret import SecretKey

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    from kinprint.settings import Settings


def secret_key_file(settings: Settings) -> Path:
    """Return where the instance's secret key lies."""
    return settings.data_dir / "secret.key"


def witness_key_file(settings: Settings) -> Path:
    """Return where the key lies with which the instance signs what it saw when."""
    return settings.data_dir / "witness.key"


@dataclass(frozen=True)
class Instance:
    """What a command or the service works with; used as a context manager.

    Attributes:
        settings: The settings in force.
        index: The index.
        queue: Repos waiting for a worker.
    """

    settings: Settings
    index: Index
    queue: ReadingQueue

    @classmethod
    def open(cls, settings: Settings, *, read: Callable[[int], None] | None = None) -> Self:
        """Open index and queue, making the data folder if it is not there.

        Args:
            settings: Where they are.
            read: For a worker: what to do with a reading's number.

        Raises:
            MissingError: The data folder cannot be made.
            KinprintError: The database cannot be opened.
        """
        try:
            settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise MissingError(
                f"The data folder {str(settings.data_dir)!r} cannot be made: {error.strerror}",
                hint="Set KINPRINT_DATA_DIR to a folder that can be written.",
            ) from error
        return cls(
            settings=settings,
            index=Index.open(settings.database, witness_key_file=witness_key_file(settings)),
            queue=ReadingQueue(settings.data_dir / "queue.db", read),
        )

    @property
    def address(self) -> str:
        """Where others reach this instance, without a trailing slash."""
        settings = self.settings
        return settings.public_url.rstrip("/") or f"http://{settings.host}:{settings.port}"

    @property
    def keys(self) -> tuple[SecretKey, ...]:
        """All secret keys, newest first, as the file has them now: another process may rotate."""
        return SecretKey.load_all(secret_key_file(self.settings))

    def __enter__(self) -> Self:
        """Give the instance to a ``with`` statement."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close index and queue."""
        self.queue.close()
        self.index.close()
