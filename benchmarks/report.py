"""What a report weighs, how long it takes to make, and how long a browser takes to show it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import report_cases
from benchmarks.table import print_table
from kinprint.report.html import render_html
from kinprint.report.markdown import render_markdown

TENSORS = (300, 2_000)
REPEATS = 5
MADE_AT = datetime(2026, 6, 12, tzinfo=UTC)
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


def main() -> None:
    """Print weights and times; a browser is measured if one is installed."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    rows = []
    with tempfile.TemporaryDirectory(prefix="kinprint-report-") as folder:
        empty = Path(folder) / "empty.html"
        empty.write_text("<!doctype html><title>nothing</title>", encoding="utf-8")
        bare_s = None if browser is None else _shown_s(browser, empty, folder)
        for tensors in TENSORS:
            comparison = report_cases.large_comparison(tensors)
            started = time.process_time()
            page = render_html(comparison, language="en", made_at=MADE_AT)
            made_s = time.process_time() - started
            path = Path(folder) / f"{tensors}.html"
            path.write_text(page, encoding="utf-8")
            shown_s = None if browser is None else _shown_s(browser, path, folder)
            markdown = render_markdown(comparison, "en")
            rows.append(
                (
                    tensors,
                    f"{len(page.encode()) / 1e6:.2f}",
                    f"{len(markdown.encode()) / 1e6:.2f}",
                    f"{made_s:.1f}",
                    "no browser" if shown_s is None else f"{shown_s:.2f}",
                    "no browser" if bare_s is None else f"{bare_s:.2f}",
                )
            )
    print_table(
        f"Reports; browser: start to painted and closed again, best of {REPEATS}",
        ("tensors", "HTML, MB", "Markdown, MB", "made in CPU s", "browser, s", "an empty page, s"),
        rows,
    )


def _shown_s(browser: str, path: Path, folder: str) -> float:
    command = [
        browser,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        f"--user-data-dir={folder}/profile",
        f"--screenshot={os.devnull}",
        "--window-size=1200,2000",
        path.as_uri(),
    ]
    best = float("inf")
    for _ in range(REPEATS):
        started = time.perf_counter()
        subprocess.run(command, check=False, capture_output=True, timeout=120)
        best = min(best, time.perf_counter() - started)
    return best
