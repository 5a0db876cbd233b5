"""Witnesses of time carry what others can check: a signature, or an authority's answer."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; witnesses of before stay unsigned."""
    op.add_column("witness", sa.Column("statement", sa.LargeBinary(), nullable=True))
    op.add_column("witness", sa.Column("proof", sa.LargeBinary(), nullable=True))
