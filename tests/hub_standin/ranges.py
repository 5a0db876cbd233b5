"""Answers with a file or one range of it, as HTTP says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hub_standin.exchange import Answer, Request, Slice

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub_standin.stored import Stored

ONE_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


def file_answer(request: Request, stored: Stored, headers: Mapping[str, str]) -> Answer:
    """Return the file, or the one range of it that was asked for.

    200 without a Range header, 206 with a good one, 416 with one that is malformed, lies outside
    the file, or names several ranges.
    """
    told = {"Accept-Ranges": "bytes", "Content-Type": "application/octet-stream", **headers}
    wanted = request.headers.get("Range")
    if wanted is None:
        return Answer(200, told, Slice(stored, 0, stored.size))
    bounds = _bounds(wanted, stored.size)
    if bounds is None:
        return Answer(416, {**told, "Content-Range": f"bytes */{stored.size}"})
    start, stop = bounds
    told["Content-Range"] = f"bytes {start}-{stop - 1}/{stored.size}"
    return Answer(206, told, Slice(stored, start, stop))


def _bounds(wanted: str, size: int) -> tuple[int, int] | None:
    match = ONE_RANGE.fullmatch(wanted.strip())
    if match is None:
        return None
    first, last = match.groups()
    if not first:
        start, stop = size - min(size, int(last or 0)), size
    else:
        start, stop = int(first), min(int(last) + 1, size) if last else size
    return (start, stop) if start < stop else None
