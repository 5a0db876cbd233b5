"""A comparison as a page, as Markdown and as a published schema; everything from one record."""
