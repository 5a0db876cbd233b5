"""Kinprint tells where a model's weights come from, from small ranges of a checkpoint.

>>> import kinprint
>>> sorted(kinprint.__all__)[:3]
['Comparison', 'Fingerprint', 'Index']
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kinprint.errors import KinprintError
    from kinprint.fingerprint.file import load as load_fingerprint
    from kinprint.fingerprint.file import save as save_fingerprint
    from kinprint.fingerprint.record import Fingerprint
    from kinprint.fingerprint.source import fingerprint_of
    from kinprint.index.store import Index
    from kinprint.lineage.compare import compare
    from kinprint.lineage.evidence.record import Comparison
    from kinprint.lineage.similar import similar
    from kinprint.lineage.verdict import Similar, Verdict

__all__ = [
    "Comparison",
    "Fingerprint",
    "Index",
    "KinprintError",
    "Similar",
    "Verdict",
    "compare",
    "fingerprint_of",
    "load_fingerprint",
    "save_fingerprint",
    "similar",
]

_HOMES = {
    "Comparison": ("kinprint.lineage.evidence.record", "Comparison"),
    "Fingerprint": ("kinprint.fingerprint.record", "Fingerprint"),
    "Index": ("kinprint.index.store", "Index"),
    "KinprintError": ("kinprint.errors", "KinprintError"),
    "Similar": ("kinprint.lineage.verdict", "Similar"),
    "Verdict": ("kinprint.lineage.verdict", "Verdict"),
    "compare": ("kinprint.lineage.compare", "compare"),
    "fingerprint_of": ("kinprint.fingerprint.source", "fingerprint_of"),
    "load_fingerprint": ("kinprint.fingerprint.file", "load"),
    "save_fingerprint": ("kinprint.fingerprint.file", "save"),
    "similar": ("kinprint.lineage.similar", "similar"),
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used, so that `kinprint --help` loads nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'kinprint' has no attribute {name!r}")
    module, attribute = _HOMES[name]
    return getattr(importlib.import_module(module), attribute)
