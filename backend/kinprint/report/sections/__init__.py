"""The sections of a report, one module each: evidence in, blocks of text out."""
