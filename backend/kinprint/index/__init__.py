"""What has been read so far, and who looks like whom: SQLite by default, PostgreSQL by its URL."""
