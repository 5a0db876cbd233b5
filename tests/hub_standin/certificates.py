"""One certificate authority a process, for 127.0.0.1 and localhost."""

from __future__ import annotations

import ssl
from functools import cache

import trustme


@cache
def authority() -> trustme.CA:
    """Return the process's own authority."""
    return trustme.CA()


@cache
def server_context() -> ssl.SSLContext:
    """Return the TLS settings of every origin."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority().issue_cert("localhost", "127.0.0.1").configure_cert(context)
    return context
