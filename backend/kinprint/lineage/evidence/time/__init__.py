"""When the weights of both sides existed, and what the weights themselves suggest."""
