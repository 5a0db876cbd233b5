"""Speed and method, measured beside a baseline in the same run; see ``benchmarks/README.md``."""
