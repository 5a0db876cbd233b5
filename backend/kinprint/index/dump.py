"""A dump: the public fingerprints of one index as one tar file, for another to start from.

``manifest.json`` comes first, then one fingerprint file a repo. Nothing secret and nothing gated
is in it. Whoever loads a dump trusts whoever made it: fingerprints are checked for their form, not
against the Hub; the time at which they were first seen is the loading instance's own.
"""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from kinprint.checkpoints.tensors import Visibility
from kinprint.errors import MalformedDumpError, MissingError, UsageError
from kinprint.fingerprint.file import FILE_BYTES, from_bytes, to_bytes
from kinprint.sketches.projection import SKETCH_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path
    from typing import IO

    from kinprint.fingerprint.record import Fingerprint
    from kinprint.index.store import Index

MANIFEST = "manifest.json"
MANIFEST_BYTES = 10_000


class Manifest(BaseModel):
    """What a dump says of itself.

    Attributes:
        version: Of the format.
        made_at: When (UTC).
        sketch_name: Sketches of two names never compare.
        models: Number of fingerprints.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    made_at: AwareDatetime
    sketch_name: str = Field(max_length=256)
    models: int = Field(ge=0)


def write_dump(
    index: Index,
    path: Path,
    *,
    made_at: datetime,
    progress: Callable[[int, int], None] | None = None,
) -> Manifest:
    """Write the newest public revision of every repo of an index.

    An older dump is replaced once the new one is whole.

    Args:
        index: The index.
        path: The file to write.
        made_at: Now (aware).
        progress: Told the models written so far and those to write.

    Raises:
        UsageError: Another file has that name.
        MissingError: The file cannot be written.
    """
    if path.exists() and not _is_dump(path):
        raise UsageError(
            f"{str(path)!r} exists and is no dump; it was left as it is.",
            hint="Choose another name, or remove the file yourself.",
        )
    numbers = index.public_revisions()
    manifest = Manifest(made_at=made_at, sketch_name=SKETCH_NAME, models=len(numbers))
    beside = path.with_name(f".{path.name}.part")
    try:
        with tarfile.open(beside, "w") as tar:
            _put(tar, MANIFEST, manifest.model_dump_json().encode())
            for done, number in enumerate(numbers, 1):
                _put(tar, f"{number}.safetensors", to_bytes(index.fingerprint(number)))
                if progress is not None:
                    progress(done, len(numbers))
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise MissingError(f"Cannot write {str(path)!r}: {error.strerror}") from None
    return manifest


def read_manifest(path: Path) -> Manifest:
    """Return what a dump says of itself.

    Raises:
        MissingError: There is no such file.
        MalformedDumpError: It is no dump, or one whose sketches this version cannot compare.
    """
    for name, content in _members(path):
        if name != MANIFEST:
            break
        return _manifest(content, path)
    raise MalformedDumpError(f"{str(path)!r} is no dump: it does not start with {MANIFEST}")


def read_dump(path: Path) -> Iterator[Fingerprint]:
    """Yield a dump's fingerprints one at a time; those of repos that are not public are refused.

    Raises:
        MissingError: There is no such file.
        MalformedDumpError: It is no dump, truncated, or holds what no dump may.
        FingerprintError: A fingerprint in it is damaged.
    """
    read_manifest(path)
    for name, content in _members(path):
        if name == MANIFEST:
            continue
        fingerprint = from_bytes(content)
        origin = fingerprint.origin
        if origin.visibility is not Visibility.PUBLIC or None in (origin.repo, origin.revision):
            raise MalformedDumpError(f"{name} in {str(path)!r} is not of a public repo")
        if fingerprint.sketch_name != SKETCH_NAME:
            raise MalformedDumpError(f"{name} in {str(path)!r} holds other sketches than its dump")
        yield fingerprint


def _is_dump(path: Path) -> bool:
    try:
        return next(_members(path), ("", b""))[0] == MANIFEST
    except MalformedDumpError:
        return False


def _put(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the regular members in order; nothing is ever extracted to disk."""
    try:
        # "r|" reads front to back and refuses compression, so no bomb can unfold.
        with tarfile.open(path, "r|") as tar:
            for member in tar:
                limit = MANIFEST_BYTES if member.name == MANIFEST else FILE_BYTES
                if not member.isreg() or member.size > limit:
                    raise MalformedDumpError(
                        f"{member.name!r} in {str(path)!r} is no file of at most {limit:,} bytes"
                    )
                yield member.name, _content(tar.extractfile(member), member, path)
    except FileNotFoundError:
        raise MissingError(f"There is no file {str(path)!r}") from None
    except (tarfile.TarError, OSError) as error:
        raise MalformedDumpError(f"{str(path)!r} is no dump, or a truncated one: {error}") from None


def _content(file: IO[bytes] | None, member: tarfile.TarInfo, path: Path) -> bytes:
    content = b"" if file is None else file.read()
    if len(content) != member.size:
        raise MalformedDumpError(f"{member.name!r} in {str(path)!r} is truncated")
    return content


def _manifest(content: bytes, path: Path) -> Manifest:
    try:
        manifest = Manifest.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]["msg"]
        raise MalformedDumpError(f"The manifest of {str(path)!r} is not valid: {first}") from None
    if manifest.sketch_name != SKETCH_NAME:
        raise MalformedDumpError(
            f"{str(path)!r} holds sketches named {manifest.sketch_name!r}; this version compares "
            f"{SKETCH_NAME!r} only"
        )
    return manifest
