"""One module per subject of the HTTP API."""
