"""Only the Hub's own hosts are read, over https, and never a private address."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinprint.checkpoints.hosts import HostRules, is_public
from kinprint.errors import HostRefusedError, UsageError
from kinprint.settings import Settings

PUBLIC = "93.184.216.34"


def rules(addresses=(PUBLIC,), **fields) -> HostRules:
    return HostRules.of(Settings(**fields), lambda host, port: addresses)


@pytest.mark.parametrize(
    "host",
    [
        "huggingface.co",
        "hf.co",
        "cdn-lfs.hf.co",
        "cas-bridge.xethub.hf.co",
        "cdn-lfs.huggingface.co",
        "CDN-LFS.HF.CO",
        "huggingface.co.",
    ],
)
def test_the_hubs_own_hosts_are_read(host: str) -> None:
    rules().check_url("https", host, None)
    rules().check_name(host, 443)


@pytest.mark.parametrize(
    "host",
    [
        "evil.com",
        "huggingface.co.evil.com",
        "nothf.co",
        "127.0.0.1",
        "::1",
        "2130706433",
        "169.254.169.254",
        "evil.com%00.hf.co",
        "a b.hf.co",
        "",
    ],
)
def test_other_hosts_are_refused_before_anything_is_resolved(host: str) -> None:
    def never(host: str, port: int) -> tuple[str, ...]:
        raise AssertionError("resolved")

    with pytest.raises(HostRefusedError):
        HostRules.of(Settings(), never).check_url("https", host, None)


@pytest.mark.parametrize("scheme", ["http", "ftp", "file", ""])
def test_only_https_is_spoken(scheme: str) -> None:
    with pytest.raises(HostRefusedError, match="only https"):
        rules().check_url(scheme, "huggingface.co", None)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fd12::1",
        "fec0::1",
        "ff02::1",
        "::ffff:8.8.8.8",
        "::ffff:127.0.0.1",
        "::127.0.0.1",
        "2002:7f00:1::",
        "2001:db8::1",
        "64:ff9b::7f00:1",
    ],
)
def test_private_addresses_behind_an_allowed_name_are_refused(address: str) -> None:
    with pytest.raises(HostRefusedError, match="no public address"):
        rules(addresses=(PUBLIC, address)).check_name("cdn-lfs.hf.co", 443)
    with pytest.raises(HostRefusedError):
        rules().check_peer("cdn-lfs.hf.co", 443, address)


@pytest.mark.parametrize("address", [PUBLIC, "2606:4700::1111", "64:ff9b::808:808"])
def test_public_addresses_are_read(address: str) -> None:
    rules(addresses=(address,)).check_name("cdn-lfs.hf.co", 443)


@given(st.ip_addresses(v=4))
def test_wrapping_never_makes_an_ipv4_address_more_public(address) -> None:
    assert not is_public(f"::ffff:{address}")
    assert is_public(f"64:ff9b::{address}") <= is_public(str(address))


def test_the_default_endpoint_gets_no_exception_for_private_addresses() -> None:
    with pytest.raises(HostRefusedError):
        rules(addresses=("10.0.0.1",)).check_name("huggingface.co", 443)


def test_another_endpoint_moves_the_list_of_hosts() -> None:
    mirror = rules(addresses=("10.0.0.1",), hub_endpoint="https://hub.corp.example:8443")
    mirror.check_url("https", "hub.corp.example", 8443)
    mirror.check_name("hub.corp.example", 8443)
    mirror.check_url("https", "cdn.hub.corp.example", None)
    with pytest.raises(HostRefusedError, match="no public address"):
        mirror.check_name("cdn.hub.corp.example", 443)
    with pytest.raises(HostRefusedError, match="no public address"):
        mirror.check_name("hub.corp.example", 9000)
    with pytest.raises(HostRefusedError, match="not a host of the Hub"):
        mirror.check_url("https", "cdn-lfs.hf.co", None)


def test_listed_hosts_alone_may_be_private() -> None:
    listed = rules(addresses=("127.0.0.1",), cdn_hosts="127.0.0.1:5001, minio.corp, [::1]:6000")
    listed.check_url("https", "127.0.0.1", 5001)
    listed.check_name("127.0.0.1", 5001)
    listed.check_url("https", "minio.corp", 9000)
    listed.check_peer("minio.corp", 9000, "127.0.0.1")
    listed.check_url("https", "::1", 6000)
    for host, port in (("127.0.0.1", 5002), ("::1", 6001), ("sub.minio.corp", 9000)):
        with pytest.raises(HostRefusedError):
            listed.check_url("https", host, port)


@pytest.mark.parametrize("entry", ["https://minio.corp", "host:99999", "a b", "host:x"])
def test_a_malformed_list_is_said_to_be_so(entry: str) -> None:
    with pytest.raises(UsageError, match="is not a host"):
        rules(cdn_hosts=entry)


def test_the_token_is_for_the_endpoint_alone() -> None:
    hub = rules()
    assert hub.is_endpoint("huggingface.co", None)
    assert hub.is_endpoint("HUGGINGFACE.CO", 443)
    assert not hub.is_endpoint("huggingface.co", 8443)
    assert not hub.is_endpoint("cdn-lfs.huggingface.co", None)
    assert not hub.is_endpoint("hf.co", None)
