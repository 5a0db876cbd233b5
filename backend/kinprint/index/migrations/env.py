"""Run by Alembic; the caller holds the writing transaction and passes its connection."""

from alembic import context

from kinprint.index.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transaction_per_migration=False,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
