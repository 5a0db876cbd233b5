"""Is a model a mixture of others? Least squares on sketches, from candidates to a claim."""
