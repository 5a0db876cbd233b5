"""Alembic's folder: one module a change of the tables, run when a database is opened."""
