"""Speed and size of the index on synthetic revisions: add, look-up, bytes.

One revision in ten is a new base; the others are children of an earlier base: nine in ten of
their views lie near the base's, the rest are their own. Queries are copies of indexed revisions
at a distance of 40 bits. Nothing is compared in full: that is the claim's part, not the index's.

Run as ``python -m benchmarks.index_look_up`` (half a minute); the figures for larger indexes come
from ``--revisions 1000 4000 20000 --views 40`` (four minutes for 4,000, half an hour for all).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.table import print_table
from kinprint.index.database import open_engine
from kinprint.index.evidence import evidence_of
from kinprint.index.exact import exact_hits
from kinprint.index.look_up import EXACT_FAMILIES, HIT_BITS, find_hits
from kinprint.index.store import Index

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from synthetic_fingerprints import flip_bits, relative, synthetic

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kinprint.fingerprint.record import Fingerprint

NOW = datetime(2026, 11, 1, tzinfo=UTC)
SHAPES = tuple((0, 8, cols) for cols in (1024, 2048, 3072, 4096, 8192, 14336))
QUERY_BITS = 40
BASES = 0.1
OWN_VIEWS = 0.1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--revisions", type=int, nargs="+", default=[100, 300])
    parser.add_argument("--views", type=int, default=100, help="views of each synthetic model")
    parser.add_argument("--queries", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print_table(
            "Adding a model of 300 views",
            ("what", "p50 ms", "p95 ms"),
            _adds(Path(folder) / "add.db", chosen.seed),
        )
        print_table(
            f"Looking a model of {chosen.views} views up at {QUERY_BITS} bits "
            f"(classes of up to {EXACT_FAMILIES:,} families are compared with all centres)",
            (
                "revisions",
                "families",
                "bytes/revision",
                "add, mean ms",
                "candidates p50 ms",
                "p95",
                "hits by bands p50 ms",
                "p95",
                "hits by exact scan p50 ms",
                "p95",
                "found",
            ),
            _look_ups(Path(folder) / "index.db", chosen),
        )


def _adds(path: Path, seed: int) -> Iterator[Sequence[str]]:
    rng = np.random.default_rng(seed)
    with Index.open(f"sqlite:///{path}") as index:
        bases = [synthetic(rng, f"acme/base-{n}", views=300, shapes=SHAPES) for n in range(10)]
        near = [relative(rng, base, f"{base.origin.repo}-child", hamming_bits=6) for base in bases]
        for what, models in (("all families new", bases), ("all known", near), ("again", near)):
            yield what, *_percentiles([_timed_add(index, model) for model in models])


def _timed_add(index: Index, model: Fingerprint) -> float:
    began = time.perf_counter()
    index.add(model, seen_at=NOW)
    return time.perf_counter() - began


def _look_ups(path: Path, chosen: argparse.Namespace) -> Iterator[Sequence[str]]:
    rng = np.random.default_rng(chosen.seed)
    url = f"sqlite:///{path}"
    bases: list[Fingerprint] = []
    done = 0
    with Index.open(url) as index:
        for wanted in sorted(chosen.revisions):
            began = time.perf_counter()
            sample = [
                _add_next(index, rng, bases, number, chosen) for number in range(done, wanted)
            ]
            add_ms = (time.perf_counter() - began) * 1_000 / max(1, wanted - done)
            done = wanted
            index.compact()
            picked = rng.choice(len(sample), min(chosen.queries, len(sample)), replace=False)
            queries = [sample[number] for number in picked]
            copies = [relative(rng, each, None, hamming_bits=QUERY_BITS) for each in queries]
            yield _measure(index, url, queries, copies, add_ms)


def _add_next(
    index: Index,
    rng: np.random.Generator,
    bases: list[Fingerprint],
    number: int,
    chosen: argparse.Namespace,
) -> Fingerprint:
    repo = f"acme/model-{number}"
    if not bases or rng.random() < BASES:
        model = synthetic(rng, repo, views=chosen.views, shapes=SHAPES)
        bases.append(model)
    else:
        model = relative(rng, bases[rng.integers(len(bases))], repo, hamming_bits=4)
        own = rng.choice(chosen.views, int(chosen.views * OWN_VIEWS), replace=False)
        phash = model.blocks.phash.copy()
        phash[own] = flip_bits(rng, phash[own], 128)
        model = replace(model, blocks=replace(model.blocks, phash=phash))
    index.add(model, seen_at=NOW)
    return model


def _measure(
    index: Index,
    url: str,
    queries: list[Fingerprint],
    copies: list[Fingerprint],
    add_ms: float,
) -> list[str]:
    candidate_s, band_s, exact_s, found = [], [], [], 0
    engine = open_engine(url)
    for query, copied in zip(queries, copies, strict=True):
        began = time.perf_counter()
        candidates = index.candidates(copied)
        candidate_s.append(time.perf_counter() - began)
        found += query.origin.repo in [each.repo for each in candidates]
        evidence = evidence_of(copied)
        with engine.connect() as connection:
            began = time.perf_counter()
            find_hits(connection, evidence, exact_families=0)
            band_s.append(time.perf_counter() - began)
            began = time.perf_counter()
            exact_hits(connection, evidence, HIT_BITS)
            exact_s.append(time.perf_counter() - began)
    engine.dispose()
    statistics = index.statistics()
    return [
        f"{statistics.size.revisions:,}",
        f"{statistics.size.families:,}",
        f"{statistics.bytes_on_disk / statistics.size.revisions:,.0f}",
        f"{add_ms:.1f}",
        *_percentiles(candidate_s),
        *_percentiles(band_s),
        *_percentiles(exact_s),
        f"{found}/{len(queries)}",
    ]


def _percentiles(seconds: list[float]) -> tuple[str, str]:
    p50, p95 = np.percentile(np.array(seconds) * 1_000, [50, 95])
    return f"{p50:.1f}", f"{p95:.1f}"


if __name__ == "__main__":
    main()
