"""The tables of the index.

``migrations/versions`` holds the history; a test compares the two.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

if TYPE_CHECKING:
    from sqlalchemy import Dialect


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime, stored and given back in UTC (SQLite keeps no zone)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - signature is SQLAlchemy's
        """Refuse a naive datetime, convert an aware one.

        Raises:
            ValueError: The datetime has no zone.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a datetime without a zone: {value}")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Give it back aware."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _id() -> BigInteger:
    # SQLite numbers rows by itself only in a column declared INTEGER.
    return BigInteger().with_variant(Integer, "sqlite")


def _to(column: str, *, primary_key: bool = False, nullable: bool = False) -> Column[int]:
    reference = ForeignKey(column, ondelete="CASCADE")
    name = column.replace(".id", "_id")
    return Column(name, _id(), reference, primary_key=primary_key, nullable=nullable)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

instance = Table(
    "instance",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

repo = Table(
    "repo",
    metadata,
    Column("id", _id(), primary_key=True),
    Column("name", String(128), nullable=False),
    Column("folded", String(128), nullable=False, unique=True),
)

repo_alias = Table(
    "repo_alias",
    metadata,
    Column("folded", String(128), primary_key=True),
    _to("repo.id"),
)

block_class = Table(
    "block_class",
    metadata,
    Column("id", _id(), primary_key=True),
    Column("sketch_name", String(256), nullable=False),
    Column("start", Integer, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("cols", Integer, nullable=False),
    Column("families", BigInteger, nullable=False),
    UniqueConstraint("sketch_name", "start", "rows", "cols"),
)

family = Table(
    "family",
    metadata,
    Column("id", _id(), primary_key=True),
    _to("block_class.id"),
    Column("centre", LargeBinary(32), nullable=False),
    Column("sketch", LargeBinary(512), nullable=False),
    Column("step", Float, nullable=False),
    Column("parameters", BigInteger, nullable=False),
    Column("first_indexed", UtcDateTime, nullable=False),
    CheckConstraint("length(centre) = 32", name="centre"),
    CheckConstraint("length(sketch) = 512", name="sketch"),
)
# Covers the scan of a class's centres, so that the wide sketches are not paged in.
Index("ix_family_centre", family.c.block_class_id, family.c.id, family.c.centre)


def _band(name: str) -> Table:
    return Table(
        name,
        metadata,
        Column("block_class_id", BigInteger, primary_key=True, autoincrement=False),
        Column("band_no", SmallInteger, primary_key=True, autoincrement=False),
        Column("bits", Integer, primary_key=True, autoincrement=False),
        Column("family_id", BigInteger, primary_key=True, autoincrement=False),
        sqlite_with_rowid=False,
    )


band = _band("band")
band_new = _band("band_new")

bundle = Table(
    "bundle",
    metadata,
    Column("id", _id(), primary_key=True),
    Column("families", Integer, nullable=False),
    Column("revisions", BigInteger, nullable=False),
)

bundle_family = Table(
    "bundle_family",
    metadata,
    _to("bundle.id", primary_key=True),
    _to("family.id", primary_key=True),
    Column("sign", SmallInteger, nullable=False),
    CheckConstraint("sign IN (-1, 1)", name="sign"),
    Index("ix_bundle_family_family_id", "family_id"),
    sqlite_with_rowid=False,
)

weight_set = Table(
    "weight_set",
    metadata,
    Column("id", _id(), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("digest", String(64), nullable=False),
    UniqueConstraint("kind", "digest"),
    CheckConstraint("kind IN ('sketches', 'files')", name="kind"),
)

witness = Table(
    "witness",
    metadata,
    _to("weight_set.id", primary_key=True),
    Column("kind", String(32), primary_key=True),
    Column("at", UtcDateTime, primary_key=True),
    # Of an external timestamp: the bytes that were stamped. A first-seen's follow from the row.
    Column("statement", LargeBinary),
    # The instance's signature, or the authority's answer; None: from before there was a key.
    Column("proof", LargeBinary),
)

revision = Table(
    "revision",
    metadata,
    Column("id", _id(), primary_key=True),
    _to("repo.id"),
    Column("commit", String(64), nullable=False),
    Column("visibility", String(16), nullable=False),
    Column("created_at", UtcDateTime),
    Column("owner_id", String(128)),
    Column("declared_bases", Text, nullable=False),
    Column("declared_relation", String(64)),
    Column("weights_digest", String(64), nullable=False),
    Column("files_digest", String(64)),
    Column("parameters", BigInteger, nullable=False),
    Column("first_seen", UtcDateTime, nullable=False),
    Column("superseded_at", UtcDateTime),
    # None: the revision has no evidence view, so nothing can look like it.
    _to("bundle.id", nullable=True),
    UniqueConstraint("repo_id", "commit"),
    CheckConstraint("visibility IN ('public', 'gated', 'local', 'withdrawn')", name="visibility"),
    Index("ix_revision_bundle_id", "bundle_id", "superseded_at", "first_seen"),
    Index("ix_revision_weights_digest", "weights_digest"),
    Index("ix_revision_files_digest", "files_digest"),
    sqlite_autoincrement=True,
)

revision_difference = Table(
    "revision_difference",
    metadata,
    _to("revision.id", primary_key=True),
    _to("family.id", primary_key=True),
    # 1: has it, -1: has it negated, 0: its bundle has it and the revision has not.
    Column("sign", SmallInteger, nullable=False),
    CheckConstraint("sign IN (-1, 0, 1)", name="sign"),
    Index("ix_revision_difference_family_id", "family_id"),
    sqlite_with_rowid=False,
)

fingerprint_file = Table(
    "fingerprint_file",
    metadata,
    _to("revision.id", primary_key=True),
    Column("content", LargeBinary, nullable=False),
)

probe = Table(
    "probe",
    metadata,
    _to("revision.id", primary_key=True),
    Column("key_id", String(64), primary_key=True),
    Column("block", Integer, primary_key=True, autoincrement=False),
    Column("row_offset", BigInteger, nullable=False),
    Column("signs", LargeBinary(32), nullable=False),
    CheckConstraint("length(signs) = 32", name="signs"),
)

partner_probe = Table(
    "partner_probe",
    metadata,
    _to("revision.id", primary_key=True),
    Column(
        "of_revision_id",
        _id(),
        ForeignKey("revision.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("key_id", String(64), primary_key=True),
    Column("block", Integer, primary_key=True, autoincrement=False),
    Column("of_block", Integer, primary_key=True, autoincrement=False),
    Column("row_offset", BigInteger, nullable=False),
    Column("signs", LargeBinary(32), nullable=False),
    CheckConstraint("length(signs) = 32", name="signs"),
    Index("ix_partner_probe_of_revision_id", "of_revision_id"),
)

document = Table(
    "document",
    metadata,
    _to("revision.id", primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("sha256", String(64)),
    # zlib; None where the document could not be read.
    Column("content", LargeBinary),
    Column("reason", Text),
    Column("read_at", UtcDateTime, nullable=False),
    CheckConstraint("kind IN ('config', 'card')", name="kind"),
)

reading = Table(
    "reading",
    metadata,
    Column("id", _id(), primary_key=True),
    Column("repo", String(128), nullable=False),
    Column("folded", String(128), nullable=False),
    # Empty: whatever the repo's main branch is when it is read (NULLs would not be unique).
    Column("revision", String(128), nullable=False),
    Column("state", String(16), nullable=False),
    Column("requested_at", UtcDateTime, nullable=False),
    Column("lease_until", UtcDateTime),
    Column("attempts", Integer, nullable=False),
    Column("finished_at", UtcDateTime),
    Column("code", String(64)),
    Column("message", Text),
    Column("hint", Text),
    CheckConstraint("state IN ('queued', 'reading', 'done', 'failed')", name="state"),
    Index("ix_reading_folded", "folded", "revision"),
    Index("ix_reading_state", "state", "id"),
    sqlite_autoincrement=True,
)
ACTIVE = reading.c.state.in_(["queued", "reading"])
Index(
    "uq_reading_active",
    reading.c.folded,
    reading.c.revision,
    unique=True,
    sqlite_where=ACTIVE,
    postgresql_where=ACTIVE,
)

budget = Table(
    "budget",
    metadata,
    Column("day", Date, primary_key=True),
    Column("bytes", BigInteger, nullable=False),
)
