"""All sketches of one revision: the record, how it is taken, and its file."""
