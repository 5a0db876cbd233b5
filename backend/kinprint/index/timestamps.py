"""External timestamps (RFC 3161): an authority had the digests of these weights at a time.

The user sends the statement to an authority with standard tools (``openssl ts -query -cert``);
what comes back is checked here against roots that the operator lists. Nothing is sent from here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain, combinations
from typing import TYPE_CHECKING

from cryptography.x509 import load_pem_x509_certificates
from rfc3161_client import VerificationError, VerifierBuilder, decode_timestamp_response

from kinprint.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cryptography.x509 import Certificate
    from rfc3161_client import TimeStampResponse, TimeStampTokenInfo

FORMAT = "kinprint-weights-1"

TOKEN_BYTES = 262_144
"""Longest answer of an authority that is parsed; one with its chain has about 6,000 bytes."""

ROOT_BYTES = 1_000_000
"""Longest file of root certificates; the list of a whole operating system has 220,000 bytes."""

LONGEST_ACCURACY = timedelta(days=1)
"""An authority that is less sure of its clock than this dates nothing."""


@dataclass(frozen=True, slots=True)
class Timestamp:
    """A verified timestamp.

    Attributes:
        at: The latest moment at which it was made: the authority's time and its inaccuracy (UTC).
        digests: What the stamped statement lists, by kind.
        statement: The bytes that were stamped.
    """

    at: datetime
    digests: dict[str, str]
    statement: bytes


def statement_of(digests: Mapping[str, str]) -> bytes:
    """Return what is to be stamped: JSON with sorted keys and no spaces, in UTF-8.

    Args:
        digests: Of the weights, by kind (see ``witnesses.weight_sets``).

    Raises:
        UsageError: There is none.
    """
    if not digests:
        raise UsageError(
            "Nothing of these weights can be recognised again, so there is nothing to stamp",
            hint="Too little was sampled, and no file has a sha256 on the Hub.",
        )
    fields = {"digests": dict(digests), "format": FORMAT}
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()


def read_roots(content: bytes) -> tuple[Certificate, ...]:
    """Return the certificates of a PEM file.

    Raises:
        UsageError: It holds none, or is too long.
    """
    try:
        found = load_pem_x509_certificates(content) if len(content) <= ROOT_BYTES else []
    except ValueError:
        found = []
    if not found:
        raise UsageError(
            f"The file of root certificates is no PEM file of at most {ROOT_BYTES:,} bytes",
            hint="Get the authority's root certificate in PEM from its own site.",
        )
    return tuple(found)


def verified(token: bytes, digests: Mapping[str, str], roots: Sequence[Certificate]) -> Timestamp:
    """Check an authority's answer and say what it proves.

    Args:
        token: The answer in DER (``application/timestamp-reply``), with the signer's certificate.
        digests: Of the weights, by kind. The statement may have listed fewer of them: files on a
            disk have no digest of the Hub's.
        roots: The certificates that are trusted.

    Raises:
        UsageError: It is malformed, stamps something else, or no trusted root vouches for it.
    """
    answer = _decoded(token)
    verifier = VerifierBuilder(roots=list(roots)).build()
    reason = "it stamps nothing of these weights"
    for chosen in _subsets(digests):
        statement = statement_of(chosen)
        try:
            verifier.verify_message(answer, statement)
        except (VerificationError, ValueError) as error:
            if "Mismatch between messages" not in str(error):
                reason = str(error)
            continue
        return Timestamp(_latest(answer.tst_info), dict(chosen), statement)
    raise UsageError(
        f"The timestamp is not valid for these weights: {reason}",
        hint="Ask the authority with `openssl ts -query -cert`, and list its root certificate.",
    )


def _decoded(token: bytes) -> TimeStampResponse:
    try:
        if len(token) <= TOKEN_BYTES:
            return decode_timestamp_response(token)
    except ValueError:
        pass
    raise UsageError(
        f"The timestamp is no answer of a time-stamping authority of at most {TOKEN_BYTES:,} bytes",
        hint="It is the file that the authority sends, as it came (DER).",
    )


def _subsets(digests: Mapping[str, str]) -> list[dict[str, str]]:
    kinds = sorted(digests)
    sizes = range(len(kinds), 0, -1)
    chosen = chain.from_iterable(combinations(kinds, size) for size in sizes)
    return [{kind: digests[kind] for kind in each} for each in chosen]


def _latest(info: TimeStampTokenInfo) -> datetime:
    accuracy = info.accuracy
    uncertain = timedelta(0)
    if accuracy is not None:
        uncertain = timedelta(
            seconds=min(accuracy.seconds or 0, 10**6),
            milliseconds=accuracy.millis or 0,
            microseconds=accuracy.micros or 0,
        )
    if uncertain > LONGEST_ACCURACY:
        raise UsageError("The timestamp's authority is not sure of its own clock by a day")
    made_at = info.gen_time
    aware = made_at.replace(tzinfo=UTC) if made_at.tzinfo is None else made_at.astimezone(UTC)
    return aware + uncertain
