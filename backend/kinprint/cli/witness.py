"""`kinprint witness`: prove when exactly these weights existed."""

from __future__ import annotations

from kinprint.cli.group import Lazy, LazyGroup

witness = LazyGroup(
    name="witness",
    help="Prove when exactly these weights existed: signed first sightings, external timestamps.",
    no_args_is_help=True,
    lazy={
        "statement": Lazy(
            "kinprint.cli.witness_proofs:statement", "Write what a time-stamping authority stamps."
        ),
        "add": Lazy("kinprint.cli.witness_proofs:add", "Check its answer and let it count."),
        "list": Lazy("kinprint.cli.witness_proofs:list_witnesses", "Show what is known, signed."),
    },
)
