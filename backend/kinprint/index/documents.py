"""Configurations and cards of compared revisions, kept so that evidence outlives its repo.

They are in no dump. Those of gated repos are never stored: nobody may be shown them.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select

from kinprint.checkpoints.documents import Document, Documents
from kinprint.checkpoints.limits import CONFIG_BYTES
from kinprint.checkpoints.tensors import Visibility
from kinprint.errors import IndexUnreadableError, MissingError
from kinprint.index.database import reading, writing
from kinprint.index.schema import document, revision

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection, Engine

GATED = "the repo is gated: its texts are neither stored nor shown"

_LONGEST_BYTES = CONFIG_BYTES
_REASON_CHARACTERS = 500


class StoredDocuments:
    """The documents of revisions; `Index.documents`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def put(self, revision_id: int, documents: Documents, at: datetime) -> None:
        """Store what was read; a text that is there already stays, with the time it was read.

        Nothing is stored of a gated repo.

        Args:
            revision_id: Number of the revision, whose commit fixes the texts.
            documents: As read at that commit.
            at: When (aware).

        Raises:
            MissingError: There is no such revision.
            IndexBusyError: Another writer kept the lock too long.
        """
        with writing(self._engine) as connection:
            if _visibility(connection, revision_id) is Visibility.GATED:
                return
            for kind, each in (("config", documents.config_json), ("card", documents.readme)):
                _put(connection, revision_id, kind, each, at)

    def of(self, revision_id: int) -> Documents | None:
        """Return the documents of a revision, None if they were never read.

        Those of a repo that is gated by now are withheld, with that as the reason.

        Raises:
            MissingError: There is no such revision.
            IndexUnreadableError: What is stored is damaged.
        """
        with reading(self._engine) as connection:
            if _visibility(connection, revision_id) is Visibility.GATED:
                withheld = Document(reason=GATED)
                return Documents(withheld, withheld)
            rows = connection.execute(
                select(document.c.kind, document.c.content, document.c.reason).where(
                    document.c.revision_id == revision_id
                )
            )
            found = {
                row.kind: Document(_unpacked(row.content, revision_id), row.reason) for row in rows
            }
        if not found:
            return None
        return Documents(config_json=found["config"], readme=found["card"])


def _visibility(connection: Connection, revision_id: int) -> Visibility:
    found = connection.scalar(select(revision.c.visibility).where(revision.c.id == revision_id))
    if found is None:
        raise MissingError(f"There is no revision {revision_id} in the index")
    return Visibility(found)


def _put(connection: Connection, revision_id: int, kind: str, text: Document, at: datetime) -> None:
    here = (document.c.revision_id == revision_id) & (document.c.kind == kind)
    # A failed second reading must not erase what a first one found.
    if connection.scalar(select(document.c.sha256).where(here)) is not None:
        return
    connection.execute(delete(document).where(here))
    reason = text.reason and text.reason.replace("\0", "")[:_REASON_CHARACTERS]
    connection.execute(
        insert(document).values(
            revision_id=revision_id,
            kind=kind,
            sha256=text.sha256,
            content=None if text.content is None else zlib.compress(text.content),
            reason=reason,
            read_at=at,
        )
    )


def _unpacked(content: bytes | None, revision_id: int) -> bytes | None:
    if content is None:
        return None
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(content, _LONGEST_BYTES)
    except zlib.error as error:
        raise IndexUnreadableError(f"A document of revision {revision_id} is damaged") from error
    if not unpacker.eof:
        raise IndexUnreadableError(f"A document of revision {revision_id} is damaged or too long")
    return text
