"""Builds checkpoint files by hand, well-formed or hostile, byte by byte."""

from __future__ import annotations

import json
import pickle
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def safetensors_file(
    header: bytes | Mapping[str, Any], data: bytes = b"", *, declared_bytes: int | None = None
) -> bytes:
    """Return a safetensors file around any header text; its length may be declared wrongly."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    length = len(text) if declared_bytes is None else declared_bytes
    return length.to_bytes(8, "little") + text + data


def entry(dtype: str, shape: list[int], begin: int, end: int) -> dict[str, Any]:
    """Return the header entry of one tensor."""
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


@dataclass(frozen=True)
class Name:
    """A name that `pickled` writes as it is, whether or not it can be imported."""

    module: str
    name: str


@dataclass(frozen=True)
class Call:
    """A REDUCE: function applied to arguments."""

    function: Name
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class Persistent:
    """A persistent id, as torch writes storages."""

    identity: Any


def pickled(value: object) -> bytes:
    """Return a protocol 2 pickle of dicts, tuples, scalars and the classes above."""
    return b"\x80\x02" + opcodes(value) + pickle.STOP


def opcodes(value: object) -> bytes:
    """Return the opcodes that push one value."""
    if isinstance(value, Name):
        return pickle.GLOBAL + f"{value.module}\n{value.name}\n".encode()
    if isinstance(value, Call):
        return opcodes(value.function) + opcodes(value.arguments) + pickle.REDUCE
    if isinstance(value, Persistent):
        return opcodes(value.identity) + pickle.BINPERSID
    if isinstance(value, tuple):
        return pickle.MARK + b"".join(map(opcodes, value)) + pickle.TUPLE
    if isinstance(value, dict):
        items = (opcodes(key) + opcodes(item) + pickle.SETITEM for key, item in value.items())
        return pickle.EMPTY_DICT + b"".join(items)
    # The pickle of a scalar without its protocol and its end.
    return pickle.dumps(value, protocol=2)[2:-1]


FLOAT_STORAGE = Name("torch", "FloatStorage")
REBUILD = Name("torch._utils", "_rebuild_tensor_v2")
ORDERED_DICT = Name("collections", "OrderedDict")


def tensor(
    key: str,
    elements: int,
    shape: tuple[Any, ...],
    strides: tuple[Any, ...],
    *,
    offset: int = 0,
    storage: Name = FLOAT_STORAGE,
) -> Call:
    """Return the rebuild of one tensor, as torch pickles it."""
    reference = Persistent(("storage", storage, key, "cpu", elements))
    return Call(REBUILD, (reference, offset, shape, strides, False, Call(ORDERED_DICT, ())))


def torch_archive(
    path: Path,
    state: object,
    storages: Mapping[str, bytes],
    *,
    compression: int = zipfile.ZIP_STORED,
    extra: Mapping[str, bytes] | None = None,
) -> Path:
    """Write a torch zip archive; ``state`` is pickled, or taken as the pickle if it is bytes."""
    raw = state if isinstance(state, bytes) else pickled(state)
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("archive/data.pkl", raw)
        for key, content in storages.items():
            archive.writestr(f"archive/data/{key}", content)
        for name, content in (extra or {}).items():
            archive.writestr(name, content)
    return path
