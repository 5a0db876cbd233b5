"""Which tensors are which: rules, layers, modules."""
