"""The header of a fingerprint file: one JSON text inside the metadata of a safetensors header.

Files come from strangers. The text is walked member by member, so that neither its nesting nor
what it declares decides how much memory is taken, and pydantic sees one small value at a time.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from kinprint.checkpoints import json_members, limits
from kinprint.fingerprint.record import Depth, FileFact, OriginFact, SkippedFact, ViewFact

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kinprint.fingerprint.record import Fingerprint

MARK = "kinprint"
"""Key of the JSON text in the metadata of the safetensors header."""

_METADATA = "__metadata__"
_FACT_BYTES = 65_536
"""Largest value of a header besides its lists; an origin with a hundred bases has 20 kB."""
_LISTS: Mapping[str, tuple[TypeAdapter[Any], int]] = {
    "files": (TypeAdapter(FileFact), limits.SHARDS),
    "views": (TypeAdapter(ViewFact), limits.TENSORS),
    "skipped": (TypeAdapter(SkippedFact), limits.TENSORS),
}


class Facts(BaseModel):
    """What a header says besides its lists."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    sketch_name: str = Field(max_length=256)
    origin: OriginFact
    parameters: int = Field(ge=0)
    bytes_read: int = Field(ge=0)
    depth: Depth = Depth.FULL


@dataclass(frozen=True, slots=True)
class Place:
    """Where a column lies in a safetensors file.

    Attributes:
        dtype: As safetensors names it.
        shape: Its shape.
        data_offsets: Its first byte and the byte after its last, counted from the header's end.
    """

    dtype: str
    shape: tuple[int, ...]
    data_offsets: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Header:
    """What a header says.

    Attributes:
        facts: All but the lists.
        files: The weight files.
        views: The views.
        skipped: What was not hashed.
        places: Column → where it lies.
    """

    facts: Facts
    files: tuple[FileFact, ...]
    views: tuple[ViewFact, ...]
    skipped: tuple[SkippedFact, ...]
    places: Mapping[str, Place]


_PLACE = TypeAdapter(Place)


def header_text(fingerprint: Fingerprint) -> str:
    """Return the JSON text that describes a fingerprint."""
    facts = Facts(
        sketch_name=fingerprint.sketch_name,
        origin=fingerprint.origin,
        parameters=fingerprint.parameters,
        bytes_read=fingerprint.bytes_read,
        depth=fingerprint.depth,
    ).model_dump_json(exclude_defaults=True)
    lists = (
        f'"{name}":[{",".join(_text(kind, each) for each in getattr(fingerprint, name))}]'
        for name, (kind, _) in _LISTS.items()
    )
    return f"{facts[:-1]},{','.join(lists)}}}"


def _text(kind: TypeAdapter[Any], each: object) -> str:
    return kind.dump_json(each, exclude_defaults=True).decode()


def read_header(raw: bytes, columns: int) -> Header:
    """Read the header of a safetensors file that holds a fingerprint.

    Args:
        raw: Its JSON text, UTF-8.
        columns: How many columns a fingerprint has.

    Raises:
        ValueError: It is not such a header, or over a limit (`json_members.JsonError`, or
            pydantic's `ValidationError`).
    """
    text: bytes | None = None
    places: dict[str, Place] = {}
    for name, start, stop in json_members.members(raw):
        if name == _METADATA and text is None:
            text = _marked(raw, start)
        elif len(places) < columns and stop - start < json_members.VALUE_BYTES:
            places[name] = _PLACE.validate_json(raw[start:stop])
        else:
            raise ValueError("its header declares other things than columns")
    if text is None:
        raise ValueError("it has no Kinprint header")
    del raw
    return _header(text, places)


def _marked(raw: bytes, start: int) -> bytes:
    """Return the JSON text that the metadata holds, its escapes undone."""
    for name, first, stop in json_members.members(raw, start):
        if name == MARK and raw[first : first + 1] == b'"':
            text = raw[first + 1 : stop - 1]
            # A control character may not stand in a JSON string, so it can stand for "\\".
            text = text.replace(rb"\\", b"\0").replace(rb"\"", b'"')
            if b"\\" in text:
                raise ValueError("its header is escaped as no fingerprint is")
            return text.replace(b"\0", b"\\")
    raise ValueError("it has no Kinprint header")


def _header(text: bytes, places: Mapping[str, Place]) -> Header:
    lists: dict[str, tuple[Any, ...]] = {}
    facts: list[bytes] = []
    for name, start, stop in json_members.members(text):
        if name in _LISTS:
            if name in lists:
                raise ValueError(f"{name} are listed twice")
            lists[name] = _listed(text, start, name)
        elif stop - start > _FACT_BYTES or len(facts) > len(Facts.model_fields):
            raise ValueError("its header has other facts than a fingerprint")
        else:
            facts.append(json.dumps(name).encode() + b":" + text[start:stop])
    missing = ", ".join(_LISTS.keys() - lists.keys())
    if missing:
        raise ValueError(f"its header lacks {missing}")
    return Header(Facts.model_validate_json(b"{" + b",".join(facts) + b"}"), **lists, places=places)


def _listed(text: bytes, start: int, name: str) -> tuple[Any, ...]:
    kind, most = _LISTS[name]
    found: list[Any] = []
    names_bytes = 0
    for first, stop in json_members.elements(text, start):
        if len(found) == most or stop - first > json_members.VALUE_BYTES:
            raise ValueError(f"its header has too many or too large {name}")
        found.append(kind.validate_json(text[first:stop]))
        # One character beyond the basic plane makes Python keep four bytes for each of a name.
        names_bytes += sys.getsizeof(getattr(found[-1], "name", ""))
        if names_bytes > limits.NAMES_BYTES:
            raise ValueError(f"the names of its {name} are too long")
    return tuple(found)
