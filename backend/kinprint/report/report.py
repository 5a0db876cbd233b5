"""The whole report, before it becomes HTML or Markdown: the same content for both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kinprint.report.sections.change import change_section, sigma_section, transforms_section
from kinprint.report.sections.history import timeline_section, tree_section
from kinprint.report.sections.limits import (
    coverage_section,
    doubts_section,
    reproduction_section,
)
from kinprint.report.sections.merge import merge_section
from kinprint.report.sections.statements import (
    config_section,
    declarations_section,
    findings_section,
)
from kinprint.report.sections.verdict import head_of
from kinprint.report.sections.weights import (
    distances_section,
    map_section,
    tensors_section,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from kinprint.lineage.evidence.record import Comparison
    from kinprint.report.blocks import Section
    from kinprint.report.sections.verdict import Head
    from kinprint.report.texts.language import Language

_PICTURES: tuple[Callable[[Comparison, Language], Section], ...] = (
    map_section,
    distances_section,
    sigma_section,
    merge_section,
    tree_section,
    timeline_section,
)
_TABLES: tuple[Callable[[Comparison, Language], Section], ...] = (
    tensors_section,
    change_section,
    transforms_section,
    declarations_section,
    config_section,
    findings_section,
)
_LIMITS: tuple[Callable[[Comparison, Language], Section], ...] = (
    coverage_section,
    doubts_section,
    reproduction_section,
)


@dataclass(frozen=True)
class Report:
    """A comparison in one language.

    Attributes:
        head: The verdict and who was compared.
        sections: What it rests on, pictures first, limits last.
    """

    head: Head
    sections: tuple[Section, ...]


def report_of(comparison: Comparison, language: Language) -> Report:
    """Return the report of a comparison."""
    return Report(
        head=head_of(comparison, language),
        sections=tuple(make(comparison, language) for make in (*_PICTURES, *_TABLES, *_LIMITS)),
    )
