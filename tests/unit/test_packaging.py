"""What is installed: the two packages, their data, and nothing undeclared behind them."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow
SOURCES = ("backend", "hub_hooks")
NOT_COPIED = shutil.ignore_patterns("__pycache__", "*.egg-info")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> frozenset[str]:
    """Names of the files in a wheel that was built from a copy of the sources."""
    copy = tmp_path_factory.mktemp("sources")
    for name in SOURCES:
        shutil.copytree(ROOT / name, copy / name, ignore=NOT_COPIED)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    build = "from setuptools import build_meta; build_meta.build_wheel('dist')"
    subprocess.run([sys.executable, "-c", build], cwd=copy, check=True, capture_output=True)
    (wheel,) = (copy / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return frozenset(archive.namelist())


def test_the_wheel_installs_two_packages_and_no_module_called_backend(installed) -> None:
    modules = {name.split("/")[0] for name in installed}
    assert {name for name in modules if not name.endswith(".dist-info")} == {
        "kinprint",
        "kinprint_hooks",
    }


def test_the_wheel_holds_every_source_file(installed) -> None:
    expected = {
        path.relative_to(ROOT / source).as_posix()
        for source in SOURCES
        for path in (ROOT / source).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and ".egg-info" not in str(path)
    }
    assert sorted(expected - installed) == []


def test_the_wheel_holds_its_data_and_the_licence(installed) -> None:
    assert {"kinprint/py.typed", "kinprint/service/bases.toml"} <= installed
    assert any(name.endswith("/licenses/LICENSE") for name in installed)


def test_everything_imported_is_declared() -> None:
    """A dependency of a dependency may go away; what is imported must be named."""
    metadata = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {Requirement(line).name for line in metadata["dependencies"]}
    # An extra of a declared dependency counts: `flask-openapi3[swagger]` brings its pages.
    for line in metadata["dependencies"]:
        wanted = Requirement(line)
        for more in map(Requirement, requires(wanted.name) or ()):
            for extra in wanted.extras:
                if more.marker and more.marker.evaluate({"extra": extra}):
                    declared.add(more.name)
    names = {canonicalize_name(name) for name in declared}
    owners = packages_distributions()
    undeclared = {
        module
        for module in _imported_modules() - sys.stdlib_module_names - {"kinprint"}
        if not {canonicalize_name(owner) for owner in owners.get(module, [module])} & names
    }
    assert undeclared == set()


def _imported_modules() -> set[str]:
    modules = set()
    for path in (ROOT / "backend").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                modules.add(node.module.split(".")[0])
    return modules
