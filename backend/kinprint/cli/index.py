"""`kinprint index`: fill the index and look into it."""

from __future__ import annotations

from kinprint.cli.group import Lazy, LazyGroup

index = LazyGroup(
    name="index",
    help="Fill the index that `similar` and `serve` answer from, and look into it.",
    no_args_is_help=True,
    lazy={
        "add": Lazy("kinprint.cli.index_add:add", "Read repos of the Hub into the index."),
        "bootstrap": Lazy(
            "kinprint.cli.index_bootstrap:bootstrap", "Read the shipped list of base models."
        ),
        "renew-probes": Lazy(
            "kinprint.cli.index_renew:renew_probes", "Renew the secret key and what hangs on it."
        ),
        "stats": Lazy("kinprint.cli.index_stats:stats", "Show how much is in the index."),
    },
)
