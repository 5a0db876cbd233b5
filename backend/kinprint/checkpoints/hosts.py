"""Which hosts bytes may be read from: the Hub's own, those the operator lists, none private."""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from kinprint.errors import HostRefusedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kinprint.settings import Settings

DEFAULT_ENDPOINT = "https://huggingface.co"
HUB_DOMAINS = ("huggingface.co", "hf.co")
HTTPS_PORT = 443

_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def system_addresses(host: str, port: int) -> tuple[str, ...]:
    """Return every address that the system's resolver gives for a host.

    Raises:
        OSError: The name does not resolve.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(str(entry[4][0]) for entry in found)


@dataclass(frozen=True, slots=True)
class Host:
    """A host name or address in lower case; ``port`` None stands for every port."""

    name: str
    port: int | None = None

    def covers(self, name: str, port: int) -> bool:
        """Tell whether this entry means that host and port."""
        return self.name == name and self.port in (None, port)


@dataclass(frozen=True, slots=True)
class HostRules:
    """What may be contacted, decided for every hop of every request.

    Attributes:
        endpoint: The Hub itself; the only host that is ever sent a token.
        domains: Names that, with all their sub-domains, may be read from.
        trusted: Hosts that the operator named, which alone may be private addresses.
        addresses_of: Resolver, called as ``addresses_of(host, port)``.
    """

    endpoint: Host
    domains: tuple[str, ...]
    trusted: tuple[Host, ...]
    addresses_of: Callable[[str, int], Sequence[str]] = system_addresses

    @classmethod
    def of(
        cls,
        settings: Settings,
        addresses_of: Callable[[str, int], Sequence[str]] = system_addresses,
    ) -> HostRules:
        """Derive the rules from the configured endpoint and ``cdn_hosts``.

        Raises:
            UsageError: The endpoint or one of the hosts is not a host name or address.
        """
        endpoint = _parsed(settings.hub_endpoint.removeprefix("https://").partition("/")[0])
        endpoint = Host(endpoint.name, endpoint.port or HTTPS_PORT)
        trusted = tuple(_parsed(entry) for entry in settings.cdn_hosts)
        if settings.hub_endpoint == DEFAULT_ENDPOINT:
            return cls(endpoint, HUB_DOMAINS, trusted, addresses_of)
        # Another endpoint is the operator's explicit choice, wherever it lives.
        return cls(endpoint, (endpoint.name,), (endpoint, *trusted), addresses_of)

    def check_url(self, scheme: str, host: str, port: int | None) -> None:
        """Refuse an address by its looks, before anything is resolved.

        Args:
            scheme: Of the URL, lower case.
            host: As it stands in the URL, without brackets.
            port: None for the scheme's own.

        Raises:
            HostRefusedError: Not https, or a host that is not on the list.
        """
        if scheme != "https":
            raise HostRefusedError(f"Refused to read from {scheme}://{host}: only https is used.")
        name = _normal(host)
        if self._is_trusted(name, port or HTTPS_PORT):
            return
        listed = any(name == domain or name.endswith(f".{domain}") for domain in self.domains)
        if not listed or not (_NAME.fullmatch(name) or _is_address(name)):
            raise HostRefusedError(f"Refused to read from {host!r}: not a host of the Hub.")

    def check_name(self, host: str, port: int) -> None:
        """Resolve a host before it is connected to, and refuse it if any address is private.

        Raises:
            HostRefusedError: One of its addresses is not a public one.
        """
        if self._is_trusted(_normal(host), port):
            return
        try:
            addresses = self.addresses_of(host, port)
        except OSError:
            # The connection will fail for the same reason, with the client's own error.
            return
        for address in addresses:
            self.check_peer(host, port, address)

    def check_peer(self, host: str, port: int, address: str) -> None:
        """Refuse a connection by the address at its other end, whatever the name resolved to.

        Raises:
            HostRefusedError: The address is loopback, private, link-local, multicast, reserved
                or a wrapped IPv4 address, and the operator did not list the host.
        """
        if not self._is_trusted(_normal(host), port) and not is_public(address):
            raise HostRefusedError(
                f"Refused to read from {host!r}: it resolves to {address}, no public address."
            )

    def is_endpoint(self, host: str, port: int | None) -> bool:
        """Tell whether this is the Hub itself, which alone is sent the token."""
        return self.endpoint.covers(_normal(host), port or HTTPS_PORT)

    def _is_trusted(self, name: str, port: int) -> bool:
        return any(entry.covers(name, port) for entry in self.trusted)


def is_public(address: str) -> bool:
    """Tell whether an IP address (text, v4 or v6) is reachable on the public internet as itself."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        if ip in _NAT64:
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)))
        # Wrapped IPv4 addresses would hide a private one; no CDN uses them.
        if ip.ipv4_mapped or ip.sixtofour or ip.teredo or ip.is_site_local:
            return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved)


def _normal(host: str) -> str:
    return host.lower().rstrip(".")


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _parsed(entry: str) -> Host:
    if _is_address(entry):
        return Host(_normal(entry))
    try:
        parts = urlsplit(f"//{entry}")
        name, port = _normal(parts.hostname or ""), parts.port
    except ValueError:
        name, port = "", None
    else:
        name = name if parts.netloc == entry and "@" not in entry else ""
    if not (_NAME.fullmatch(name) or _is_address(name)):
        raise UsageError(
            f"{entry!r} is not a host.",
            hint="KINPRINT_CDN_HOSTS takes host or host:port, comma-separated.",
        )
    return Host(name, port)
