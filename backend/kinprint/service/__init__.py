"""The HTTP API, the queue of readings, the worker, and the upkeep of an instance."""
