"""Text to train on that every machine with Python has: the docstrings of its standard library."""

from __future__ import annotations

import ast
import sysconfig
from pathlib import Path

_PACKAGES = (
    "asyncio",
    "concurrent",
    "email",
    "http",
    "importlib",
    "json",
    "logging",
    "multiprocessing",
    "unittest",
    "urllib",
    "xml",
)
_MIN_CHARACTERS = 80
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def docstrings() -> tuple[str, ...]:
    """Return the longer docstrings of the standard library (about 1.3 MB of English).

    Always in the same order, so that what is trained on them is reproducible on one machine.

    Raises:
        FileNotFoundError: This Python was installed without the sources of its library.
    """
    root = Path(sysconfig.get_path("stdlib"))
    files = sorted(root.glob("*.py"))
    for package in _PACKAGES:
        files += sorted((root / package).rglob("*.py"))
    texts = [text for file in files for text in _docstrings_of(file)]
    if not texts:
        raise FileNotFoundError(f"no Python sources in {root}; install the full standard library")
    return tuple(texts)


def _docstrings_of(file: Path) -> list[str]:
    nodes = ast.walk(ast.parse(file.read_bytes()))
    found = [ast.get_docstring(node) for node in nodes if isinstance(node, _DOCUMENTED)]
    return [text for text in found if text is not None and len(text) >= _MIN_CHARACTERS]
