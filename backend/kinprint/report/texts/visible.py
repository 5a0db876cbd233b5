"""Strangers' text made harmless to look at: nothing hidden, nothing that turns the line around."""

from __future__ import annotations

import unicodedata

MAX_SHOWN_CHARACTERS = 160
"""Names in headers may have 1,024 characters; a reader needs both ends."""

_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Control, bidi and zero-width characters, halves of surrogates, private and unassigned ones."""

_MARK_CATEGORIES = frozenset({"Mn", "Me"})
_MAX_MARKS = 3
"""Marks stacked on one character; more would climb over the neighbouring lines."""


def visible(text: str, limit: int = MAX_SHOWN_CHARACTERS) -> str:
    """Return text on one line, with its middle left out beyond ``limit`` characters.

    Args:
        text: From a header, a card or a path; nothing is assumed of it.
        limit: Characters of the text that are kept.

    Returns:
        Printable characters; others are written as ``⟨U+202E⟩``.
    """
    if len(text) > limit:
        tail = limit // 2
        text = f"{text[: limit - tail - 1]}…{text[-tail:]}"
    if text.isascii() and text.isprintable():
        return text
    shown: list[str] = []
    marks = 0
    for character in text:
        category = unicodedata.category(character)
        marks = marks + 1 if category in _MARK_CATEGORIES else 0
        if category in _HIDDEN_CATEGORIES or marks > _MAX_MARKS:
            shown.append(f"⟨U+{ord(character):04X}⟩")
        else:
            shown.append(" " if category == "Zs" else character)
    return "".join(shown)
