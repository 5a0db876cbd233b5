"""How the values differ: from sketches, and from the cells of both sides."""
