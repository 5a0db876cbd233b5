"""The colours of a report, each with a name, for light and for dark pages.

Contrast of words on paper is at least 4.5, that of marks at least 3 where they carry meaning alone
(WCAG 2.2 AA). Distance is told by lightness as well as by hue, so that it survives grey printing.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Colour:
    """One colour, as ``#rrggbb``.

    Attributes:
        light: On light pages and on paper; also stands for the name inside specifications.
        dark: On dark pages.
    """

    light: str
    dark: str


PALETTE: dict[str, Colour] = {
    "paper": Colour("#ffffff", "#15181c"),
    "raised": Colour("#f6f7f8", "#1d2126"),
    "ink": Colour("#1b1f24", "#e6e8ea"),
    "muted": Colour("#5a636e", "#a3acb6"),
    "line": Colour("#d7dbe0", "#343a42"),
    "grid": Colour("#eceef0", "#262b31"),
    "link": Colour("#1f5a8c", "#86bbe8"),
    "declared": Colour("#1e6b43", "#7fd0a4"),
    "claim": Colour("#1c4e80", "#8fc1ee"),
    "quiet": Colour("#565f6a", "#aab2bb"),
    "near": Colour("#0d4f5e", "#8ae0e6"),
    "close": Colour("#2b7f87", "#58b4bb"),
    "apart": Colour("#559490", "#3f8f94"),
    "far": Colour("#b07f2c", "#b98a3f"),
    "strange": Colour("#a85a2a", "#c9763f"),
    "null": Colour("#b4bac2", "#59616b"),
    "cell": Colour("#7d8792", "#8b95a0"),
    "vector": Colour("#b9c0c8", "#4f5863"),
    "first": Colour("#2a6496", "#7db4e3"),
    "second": Colour("#c7822a", "#e0a75c"),
    "third": Colour("#4c8a5b", "#82c493"),
    "fourth": Colour("#84538f", "#c295cd"),
    "fifth": Colour("#6b7078", "#9aa1aa"),
}

BY_LIGHT = {colour.light: name for name, colour in PALETTE.items()}


def ink(name: str) -> str:
    """Return how a colour is written in a specification; the page replaces it by its name."""
    return PALETTE[name].light


@dataclass(frozen=True)
class Nearness:
    """A class of distances.

    Attributes:
        colour: Name in the palette.
        up_to_bits: Largest folded distance in it.
    """

    colour: str
    up_to_bits: int


NEARNESS = (
    Nearness("near", 8),
    Nearness("close", 32),
    Nearness("apart", 64),
    Nearness("far", 96),
    Nearness("strange", 128),
)
"""For display alone: copies and casts, light changes, strong changes, faint likeness, strangers."""


def nearness_of(hamming_bits: int) -> Nearness:
    """Return the class of a distance."""
    return next((each for each in NEARNESS if hamming_bits <= each.up_to_bits), NEARNESS[-1])
