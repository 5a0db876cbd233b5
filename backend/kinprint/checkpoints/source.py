"""What a user names on the command line: a path, a fingerprint file, or a repo on the Hub."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from kinprint.errors import MissingError, UsageError

REPO_ID_CHARACTERS = 96
REVISION_CHARACTERS = 255
_FIRST_BYTES = 2_048
# Metadata comes first in a safetensors header, and a fingerprint's begins with this key, perhaps
# after small entries of other tools. Headers may be long, so they are not read to find it.
_FINGERPRINT = re.compile(
    rb'.{8}\s*\{\s*"__metadata__"\s*:\s*\{(?:[^{}]{0,1024},)?\s*"kinprint', re.DOTALL
)

_PART = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?")
_REVISION = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._/+-]*[A-Za-z0-9_+-])?")
_FILE_SUFFIXES = (".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".json")


@dataclass(frozen=True, slots=True)
class LocalSource:
    """A folder or a weight file on this machine."""

    path: Path


@dataclass(frozen=True, slots=True)
class FingerprintSource:
    """A fingerprint file that ``kinprint fingerprint`` wrote."""

    path: Path


@dataclass(frozen=True, slots=True)
class HubSource:
    """A repo on the Hub; revision None means its main branch."""

    repo: str
    revision: str | None = None


def parse_source(text: str) -> LocalSource | HubSource | FingerprintSource:
    """Tell what a user means by ``SRC``; what exists on disk goes before the Hub.

    Args:
        text: A directory, a file, a fingerprint file, or ``owner/name[@revision]``.

    Raises:
        MissingError: It is spelt as a path, and nothing is there.
        UsageError: It is neither a path nor a valid repo id and revision.
    """
    if not text or "\0" in text:
        raise UsageError("No model is named: give a path or owner/name.")
    path = Path(text).expanduser()
    if path.is_file() and is_fingerprint(path):
        return FingerprintSource(path)
    if path.exists():
        return LocalSource(path)
    repo, at, revision = text.partition("@")
    # A repo may be called owner/yolo.pt; a bare name of that kind is a file.
    is_bare_file = "/" not in text and text.endswith(_FILE_SUFFIXES)
    if is_bare_file or text.startswith((".", "/", "~")) or repo.count("/") > 1:
        raise MissingError(f"{text!r} does not exist.")
    return HubSource(validate_repo_id(repo), validate_revision(revision) if at else None)


def validate_repo_id(text: str) -> str:
    """Return the repo id as given if the Hub could have it (``owner/name``, or ``gpt2`` of old).

    Raises:
        UsageError: It could not; no request is made for such an id.
    """
    parts = text.split("/")
    valid = (
        len(text) <= REPO_ID_CHARACTERS
        and len(parts) <= 2
        and all(_PART.fullmatch(part) for part in parts)
        and "--" not in text
        and ".." not in text
        and not text.endswith(".git")
    )
    if not valid:
        raise UsageError(
            f"{text[:REPO_ID_CHARACTERS]!r} is not a repo id.",
            hint="A repo id is owner/name: letters, digits, '-', '_' and '.', at most "
            f"{REPO_ID_CHARACTERS} characters, without '--' or '..'.",
        )
    return text


def validate_revision(text: str) -> str:
    """Return the revision as given if it can be a branch, a tag, a ref or a commit.

    Raises:
        UsageError: It cannot.
    """
    if len(text) > REVISION_CHARACTERS or ".." in text or not _REVISION.fullmatch(text):
        raise UsageError(
            f"{text[:REVISION_CHARACTERS]!r} is not a revision.",
            hint="Give a branch, a tag, refs/pr/N or a full commit sha.",
        )
    return text


def is_fingerprint(path: Path) -> bool:
    """Say whether a file on disk is a fingerprint, by its first bytes."""
    with path.open("rb") as file:
        return _FINGERPRINT.match(file.read(_FIRST_BYTES)) is not None
