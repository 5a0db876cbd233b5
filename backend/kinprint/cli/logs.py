"""Where log lines of long-running commands go, and which libraries must be quiet."""

from __future__ import annotations

import logging

from kinprint.cli.failure import one_line

_CHATTY = (
    "alembic",
    "flask-limiter",
    "httpcore",
    "httpcore2",
    "httpx",
    "httpx2",
    "huey",
    "huggingface_hub",
    "waitress",
)


class _OneLine(logging.Formatter):
    """Escapes control characters: paths and names come from strangers, who could forge lines."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        return one_line(super().formatMessage(record))


def log_to_stderr() -> None:
    """Send log lines to stderr.

    At INFO the HTTP libraries log full addresses, signed ones too, and the limiter who asked:
    those never appear.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(_OneLine("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
