"""The documents of revisions that were compared."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make their table."""
    op.create_table(
        "document",
        sa.Column("revision_id", ID, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("sha256", sa.String(length=64)),
        sa.Column("content", sa.LargeBinary()),
        sa.Column("reason", sa.Text()),
        sa.Column("read_at", MOMENT, nullable=False),
        sa.CheckConstraint("kind IN ('config', 'card')", name=op.f("ck_document_kind")),
        sa.ForeignKeyConstraint(
            ["revision_id"],
            ["revision.id"],
            name=op.f("fk_document_revision_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("revision_id", "kind", name=op.f("pk_document")),
    )
