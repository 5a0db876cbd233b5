"""The HTTP server: waitress with a bounded number of threads, ended cleanly by signals."""

from __future__ import annotations

import errno
import logging
import signal
from typing import TYPE_CHECKING, Any

import waitress

from kinprint.errors import KinprintError
from kinprint.service.limits import BODY_BYTES, WAITING_REQUESTS

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from flask import Flask

    from kinprint.settings import Settings

log = logging.getLogger(__name__)

THREADS = 2 * WAITING_REQUESTS
HEADER_BYTES = 16_384


def run_server(app: Flask, settings: Settings, *, on_ready: Callable[[str], None]) -> None:
    """Answer requests until SIGTERM or SIGINT.

    Args:
        app: The WSGI application.
        settings: Address, port and trusted proxy.
        on_ready: Called with the base address once the port is open.

    Raises:
        KinprintError: The address or port cannot be listened on.
    """
    server = _bind(app, settings)
    signal.signal(signal.SIGTERM, _leave)
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    on_ready(f"http://{host}:{_port_of(server)}")
    # Returns at SystemExit and KeyboardInterrupt, after the running requests.
    server.run()
    server.close()


def _bind(app: Flask, settings: Settings) -> Any:
    proxy: dict[str, Any] = {}
    if settings.trusted_proxy:
        proxy = {
            "trusted_proxy": settings.trusted_proxy,
            "trusted_proxy_headers": {"x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"},
        }
    try:
        return waitress.create_server(
            app,
            host=settings.host,
            port=settings.port,
            threads=THREADS,
            max_request_body_size=BODY_BYTES,
            max_request_header_size=HEADER_BYTES,
            clear_untrusted_proxy_headers=True,
            ident="kinprint",
            **proxy,
        )
    except OSError as error:
        where = f"{settings.host}:{settings.port}"
        if error.errno == errno.EADDRINUSE:
            message = f"Something else already listens on {where}"
        else:
            message = f"Cannot listen on {where}: {error.strerror or error}"
        raise KinprintError(
            message, hint="Choose another port with --port or KINPRINT_PORT."
        ) from error


def _port_of(server: Any) -> int:
    # One socket, or several where a name has both an IPv4 and an IPv6 address.
    if hasattr(server, "effective_listen"):
        return int(server.effective_listen[0][1])
    return int(server.effective_port)


def _leave(_signum: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)
