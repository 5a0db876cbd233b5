"""The arrows of docs/architecture.md run one way, and its words are the code's."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "backend" / "kinprint"
ROOMS = (
    "errors", "clock", "settings", "checkpoints", "views", "sketches", "fingerprint", "index",
    "lineage", "experiment", "report", "service", "cli",
)  # fmt: skip
GROUND_FLOOR = {"errors", "clock", "settings"}
VAGUE_NAMES = {"utils", "util", "helpers", "common", "misc", "tools"}


def _rooms_imported_by(path: Path) -> set[str]:
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module == "kinprint":
            names = [f"kinprint.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        rooms |= {name.split(".")[1] for name in names if name.startswith("kinprint.")}
    return rooms & set(ROOMS)


def _modules_of(room: str) -> list[Path]:
    folder = PACKAGE / room
    return sorted(folder.rglob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]


@pytest.mark.parametrize("room", ROOMS)
def test_nothing_imports_a_later_room(room: str) -> None:
    later = set(ROOMS[ROOMS.index(room) + 1 :]) - GROUND_FLOOR
    backwards = {
        str(path.relative_to(PACKAGE)): sorted(found)
        for path in _modules_of(room)
        if (found := _rooms_imported_by(path) & later)
    }
    assert backwards == {}


def test_every_room_is_in_the_house_and_no_other() -> None:
    found = {path.stem for path in PACKAGE.iterdir() if not path.name.startswith("__")}
    assert found - {"py"} == set(ROOMS)


def test_no_module_has_a_vague_name() -> None:
    assert [path for path in PACKAGE.rglob("*.py") if path.stem in VAGUE_NAMES] == []


def test_the_document_names_every_room() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert [room for room in ROOMS if f"`{room}" not in text] == []
