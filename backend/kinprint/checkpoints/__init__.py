"""From a model revision, on the Hub or on disk, to its stored tensors, read by ranges."""
