"""Runs the benchmarks: ``python benchmarks/run.py [NAME…]``, all of them without a name."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Neither these, the demo's cast, nor the Hub stand-in (which lives with the tests) is installed.
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

NAMES = (
    "reading",
    "hashing",
    "compare",
    "index_look_up",
    "modeldna",
    "thresholds",
    "method",
    "report",
    "merges",
    "noise",
    "lineage",
)

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Print measured figures beside a baseline.")
    parser.add_argument("names", metavar="NAME", nargs="*", help=", ".join(NAMES))
    chosen = parser.parse_args().names or NAMES
    unknown = sorted(set(chosen) - set(NAMES))
    if unknown:
        parser.error(f"no such benchmark: {', '.join(unknown)}")
    sys.argv[1:] = []  # some have options of their own, for when they are run alone
    for name in chosen:
        importlib.import_module(f"benchmarks.{name}").main()
