"""Bytes and seconds to fingerprint an 8B-shaped checkpoint, from disk and over a slow line."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from benchmarks.checkpoint_8b import KEY, bytes_stored, make_checkpoint
from benchmarks.table import print_table
from hub_standin import HubStandIn, Stored
from kinprint.checkpoints.open import open_checkpoint
from kinprint.checkpoints.source import HubSource, LocalSource
from kinprint.fingerprint.file import to_bytes
from kinprint.fingerprint.probes import probe_targets, read_probes
from kinprint.fingerprint.record import Depth
from kinprint.fingerprint.take import take

REPO = "acme-research/shaped-like-8b"
LATENCY_S = 0.05
BYTES_PER_S = 125_000_000
REPEATS = 3


def main() -> None:
    """Print bytes and times beside their limits and beside reading everything."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = make_checkpoint(Path(temporary) / "checkpoint")
        stored = bytes_stored(folder)
        blocks, with_probes, size = _bytes_read(folder)
        screen = _bytes_screened(folder)
        disk_s = min(_seconds(str(folder)) for _ in range(REPEATS))
        line_s = min(_over_the_line(folder) for _ in range(REPEATS))
    print_table(
        f"Reading a checkpoint of Llama-3-8B's shapes, {stored / 1e9:.1f} GB in 4 shards",
        ("what", "measured", "limit", "reading everything"),
        [
            ("bytes, public blocks", _mb(blocks), "", _mb(stored)),
            ("bytes, with 24 secret probes", _mb(with_probes), "25.0 MB", _mb(stored)),
            ("bytes, screen", _mb(screen), "2.0 MB", _mb(stored)),
            ("share of the checkpoint", f"{with_probes / stored:.2%}", "", "100 %"),
            ("fingerprint file", _mb(size), "", "–"),
            ("seconds from disk", f"{disk_s:.2f}", "2", "–"),
            (
                f"seconds at {LATENCY_S * 1e3:.0f} ms and 1 Gbit/s",
                f"{line_s:.2f}",
                "5",
                f"{stored / BYTES_PER_S:.0f}",
            ),
        ],
    )


def read_once(source: str) -> None:
    """Print the seconds that blocks and probes of a folder or repo take, imports left out."""
    is_folder = Path(source).is_dir()
    start = time.perf_counter()
    opened = LocalSource(Path(source)) if is_folder else HubSource(source, None)
    with closing(open_checkpoint(opened)) as checkpoint:
        fingerprint = take(checkpoint)
        read_probes(checkpoint, fingerprint, KEY, probe_targets(fingerprint, KEY))
    print(json.dumps(time.perf_counter() - start))


def _bytes_read(folder: Path) -> tuple[int, int, int]:
    with closing(open_checkpoint(LocalSource(folder))) as checkpoint:
        fingerprint = take(checkpoint)
        blocks = checkpoint.bytes_read
        read_probes(checkpoint, fingerprint, KEY, probe_targets(fingerprint, KEY))
        return blocks, checkpoint.bytes_read, len(to_bytes(fingerprint))


def _bytes_screened(folder: Path) -> int:
    with closing(open_checkpoint(LocalSource(folder))) as checkpoint:
        take(checkpoint, depth=Depth.SCREEN)
        return checkpoint.bytes_read


def _over_the_line(folder: Path) -> float:
    with HubStandIn() as hub:
        # A hole of 16 GB takes a minute to hash, and nobody looks at its digest.
        files = {
            file.name: Stored(file, sha256=f"{number:064x}")
            for number, file in enumerate(sorted(folder.iterdir()))
        }
        hub.repo(REPO).commit(files)
        hub.latency_s, hub.bandwidth = LATENCY_S, BYTES_PER_S
        return _seconds(REPO, environ=hub.environ())


def _seconds(source: str, environ: dict[str, str] | None = None) -> float:
    """Read in a process of its own: the stand-in must not share its interpreter's lock."""
    code = f"import sys; sys.path[:0] = {sys.path!r}; from benchmarks import reading; "
    code += f"reading.read_once({source!r})"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ, check=True, capture_output=True, text=True
    )
    return float(json.loads(done.stdout))


def _mb(nbytes: int) -> str:
    return f"{nbytes / 1e6:,.1f} MB"
