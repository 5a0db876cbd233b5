"""Walks a hostile JSON object member by member, so that memory does not follow what it declares.

``json.loads`` on 25 MB of ``[{},{},…`` takes over a gigabyte; here only one small member at a
time becomes Python objects.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator

VALUE_BYTES = 16_384
NAME_BYTES = 8_192
DEPTH = 32
SKIPPED_TOKENS = 1_000_000

_BLANK = re.compile(rb"[ \t\r\n]*+")
_STRING = re.compile(rb'"(?:[^"\\\x00-\x1f]++|\\.)*+"', re.DOTALL)
_SCALAR = re.compile(rb"[-+.0-9A-Za-z]{1,64}+")
# The usual header entry in one step: an object of plain strings and of lists of numbers.
_FLAT_OBJECT = re.compile(rb'\{(?:[^\[\]{}"]++|"[^"\\]*+"|\[[^\[\]{}"]*+\])*+\}')
_SURROGATE = re.compile(r"[\ud800-\udfff]")


class JsonError(ValueError):
    """The text is not the JSON object that was expected; says at which byte."""


def members(raw: bytes, start: int = 0) -> Iterator[tuple[str, int, int]]:
    """Yield the members of the object that starts at byte ``start``, in order.

    Args:
        raw: UTF-8 JSON text.
        start: Where the object (or blanks before it) begins.

    Yields:
        Name, first byte of the value, first byte after the value.

    Raises:
        JsonError: The text is not an object, ends early, nests too deep, or goes on after the
            object when ``start`` is 0.
    """
    at = _expect(raw, start, b"{")
    if raw[at : at + 1] == b"}":
        at += 1
    else:
        while True:
            name, at = _name(raw, at)
            at = _expect(raw, at, b":")
            stop = _skip(raw, at)
            yield name, at, stop
            at = _after_blanks(raw, stop)
            if raw[at : at + 1] == b"}":
                at += 1
                break
            at = _expect(raw, at, b",")
    if start == 0 and _after_blanks(raw, at) != len(raw):
        raise JsonError(f"text after the end of the object at byte {at}")


def elements(raw: bytes, start: int) -> Iterator[tuple[int, int]]:
    """Yield the elements of the array that starts at byte ``start``, in order.

    Args:
        raw: UTF-8 JSON text.
        start: Where the array (or blanks before it) begins.

    Yields:
        First byte of the element, first byte after it.

    Raises:
        JsonError: The text there is not an array, ends early, or nests too deep.
    """
    at = _expect(raw, start, b"[")
    if raw[at : at + 1] == b"]":
        return
    while True:
        stop = _skip(raw, at)
        yield at, stop
        at = _after_blanks(raw, stop)
        if raw[at : at + 1] == b"]":
            return
        at = _expect(raw, at, b",")


def value(raw: bytes, start: int, stop: int) -> object:
    """Parse one small value whose bounds `members` gave.

    Raises:
        JsonError: It is over `VALUE_BYTES`, malformed, or repeats a key.
    """
    if stop - start > VALUE_BYTES:
        raise JsonError(f"a value of {stop - start:,} bytes at byte {start}")
    try:
        return _DECODER.decode(raw[start:stop].decode("utf-8"))
    except ValueError as error:
        raise JsonError(f"{error} (value at byte {start})") from None


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise JsonError("a key is repeated")
    return found


def _no_constant(name: str) -> NoReturn:
    raise JsonError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)


def _name(raw: bytes, at: int) -> tuple[str, int]:
    match = _STRING.match(raw, at)
    if match is None:
        raise JsonError(f"no name at byte {at}")
    if match.end() - at > NAME_BYTES:
        raise JsonError(f"a name of {match.end() - at:,} bytes at byte {at}")
    name = value(raw, at, match.end())
    assert isinstance(name, str)  # a JSON text between quotes is a string
    if _SURROGATE.search(name):
        raise JsonError(f"a lone surrogate in the name at byte {at}")
    return name, match.end()


def _skip(raw: bytes, at: int) -> int:
    """Return the byte after the value at ``at``, without building it."""
    depth = 0
    for _ in range(SKIPPED_TOKENS):
        first = raw[at : at + 1]
        flat = _FLAT_OBJECT.match(raw, at) if first == b"{" else None
        if flat is not None:
            at = flat.end()
        elif first in (b"{", b"["):
            depth += 1
            at += 1
            if depth > DEPTH:
                raise JsonError(f"nested deeper than {DEPTH} at byte {at}")
        elif first in (b"}", b"]"):
            depth -= 1
            at += 1
        elif depth and first in (b",", b":"):
            at += 1
        else:
            match = (_STRING if first == b'"' else _SCALAR).match(raw, at)
            if match is None:
                raise JsonError(f"no value at byte {at}")
            at = match.end()
        if depth <= 0:
            return at
        at = _after_blanks(raw, at)
    raise JsonError(f"a value of more than {SKIPPED_TOKENS:,} tokens before byte {at}")


def _expect(raw: bytes, at: int, mark: bytes) -> int:
    at = _after_blanks(raw, at)
    if raw[at : at + 1] != mark:
        raise JsonError(f"no {mark.decode()!r} at byte {at}")
    return _after_blanks(raw, at + 1)


def _after_blanks(raw: bytes, at: int) -> int:
    match = _BLANK.match(raw, at)
    return at if match is None else match.end()
