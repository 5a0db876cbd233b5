"""Speaking one of the report's languages: messages, plural forms, numbers and dates.

A message is its English text with named ``{places}``; ``zh.po`` holds the Chinese. Names put into
places stay apart from the sentence around them, so that no renderer has to look for them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC
from functools import cache
from gettext import NullTranslations
from io import BytesIO
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, Literal

from babel.core import Locale
from babel.dates import format_date
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal, format_percent, format_scientific
from babel.support import Translations

from kinprint.report.blocks import Code
from kinprint.report.texts.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from kinprint.report.blocks import Rich, Run

LanguageCode = Literal["en", "zh"]

_LOCALES = {"en": "en", "zh": "zh_Hans"}
_PLAIN_DECIMALS = (1e-4, 1e7)
"""Sizes between these are written out, others with a power of ten."""


def N_(message: str) -> str:  # gettext's own name for it
    """Mark a message for the catalogue where it stands in a table."""
    return message


@dataclass(frozen=True)
class Language:
    """One language of a report.

    Attributes:
        code: ``en`` or ``zh``.
        tag: For HTML's ``lang``.
        locale: For numbers and dates.
        translations: Message by message.
    """

    code: LanguageCode
    tag: str
    locale: Locale
    translations: NullTranslations

    def say(self, message: str, /, **values: Run | Rich) -> Rich:
        """Return a message as text with its names apart.

        Args:
            message: In English; a literal, so that the catalogue can be checked.
            **values: What stands in its places.
        """
        return _filled(self.translations.gettext(message), values)

    def count(self, singular: str, plural: str, number: int, /, **values: Run | Rich) -> Rich:
        """Return a message that depends on a number, which fills ``{n}``."""
        message = self.translations.ngettext(singular, plural, number)
        return _filled(message, {"n": self.integer(number), **values})

    def word(self, message: str, /) -> str:
        """Return a message without places."""
        return self.translations.gettext(message)

    def series(self, items: Iterable[Run | Rich]) -> Rich:
        """Return items one after the other, with the comma of the language between them."""
        runs: list[Run] = []
        for item in items:
            if runs:
                runs.append(self.word(", "))
            runs.extend(item if isinstance(item, tuple) else (item,))
        return tuple(runs)

    def integer(self, number: int) -> str:
        """Return 1,234."""
        return format_decimal(number, locale=self.locale)

    def number(self, number: float, digits: int = 3) -> str:
        """Return a number with so many significant digits."""
        low, high = _PLAIN_DECIMALS
        if number != 0 and not low <= abs(number) < high:
            return format_scientific(number, format=f"0.{'0' * (digits - 1)}E0", locale=self.locale)
        return format_decimal(number, format="@" * digits, locale=self.locale)

    def short(self, number: float) -> str:
        """Return a number with four significant digits at most, so 2 rather than 2.000."""
        return format_decimal(number, format="@###", locale=self.locale)

    def percent(self, share: float) -> str:
        """Return a share as per cent; what is not quite all never reads as 100 %."""
        shown = min(share, 0.999) if 0.9995 <= share < 1 else share
        return format_percent(shown, format="#,##0.#%", locale=self.locale)

    def day(self, at: datetime) -> str:
        """Return a date."""
        return format_date(at, format="long", locale=self.locale)

    def time(self, at: datetime) -> str:
        """Return date and time in UTC, the same in all languages, as logs write it."""
        return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def name(text: str) -> Code:
    """Return a name from a compared model, made harmless."""
    return Code(visible(text))


def plain(text: Rich) -> str:
    """Return rich text without its structure."""
    return "".join(run if isinstance(run, str) else run.text for run in text)


def set_apart(text: str, names: Iterable[str]) -> Rich:
    """Return a sentence with the names in it set apart from its words."""
    known = sorted({each for each in names if each}, key=len, reverse=True)
    if not known:
        return (text,)
    parts = re.split("(" + "|".join(re.escape(each) for each in known) + ")", text)
    return tuple(name(part) if number % 2 else part for number, part in enumerate(parts) if part)


@cache
def language_of(code: LanguageCode) -> Language:
    """Return a language with its catalogue."""
    locale = Locale.parse(_LOCALES[code])
    translations = NullTranslations() if code == "en" else _catalogue(code)
    tag = "-".join(part for part in (locale.language, locale.script) if part)
    return Language(code=code, tag=tag, locale=locale, translations=translations)


def _catalogue(code: str) -> NullTranslations:
    compiled = BytesIO()
    with Path(__file__).with_name(f"{code}.po").open("rb") as file:
        write_mo(compiled, read_po(file, locale=code))
    compiled.seek(0)
    return Translations(compiled)


def _filled(message: str, values: dict[str, Run | Rich]) -> Rich:
    runs: list[Run] = []
    for literal, place, _, _ in Formatter().parse(message):
        if literal:
            runs.append(literal)
        if place is not None:
            value = values[place]
            runs.extend(value if isinstance(value, tuple) else (value,))
    return tuple(runs)
