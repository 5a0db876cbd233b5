"""One TLS origin on a free port of 127.0.0.1: HTTP/1.1 with keep-alive, one thread a connection."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import traceback
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import TYPE_CHECKING, Any

from hub_standin.exchange import Answer, Answering, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hub_standin.pace import Pace

LONGEST_BODY_BYTES = 1 << 20
TRICKLE_S = 0.05
HANG_UPS = (ConnectionError, ssl.SSLError, TimeoutError)


class Origin(ThreadingMixIn, TCPServer):
    """A listening origin; ``answering`` turns each request into an answer.

    Attributes:
        authority: ``host:port`` under which it is reached.
        failures: Tracebacks of errors in the stand-in itself.
        closing: Set when the origin stops; whatever waits, waits for it.
    """

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(
        self, hostname: str, tls: ssl.SSLContext, pace: Pace, answering: Answering
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.authority = f"{hostname}:{self.server_address[1]}"
        self.pace = pace
        self.answering = answering
        self.failures: list[str] = []
        self.closing = threading.Event()
        self._tls = tls
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )

    def start(self) -> None:
        """Listen, in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop listening and cut every open connection."""
        self.closing.set()
        self.shutdown()
        self._thread.join()
        for connection in tuple(self._open):
            with contextlib.suppress(OSError):  # the client may have been faster
                connection.shutdown(socket.SHUT_RDWR)
        self.server_close()

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection; the handshake is left to its own thread."""
        plain, address = super().get_request()
        connection = self._tls.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
        self._open.add(connection)
        return connection, address

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Shake hands, then serve the connection until either side ends it."""
        self.closing.wait(self.pace.latency_s)
        with contextlib.suppress(*HANG_UPS):  # clients may hang up as they like
            request.do_handshake()
            super().finish_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """End a connection."""
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep errors of the stand-in itself, to be shown when it stops."""
        if not self.closing.is_set():
            self.failures.append(traceback.format_exc())


class _Connection(BaseHTTPRequestHandler):
    """Reads requests off one connection and sends the answers, whole or broken."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Origin

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length", "0"))
        if length > LONGEST_BODY_BYTES:
            self.close_connection = True
            self._send(Answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE))
            return
        body = self.rfile.read(length) if length else b""
        port = self.client_address[1]
        self.server.closing.wait(self.server.pace.latency_s)
        answer = self.server.answering(Request(self.command, self.path, self.headers, port, body))
        self._send(answer)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815 - http.server's names

    def _send(self, answer: Answer) -> None:
        if answer.status == 0:  # dropped without a word
            self.close_connection = True
            return
        headers = {"Content-Length": str(len(answer.body)), **answer.headers}
        lines = [f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        pending = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
        for piece in self._pieces(answer) if self.command != "HEAD" else ():
            if answer.seen is not None:
                # Counted before it goes out, so that a client that has it all sees it counted.
                answer.seen.bytes_sent += len(piece)
            self.wfile.write(pending + piece)
            pending = b""
        if pending:
            self.wfile.write(pending)
        if answer.stalls:
            self.server.closing.wait()
        if answer.cut_at is not None:
            self.close_connection = True

    def _pieces(self, answer: Answer) -> Iterator[bytes]:
        """Yield the body as fast as the line, or the answer's own trickle, lets it through."""
        for chunk in answer.chunks():
            if answer.bytes_per_s is None:
                self.server.pace.spend(len(chunk))
                yield chunk
                continue
            step = max(1, int(answer.bytes_per_s * TRICKLE_S))
            for at in range(0, len(chunk), step):
                if self.server.closing.wait(TRICKLE_S):
                    return
                yield chunk[at : at + step]

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - name is http.server's
        """Say nothing; the request log has it."""
