"""Fingerprints made of random bits: strangers, and relatives at a chosen Hamming distance."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np

from kinprint.checkpoints.tensors import Visibility
from kinprint.fingerprint.record import (
    BlockColumns,
    FileFact,
    Fingerprint,
    OriginFact,
    VectorColumns,
    ViewFact,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SKETCH_NAME = "kps1-synthetic-k0"
SHAPES: tuple[tuple[int, int, int], ...] = ((0, 64, 384), (0, 32, 1024), (0, 8, 4096))
"""(start, R, C) of the blocks that the views take in turn."""


def commit_of(number: int) -> str:
    """A 40-hex commit sha."""
    return f"{number:040x}"


def files_of(digest_source: bytes, *, size: int = 1_000_000) -> tuple[FileFact, ...]:
    """One weight file with its LFS sha256."""
    digest = sha256(digest_source).hexdigest()
    return (FileFact(path="model.safetensors", size=size, sha256=digest),)


def origin_of(repo: str | None, revision: str | None = None, **facts: Any) -> OriginFact:
    """A public repo unless told otherwise."""
    return OriginFact(
        source=repo or "./checkpoint",
        repo=repo,
        revision=revision or (commit_of(1) if repo else None),
        visibility=facts.pop("visibility", Visibility.PUBLIC if repo else Visibility.LOCAL),
        created_at=facts.pop("created_at", datetime(2026, 1, 1, tzinfo=UTC)),
        **facts,
    )


def synthetic(
    rng: np.random.Generator,
    repo: str | None = "acme/original",
    *,
    revision: str | None = None,
    views: int = 12,
    shapes: Sequence[tuple[int, int, int]] = SHAPES,
    **origin: Any,
) -> Fingerprint:
    """A stranger to everything else: each view is one block of random bits.

    View i has the block shape ``shapes[i % len(shapes)]``.
    """
    phash = rng.integers(0, 256, (views, 32), dtype=np.uint8)
    turn = np.array([shapes[i % len(shapes)] for i in range(views)], np.int32).reshape(views, 3)
    facts = tuple(
        ViewFact(
            name=f"layers.{i}.weight",
            dtype="BF16",
            shape=(int(rows) * 4, int(cols)),
            rows=int(rows) * 4,
            cols=int(cols),
        )
        for i, (_, rows, cols) in enumerate(turn)
    )
    blocks = BlockColumns(
        view=np.arange(views, dtype=np.int32),
        start=turn[:, 0].copy(),
        rows=turn[:, 1].copy(),
        cols=turn[:, 2].copy(),
        sketch=rng.integers(-32767, 32768, (views, 256), dtype=np.int16),
        step=np.full(views, 1e-6, np.float32),
        phash=phash,
        digest=rng.integers(0, 256, (views, 16), dtype=np.uint8),
        std=np.full(views, 0.02, np.float32),
        zeros=np.zeros(views, np.float32),
        rounding=np.zeros(views, np.float64),
        levels=np.full(views, 200, np.int32),
        group_levels=np.full(views, 30, np.int32),
    )
    vectors = VectorColumns(
        view=np.zeros(0, np.int32),
        phash=np.zeros((0, 32), np.uint8),
        digest=np.zeros((0, 16), np.uint8),
        std=np.zeros(0, np.float32),
    )
    return Fingerprint(
        sketch_name=SKETCH_NAME,
        origin=origin_of(repo, revision, **origin),
        files=files_of(blocks.digest.tobytes()),
        views=facts,
        skipped=(),
        blocks=blocks,
        vectors=vectors,
        parameters=sum(fact.rows * fact.cols for fact in facts),
        bytes_read=1_000_000,
    )


def flip_bits(
    rng: np.random.Generator, phash: NDArray[np.uint8], hamming_bits: int
) -> NDArray[np.uint8]:
    """Flip exactly ``hamming_bits`` of the 256 bits of every row."""
    order = rng.random((len(phash), 256)).argsort(axis=1)
    mask = order < hamming_bits
    return phash ^ np.packbits(mask, axis=1, bitorder="little")


def relative(
    rng: np.random.Generator,
    parent: Fingerprint,
    repo: str | None,
    *,
    hamming_bits: int,
    revision: str | None = None,
    negated: bool = False,
    **origin: Any,
) -> Fingerprint:
    """A copy of ``parent`` with every view at exactly ``hamming_bits`` from its parent's."""
    phash = flip_bits(rng, parent.blocks.phash, hamming_bits)
    digest = rng.integers(0, 256, parent.blocks.digest.shape, dtype=np.uint8)
    return replace(
        parent,
        origin=origin_of(repo, revision, **origin),
        files=files_of(digest.tobytes()),
        blocks=replace(parent.blocks, phash=~phash if negated else phash, digest=digest),
    )


def same_weights(
    parent: Fingerprint, repo: str | None, *, revision: str | None = None, **origin: Any
) -> Fingerprint:
    """The same bytes under another id."""
    return replace(parent, origin=origin_of(repo, revision, **origin))


def part_of(
    parent: Fingerprint, blocks: Sequence[int], repo: str | None, **origin: Any
) -> Fingerprint:
    """Only some blocks of ``parent`` (views are kept, so indices stay valid)."""
    rows = np.asarray(blocks, np.intp)
    columns = {name: column[rows] for name, column in vars(parent.blocks).items()}
    return replace(
        parent,
        origin=origin_of(repo, origin.pop("revision", None), **origin),
        files=files_of(columns["digest"].tobytes()),
        blocks=BlockColumns(**columns),
    )


def joined(first: Fingerprint, second: Fingerprint, repo: str | None, **origin: Any) -> Fingerprint:
    """All views of both, ``first``'s first."""
    columns = {
        name: np.concatenate([column, getattr(second.blocks, name)])
        for name, column in vars(first.blocks).items()
    }
    columns["view"][len(first.blocks.view) :] += len(first.views)
    return replace(
        first,
        origin=origin_of(repo, origin.pop("revision", None), **origin),
        files=files_of(columns["digest"].tobytes()),
        views=first.views + second.views,
        blocks=BlockColumns(**columns),
        parameters=first.parameters + second.parameters,
    )
