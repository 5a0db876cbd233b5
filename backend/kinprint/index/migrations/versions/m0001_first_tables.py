"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
ACTIVE = sa.text("state IN ('queued', 'reading')")


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "band",
        sa.Column("block_class_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("band_no", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("bits", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("family_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint(
            "block_class_id", "band_no", "bits", "family_id", name=op.f("pk_band")
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "band_new",
        sa.Column("block_class_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("band_no", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("bits", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("family_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint(
            "block_class_id", "band_no", "bits", "family_id", name=op.f("pk_band_new")
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "block_class",
        sa.Column("id", ID, nullable=False),
        sa.Column("sketch_name", sa.String(length=256), nullable=False),
        sa.Column("start", sa.Integer(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("cols", sa.Integer(), nullable=False),
        sa.Column("families", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_block_class")),
        sa.UniqueConstraint(
            "sketch_name",
            "start",
            "rows",
            "cols",
            name=op.f("uq_block_class_sketch_name_start_rows_cols"),
        ),
    )
    op.create_table(
        "budget",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_budget")),
    )
    op.create_table(
        "bundle",
        sa.Column("id", ID, nullable=False),
        sa.Column("families", sa.Integer(), nullable=False),
        sa.Column("revisions", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bundle")),
    )
    op.create_table(
        "instance",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_instance")),
    )
    op.create_table(
        "reading",
        sa.Column("id", ID, nullable=False),
        sa.Column("repo", sa.String(length=128), nullable=False),
        sa.Column("folded", sa.String(length=128), nullable=False),
        sa.Column("revision", sa.String(length=128), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("requested_at", MOMENT, nullable=False),
        sa.Column("lease_until", MOMENT),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("finished_at", MOMENT),
        sa.Column("code", sa.String(length=64)),
        sa.Column("message", sa.Text()),
        sa.Column("hint", sa.Text()),
        sa.CheckConstraint(
            "state IN ('queued', 'reading', 'done', 'failed')", name=op.f("ck_reading_state")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reading")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_reading_folded", "reading", ["folded", "revision"], unique=False)
    op.create_index("ix_reading_state", "reading", ["state", "id"], unique=False)
    op.create_index(
        "uq_reading_active",
        "reading",
        ["folded", "revision"],
        unique=True,
        sqlite_where=ACTIVE,
        postgresql_where=ACTIVE,
    )
    op.create_table(
        "repo",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("folded", sa.String(length=128), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_repo")),
        sa.UniqueConstraint("folded", name=op.f("uq_repo_folded")),
    )
    op.create_table(
        "weight_set",
        sa.Column("id", ID, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.CheckConstraint("kind IN ('sketches', 'files')", name=op.f("ck_weight_set_kind")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_weight_set")),
        sa.UniqueConstraint("kind", "digest", name=op.f("uq_weight_set_kind_digest")),
    )
    op.create_table(
        "family",
        sa.Column("id", ID, nullable=False),
        sa.Column("block_class_id", ID, nullable=False),
        sa.Column("centre", sa.LargeBinary(length=32), nullable=False),
        sa.Column("sketch", sa.LargeBinary(length=512), nullable=False),
        sa.Column("step", sa.Float(), nullable=False),
        sa.Column("parameters", sa.BigInteger(), nullable=False),
        sa.Column("first_indexed", MOMENT, nullable=False),
        sa.CheckConstraint("length(centre) = 32", name=op.f("ck_family_centre")),
        sa.CheckConstraint("length(sketch) = 512", name=op.f("ck_family_sketch")),
        sa.ForeignKeyConstraint(
            ["block_class_id"],
            ["block_class.id"],
            name=op.f("fk_family_block_class_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_family")),
    )
    op.create_index("ix_family_centre", "family", ["block_class_id", "id", "centre"], unique=False)
    op.create_table(
        "repo_alias",
        sa.Column("folded", sa.String(length=128), nullable=False),
        sa.Column("repo_id", ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["repo_id"], ["repo.id"], name=op.f("fk_repo_alias_repo_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("folded", name=op.f("pk_repo_alias")),
    )
    op.create_table(
        "revision",
        sa.Column("id", ID, nullable=False),
        sa.Column("repo_id", ID, nullable=False),
        sa.Column("commit", sa.String(length=64), nullable=False),
        sa.Column("visibility", sa.String(length=16), nullable=False),
        sa.Column("created_at", MOMENT),
        sa.Column("owner_id", sa.String(length=128)),
        sa.Column("declared_bases", sa.Text(), nullable=False),
        sa.Column("declared_relation", sa.String(length=64)),
        sa.Column("weights_digest", sa.String(length=64), nullable=False),
        sa.Column("files_digest", sa.String(length=64)),
        sa.Column("parameters", sa.BigInteger(), nullable=False),
        sa.Column("first_seen", MOMENT, nullable=False),
        sa.Column("superseded_at", MOMENT),
        sa.Column("bundle_id", ID),
        sa.CheckConstraint(
            "visibility IN ('public', 'gated', 'local', 'withdrawn')",
            name=op.f("ck_revision_visibility"),
        ),
        sa.ForeignKeyConstraint(
            ["bundle_id"], ["bundle.id"], name=op.f("fk_revision_bundle_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["repo_id"], ["repo.id"], name=op.f("fk_revision_repo_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_revision")),
        sa.UniqueConstraint("repo_id", "commit", name=op.f("uq_revision_repo_id_commit")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_revision_bundle_id",
        "revision",
        ["bundle_id", "superseded_at", "first_seen"],
        unique=False,
    )
    op.create_index("ix_revision_files_digest", "revision", ["files_digest"], unique=False)
    op.create_index("ix_revision_weights_digest", "revision", ["weights_digest"], unique=False)
    op.create_table(
        "witness",
        sa.Column("weight_set_id", ID, nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["weight_set_id"],
            ["weight_set.id"],
            name=op.f("fk_witness_weight_set_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("weight_set_id", "kind", "at", name=op.f("pk_witness")),
    )
    op.create_table(
        "bundle_family",
        sa.Column("bundle_id", ID, nullable=False),
        sa.Column("family_id", ID, nullable=False),
        sa.Column("sign", sa.SmallInteger(), nullable=False),
        sa.CheckConstraint("sign IN (-1, 1)", name=op.f("ck_bundle_family_sign")),
        sa.ForeignKeyConstraint(
            ["bundle_id"],
            ["bundle.id"],
            name=op.f("fk_bundle_family_bundle_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["family_id"],
            ["family.id"],
            name=op.f("fk_bundle_family_family_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("bundle_id", "family_id", name=op.f("pk_bundle_family")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_bundle_family_family_id", "bundle_family", ["family_id"], unique=False)
    op.create_table(
        "fingerprint_file",
        sa.Column("revision_id", ID, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["revision_id"],
            ["revision.id"],
            name=op.f("fk_fingerprint_file_revision_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("revision_id", name=op.f("pk_fingerprint_file")),
    )
    op.create_table(
        "partner_probe",
        sa.Column("revision_id", ID, nullable=False),
        sa.Column("of_revision_id", ID, nullable=False),
        sa.Column("key_id", sa.String(length=64), nullable=False),
        sa.Column("block", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("of_block", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("row_offset", sa.BigInteger(), nullable=False),
        sa.Column("signs", sa.LargeBinary(length=32), nullable=False),
        sa.CheckConstraint("length(signs) = 32", name=op.f("ck_partner_probe_signs")),
        sa.ForeignKeyConstraint(
            ["of_revision_id"],
            ["revision.id"],
            name=op.f("fk_partner_probe_of_revision_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["revision_id"],
            ["revision.id"],
            name=op.f("fk_partner_probe_revision_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "revision_id",
            "of_revision_id",
            "key_id",
            "block",
            "of_block",
            name=op.f("pk_partner_probe"),
        ),
    )
    op.create_index(
        "ix_partner_probe_of_revision_id", "partner_probe", ["of_revision_id"], unique=False
    )
    op.create_table(
        "probe",
        sa.Column("revision_id", ID, nullable=False),
        sa.Column("key_id", sa.String(length=64), nullable=False),
        sa.Column("block", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("row_offset", sa.BigInteger(), nullable=False),
        sa.Column("signs", sa.LargeBinary(length=32), nullable=False),
        sa.CheckConstraint("length(signs) = 32", name=op.f("ck_probe_signs")),
        sa.ForeignKeyConstraint(
            ["revision_id"], ["revision.id"], name=op.f("fk_probe_revision_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("revision_id", "key_id", "block", name=op.f("pk_probe")),
    )
    op.create_table(
        "revision_difference",
        sa.Column("revision_id", ID, nullable=False),
        sa.Column("family_id", ID, nullable=False),
        sa.Column("sign", sa.SmallInteger(), nullable=False),
        sa.CheckConstraint("sign IN (-1, 0, 1)", name=op.f("ck_revision_difference_sign")),
        sa.ForeignKeyConstraint(
            ["family_id"],
            ["family.id"],
            name=op.f("fk_revision_difference_family_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["revision_id"],
            ["revision.id"],
            name=op.f("fk_revision_difference_revision_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("revision_id", "family_id", name=op.f("pk_revision_difference")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_revision_difference_family_id", "revision_difference", ["family_id"], unique=False
    )
