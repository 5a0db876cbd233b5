"""The other origin: large files under signed addresses that expire."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from hub_standin.exchange import Answer, Request
from hub_standin.ranges import file_answer

if TYPE_CHECKING:
    from hub_standin.clock import Clock
    from hub_standin.stored import Stored

XML = {"Content-Type": "application/xml"}


class Cdn:
    """Signs addresses and serves what they name.

    Attributes:
        signed_for_s: How long an address is good for.
    """

    def __init__(self, clock: Clock) -> None:
        self.signed_for_s = 3_600
        self.authority = ""
        self._clock = clock
        self._key = secrets.token_bytes(16)
        self._files: dict[str, tuple[str, Stored]] = {}

    def expire_addresses(self) -> None:
        """Let every address signed so far expire at once."""
        self._key = secrets.token_bytes(16)

    def address(self, file: str, stored: Stored) -> str:
        """Return a freshly signed address.

        Args:
            file: ``owner/name/path/in/repo``.
            stored: The file.
        """
        folder = hashlib.sha1(file.encode()).hexdigest()[:24]
        path = f"/xet-bridge-us/{folder}/{stored.cdn_etag}"
        self._files[path] = (file, stored)
        name = quote(file.rpartition("/")[2])
        query = {
            "response-content-disposition": f"inline; filename*=UTF-8''{name}",
            "Expires": str(int(self._clock.now().timestamp()) + self.signed_for_s),
        }
        query["Signature"] = self._signature(path, query["Expires"])
        return f"https://{self.authority}{path}?{urlencode(query)}"

    def file_of(self, request: Request) -> str:
        """Return ``owner/name/path/in/repo`` of the file that an address names, or ""."""
        return self._files[request.path][0] if request.path in self._files else ""

    def answer(self, request: Request) -> Answer:
        """Serve a file, whole or one range of it; 403 for an address that has expired.

        A token that is sent along is refused, as storage behind signed addresses does.
        """
        if request.method not in ("GET", "HEAD"):
            return Answer(405)
        if request.token is not None:
            return _error(400, "InvalidArgument", "Only one auth mechanism allowed")
        expires = request.query.get("Expires", ["0"])[-1]
        good = self._signature(request.path, expires)
        if not hmac.compare_digest(good, request.query.get("Signature", [""])[-1]):
            return _error(403, "AccessDenied", "Access Denied")
        if self._clock.now().timestamp() >= int(expires):
            return _error(403, "AccessDenied", "Request has expired")
        stored = self._files[request.path][1]
        return file_answer(request, stored, {"ETag": f'"{stored.cdn_etag}"'})

    def _signature(self, path: str, expires: str) -> str:
        return hmac.new(self._key, f"{path} {expires}".encode(), "sha256").hexdigest()


def _error(status: int, code: str, message: str) -> Answer:
    body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return Answer(status, XML, body.encode())
