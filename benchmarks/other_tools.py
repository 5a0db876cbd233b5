"""Tools that Kinprint is measured beside, each in an environment of its own."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path


def python_with(environment: Path, *requirements: str) -> Path:
    """Return a Python that sees the packages and, behind them, Kinprint's own.

    Args:
        environment: Where it is made, with the network, if it is not there yet.
        requirements: Pinned packages, installed without what they depend on.
    """
    python = environment / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", environment], check=True)
        installed = Path(sysconfig.get_path("purelib"))
        theirs = next((environment / "lib").glob("python3*/site-packages"))
        (theirs / "kinprint_environment.pth").write_text(f"{installed}\n")
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        subprocess.run([*pip, "--no-deps", *requirements], check=True)
    return python
