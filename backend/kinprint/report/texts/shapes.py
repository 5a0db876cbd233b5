"""Sentences that lineage writes in English, as shapes by which the Chinese report knows them.

A place takes a number unless ``PLACES`` says otherwise. Names are words without spaces, and no
shape has two places that may hold any text, so that hostile text cannot make the search slow.
"""

from __future__ import annotations

from kinprint.lineage.verdict import Relation
from kinprint.report.texts.language import N_
from kinprint.report.texts.verdict_words import RELATION_WORDS, VERDICT_SENTENCES

NAME = r"\S+?"
ANY_TEXT = r".+"
NUMBER = r"[-+0-9.,eE/%]+"
_DAY = r"\d{4}-\d\d-\d\d \d\d:\d\d UTC"

PARTS = {
    "tokenizer": N_("tokenizer"),
    "vision": N_("vision module"),
    "audio": N_("audio module"),
    "language model": N_("language model"),
    "projector": N_("projector"),
}
"""What a card may say comes from elsewhere, as lineage writes it."""

RELATIONS = {relation.value.replace("_", " "): RELATION_WORDS[relation] for relation in Relation}
"""Relations as lineage writes them within a sentence."""

PLACES = {
    **dict.fromkeys(("name", "other", "a", "b", "base", "child", "parent"), NAME),
    **dict.fromkeys(("earlier", "later"), NAME),
    **dict.fromkeys(("names", "title"), ANY_TEXT),
    **dict.fromkeys(("day", "other_day"), _DAY),
    "part": "|".join(PARTS),
    "relation": "|".join(RELATIONS),
}
"""What a place may hold, by its name."""

_REASONS = (
    N_("No tensor of {name} can be evidence."),
    N_("No tensor of {name} can be evidence; left out: {names}."),
    N_("Too few views: {name} has {count} independent evidence tensors, {needed} must agree."),
    N_(
        "Too few views: {name} has {count} independent evidence tensors, {needed} must agree; "
        "left out: {names}."
    ),
    N_("Too few views: only {count} independent tensors agree, {needed} must."),
    N_("The values that match are untouched, and neither model is a small part of the other."),
    N_("Only a few tensors were read (a screen): what kind of relation it is, they do not tell."),
    N_("All that is shared is shared with {name} as well."),
    N_("Few tensors match, and those only from afar."),
    N_("Declared bases that could not be read: {names}."),
    N_("A common base that nobody declared would look the same."),
    N_(
        "The values differ by less than their number format resolves, but not as rounding alone "
        "would leave them: noise cannot be told from training."
    ),
    N_("The difference looks like training (z = {z})."),
    N_("The difference has some structure (z = {z}): training cannot be ruled out."),
    N_("Quantisation can hide a light training."),
    N_("Pruning can hide a light training."),
    N_("Only {count} changed blocks; noise is told from training from {needed} on."),
    N_("The change is no larger than what rounding can leave."),
    N_(
        "The size of the change may follow the tensors, as that of a quantiser does, and "
        "quantisation can hide a light training."
    ),
    N_(
        "The later side is not the earlier one plus little noise (c = {gain} and {reverse}, "
        "cosine {cosine}): two trainings from one start and merges look so."
    ),
    N_(
        "The index holds only {count} model, so nothing found says little: run "
        "`kinprint index bootstrap`."
    ),
    N_(
        "The index holds only {count} models, so nothing found says little: run "
        "`kinprint index bootstrap`."
    ),
    N_("not among the compared models"),
    N_("it was never asked for"),
    N_("it is not public, or there is no such repo"),
    N_("it could not be read"),
    N_("it was read, but could not be stored"),
    N_("it waits to be read"),
)

_DECLARATIONS = (
    N_("Its weights were trained from scratch."),
    N_("Its architecture is its authors' own."),
    N_("It has about {count} parameters."),
    N_("It was made from {name}."),
    N_("Its {part} came from {name}."),
    N_("What it is to its base: {name}."),
    N_("It was saved from what was loaded as {name}."),
    N_("The sentence may speak of a part or of another model."),
    N_("The sentence is a template's, written where the training code was not told the base."),
    N_("No common origin with {name} was found, which says nothing of other models."),
    N_(
        "A common origin with {name} was measured, but not that {other} is the one that came from "
        "it."
    ),
    N_("{name} declares {other} as its base as well."),
    N_("The card names {name} as what it was made from, too."),
    N_("{name} is of the same owner, who may mean both."),
    N_("The card of {name} could not be read, from which the sentence may be copied."),
    N_("The card of {name} holds the same sentence."),
    N_("Weights of {name} were measured in it, but also parts or changes of its own."),
    N_("No parameters were counted."),
    N_("{count} parameters were counted in the weights."),
    N_("Embeddings are counted in some sizes and not in others."),
    N_("Its name or card mentions that size as well."),
    N_("Packed or unreadable tensors are not among them."),
    N_("The repo does not hold one whole model alone."),
    N_("Of experts, some count all and some the active ones."),
    N_("A tokenizer is no weight; it was not compared."),
    N_(
        "No shared weights with {name} were found; packed weights, an adapter or a rotation would "
        "hide them."
    ),
    N_("Which part is which, the tensor map shows."),
    N_("{name} is not among the models that were compared."),
    N_("No weights shared with {name} were found."),
    N_("Weights shared with {name} were measured: {relation}."),
    N_("Measured changes against {name}: {names}."),
    N_("Its changes against {name} were not measured here."),
)

_EVENTS = (
    N_("A commit bears this date, which whoever commits sets: {title}."),
    N_("A change of the card bears this date, which whoever commits sets: {title}."),
    N_("A discussion was opened, as anybody can: {title}."),
    N_("{name} was created, which declares it as its base, as anybody can."),
    N_("This instance first read exactly these weights, in whichever repo, and signed so."),
    N_("This instance first read exactly these weights, in whichever repo, unsigned."),
    N_("A time-stamping authority had the digests of these weights by now (RFC 3161)."),
    N_("Published at this time, says whoever asked for the comparison."),
    N_("The repo of {name} was made."),
    N_("The repo of {name} was made; its weights had been seen before, elsewhere."),
    N_("Another repo was made that holds exactly the weights of {name}."),
    N_("It was in {name} that this instance first read these weights."),
    N_("Both hold the same weights."),
    N_("{earlier} held them by {day}, before the repo of {later} was made on {other_day}."),
    N_(
        "The weights of {earlier} existed by {day}, before any repo known to hold those of "
        "{later} was made, on {other_day}."
    ),
)

SHAPES = (*_REASONS, *_DECLARATIONS, *_EVENTS, *VERDICT_SENTENCES)
"""What lineage may write."""
