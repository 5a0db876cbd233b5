"""`python -m kinprint.cli`, so that `serve` can start its worker with the same interpreter."""

from kinprint.cli.group import main

main()
