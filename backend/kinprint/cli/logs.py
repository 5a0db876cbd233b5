"""Where log lines of long-running commands go, and which libraries must be quiet."""

from __future__ import annotations

import logging

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


def log_to_stderr() -> None:
    """Send log lines to stderr.

    At INFO the HTTP libraries log full addresses, signed ones too, and the limiter who asked:
    those never appear.
    """
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
