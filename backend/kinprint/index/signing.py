"""The instance signs when it first saw weights, so that others can check what it says of time."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from kinprint.errors import UsageError
from kinprint.sketches.key_file import read_key_file, write_key_file

if TYPE_CHECKING:
    from pathlib import Path

FORMAT = "kinprint-first-seen-1"
_WHAT = "witness key"


@dataclass(frozen=True, slots=True)
class FirstSeen:
    """What an instance states of a weight set, and its signature.

    Attributes:
        digest_kind: ``files`` or ``sketches`` (see ``index.witnesses``).
        digest: SHA-256 in hexadecimal.
        first_seen: When the instance first read exactly these weights (UTC).
        instance_id: Which instance says so.
        signature: Ed25519 over `statement_of` the fields above, 64 bytes; empty if not signed.
    """

    digest_kind: str
    digest: str
    first_seen: datetime
    instance_id: str
    signature: bytes = b""


def statement_of(seen: FirstSeen) -> bytes:
    """Return the bytes that are signed: JSON with sorted keys and no spaces, in UTF-8."""
    fields = {
        "digest": seen.digest,
        "digest_kind": seen.digest_kind,
        "first_seen": seen.first_seen.astimezone(UTC).isoformat(timespec="microseconds"),
        "format": FORMAT,
        "instance_id": seen.instance_id,
    }
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()


def verify_first_seen(statement: FirstSeen, public_key: str) -> bool:
    """Tell whether an instance signed a statement.

    Args:
        statement: What it says, with its signature.
        public_key: The instance's, 64 hexadecimal digits.

    Raises:
        UsageError: The key is none.
    """
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key))
    except ValueError:
        raise UsageError("A witness's public key has 64 hexadecimal digits") from None
    try:
        key.verify(statement.signature, statement_of(statement))
    except InvalidSignature:
        return False
    return True


class WitnessKey:
    """An instance's Ed25519 key; its representation shows the public half only.

    Args:
        key: The key.
        instance_id: Of the instance that signs with it.
    """

    def __init__(self, key: Ed25519PrivateKey, instance_id: str) -> None:
        self._key = key
        self.instance_id = instance_id
        self.public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()

    def __repr__(self) -> str:
        """Name the key by its public half."""
        return f"WitnessKey(public={self.public!r})"

    @classmethod
    def load_or_create(cls, path: Path, instance_id: str) -> Self:
        """Return the key of a PEM file, making file and key if there is none.

        Raises:
            UsageError: Others than the owner can read the file, or it holds no Ed25519 key.
            MissingError: It cannot be read or made.
        """
        if not path.exists():
            made = Ed25519PrivateKey.generate().private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
            )
            write_key_file(path, made, what=_WHAT, replace=False)
        try:
            key = load_pem_private_key(read_key_file(path, what=_WHAT), password=None)
        except (ValueError, TypeError):
            key = None
        if not isinstance(key, Ed25519PrivateKey):
            raise UsageError(
                f"The {_WHAT} {str(path)!r} is malformed",
                hint="Restore it from a backup; nobody could check statements under a new one.",
            )
        return cls(key, instance_id)

    def sign(self, digest_kind: str, digest: str, first_seen: datetime) -> bytes:
        """Return the signature of what `FirstSeen` states, 64 bytes."""
        seen = FirstSeen(digest_kind, digest, first_seen, self.instance_id)
        return self._key.sign(statement_of(seen))
