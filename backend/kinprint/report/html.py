"""The report as one HTML file that can be sent, printed and kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kinprint.report.pages import render
from kinprint.report.report import report_of
from kinprint.report.texts.language import language_of, plain
from kinprint.report.texts.verdict_words import title_of
from kinprint.report.texts.visible import visible

if TYPE_CHECKING:
    from datetime import datetime

    from kinprint.lineage.evidence.record import Comparison
    from kinprint.report.texts.language import LanguageCode


def render_html(comparison: Comparison, *, language: LanguageCode, made_at: datetime) -> str:
    """Return the report as one HTML file: no script, nothing loaded from anywhere.

    Args:
        comparison: Whatever sections it has; the others say why they are missing.
        language: ``en`` or ``zh``.
        made_at: When the report is made (UTC).
    """
    spoken = language_of(language)
    a, b = (visible(title_of(side), 60) for side in (comparison.a, comparison.b))
    title = spoken.say("Kinprint: {a} and {b}", a=a, b=b)
    return render(
        "report.html",
        spoken,
        made_at,
        report=report_of(comparison, spoken),
        page_title=plain(title),
    )
