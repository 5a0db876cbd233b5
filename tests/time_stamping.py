"""A time-stamping authority for tests, whose clock can be set: RFC 3161 answers, signed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SEQUENCE, SET, OCTETS, INTEGER, BOOLEAN, OID, GENERALIZED = 0x30, 0x31, 4, 2, 1, 6, 0x18
SIGNED_DATA, TST_INFO = "1.2.840.113549.1.7.2", "1.2.840.113549.1.9.16.1.4"
CONTENT_TYPE, MESSAGE_DIGEST = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4"
SIGNING_CERTIFICATE_V2 = "1.2.840.113549.1.9.16.2.47"
SHA256, ECDSA_SHA256, POLICY = "2.16.840.1.101.3.4.2.1", "1.2.840.10045.4.3.2", "1.2.3.4.1"


@dataclass
class Authority:
    """One authority with a root of its own.

    Attributes:
        name: Common name of its root.
    """

    name: str = "Test root"
    _serial: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._root_key = ec.generate_private_key(ec.SECP256R1())
        self._key = ec.generate_private_key(ec.SECP256R1())
        root_name, leaf_name = _name(self.name), _name(f"{self.name} TSA")
        self.root = (
            _certificate(root_name, root_name, self._root_key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .sign(self._root_key, hashes.SHA256())
        )
        self._leaf = (
            _certificate(leaf_name, root_name, self._key)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True
            )
            .add_extension(_usage(signs_certificates=False), critical=True)
            .sign(self._root_key, hashes.SHA256())
        )

    @property
    def root_pem(self) -> bytes:
        """The root certificate as an operator lists it."""
        return self.root.public_bytes(Encoding.PEM)

    def stamp(self, message: bytes, at: datetime, *, accuracy_s: int | None = None) -> bytes:
        """Answer a request to stamp ``message``."""
        self._serial += 1
        info = _der(
            SEQUENCE,
            _integer(1),
            _oid(POLICY),
            _der(SEQUENCE, _algorithm(SHA256), _der(OCTETS, hashlib.sha256(message).digest())),
            _integer(self._serial),
            _der(GENERALIZED, at.astimezone(UTC).strftime("%Y%m%d%H%M%SZ").encode()),
            b"" if accuracy_s is None else _der(SEQUENCE, _integer(accuracy_s)),
        )
        return _der(SEQUENCE, _der(SEQUENCE, _integer(0)), self._token(info))

    def _token(self, info: bytes) -> bytes:
        leaf = self._leaf.public_bytes(Encoding.DER)
        named = _der(SEQUENCE, _der(SEQUENCE, _der(OCTETS, hashlib.sha256(leaf).digest())))
        attributes = b"".join(
            sorted(
                (
                    _attribute(CONTENT_TYPE, _oid(TST_INFO)),
                    _attribute(MESSAGE_DIGEST, _der(OCTETS, hashlib.sha256(info).digest())),
                    _attribute(SIGNING_CERTIFICATE_V2, _der(SEQUENCE, named)),
                )
            )
        )
        signature = self._key.sign(_der(SET, attributes), ec.ECDSA(hashes.SHA256()))
        signer = _der(
            SEQUENCE,
            _integer(1),
            _der(SEQUENCE, self._leaf.issuer.public_bytes(), _integer(self._leaf.serial_number)),
            _algorithm(SHA256),
            _der(0xA0, attributes),
            _algorithm(ECDSA_SHA256, null=False),
            _der(OCTETS, signature),
        )
        signed = _der(
            SEQUENCE,
            _integer(3),
            _der(SET, _algorithm(SHA256)),
            _der(SEQUENCE, _oid(TST_INFO), _der(0xA0, _der(OCTETS, info))),
            _der(0xA0, leaf),
            _der(SET, signer),
        )
        return _der(SEQUENCE, _oid(SIGNED_DATA), _der(0xA0, signed))


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    start = datetime(2010, 1, 1, tzinfo=UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=365 * 50))
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _der(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    length = len(content)
    if length < 0x80:
        return bytes([tag, length]) + content
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(size)]) + size + content


def _integer(value: int) -> bytes:
    return _der(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _oid(dotted: str) -> bytes:
    first, second, *rest = (int(part) for part in dotted.split("."))
    content = b""
    for part in (40 * first + second, *rest):
        groups = [part & 0x7F]
        while part := part >> 7:
            groups.append(0x80 | part & 0x7F)
        content += bytes(reversed(groups))
    return _der(OID, content)


def _algorithm(dotted: str, *, null: bool = True) -> bytes:
    return _der(SEQUENCE, _oid(dotted), b"\x05\x00" if null else b"")


def _attribute(dotted: str, value: bytes) -> bytes:
    return _der(SEQUENCE, _oid(dotted), _der(SET, value))
