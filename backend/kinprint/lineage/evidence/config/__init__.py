"""Both config.json files, normalised and set side by side."""
