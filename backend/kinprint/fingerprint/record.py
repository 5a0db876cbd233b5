"""All sketches of one revision, kept in memory as columns (n rows each)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from kinprint.checkpoints.tensors import Visibility

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Depth(StrEnum):
    """How much of a revision was read."""

    FULL = "full"
    SCREEN = "screen"


class FileFact(BaseModel):
    """A weight file of the revision."""

    model_config = ConfigDict(frozen=True)

    path: str
    size: int
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class ViewFact:
    """One view of the revision, whether or not it has a sketch.

    Attributes:
        name: State-dict key of the stored tensor.
        part: Slice of a stack of experts, else 0.
        dtype: Stored dtype (safetensors name).
        shape: Stored shape.
        rows: Rows of the view.
        cols: Columns of the view.
        transposed: The view is the stored matrix transposed.
        generated: Name of the generator when the block is a formula's (``sinusoid`` …), else None.
        note: Why it is no evidence (``block too small``, ``all zero``, ``not finite``), else None.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    rows: int
    cols: int
    part: int = 0
    transposed: bool = False
    generated: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class SkippedFact:
    """A tensor that was not hashed, and why."""

    name: str
    reason: str


class OriginFact(BaseModel):
    """Where the revision came from (see ``checkpoints.tensors.Origin``)."""

    model_config = ConfigDict(frozen=True)

    source: str
    repo: str | None = None
    revision: str | None = None
    visibility: Visibility = Visibility.LOCAL
    created_at: datetime | None = None
    owner_id: str | None = None
    declared_bases: tuple[str, ...] = ()
    declared_relation: str | None = None
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class BlockColumns:
    """One row per sketched block (n rows); a tall view has two blocks.

    Attributes:
        view: int32 (n,), index into ``Fingerprint.views``.
        start: int32 (n,), first row of the block.
        rows: int32 (n,), R.
        cols: int32 (n,), C.
        sketch: int16 (n, 256), S row-major r x k, uncentred, in units of ``step``.
        step: float32 (n,).
        phash: uint8 (n, 32), signs of the centred unrounded sketch, packed little-endian.
        digest: uint8 (n, 16), xxh3-128 of the block's raw stored bytes.
        std: float32 (n,), standard deviation of the block's cells.
        zeros: float32 (n,), share of exact zeros.
        rounding: float64 (n,), mean of ulp²/12 of the coarsest dtype that holds them all.
        levels: int32 (n,), median over rows of the number of distinct values in the row.
        group_levels: int32 (n,), the same over aligned groups of 32 columns.
    """

    view: NDArray[np.int32]
    start: NDArray[np.int32]
    rows: NDArray[np.int32]
    cols: NDArray[np.int32]
    sketch: NDArray[np.int16]
    step: NDArray[np.float32]
    phash: NDArray[np.uint8]
    digest: NDArray[np.uint8]
    std: NDArray[np.float32]
    zeros: NDArray[np.float32]
    rounding: NDArray[np.float64]
    levels: NDArray[np.int32]
    group_levels: NDArray[np.int32]


@dataclass(frozen=True)
class VectorColumns:
    """One row per vector of 64 to 16,384 elements (n rows): support, never evidence.

    Attributes:
        view: int32 (n,), index into ``Fingerprint.views`` (rows = 1, cols = length).
        phash: uint8 (n, 32), signs of a mean-removed dense ±1 projection.
        digest: uint8 (n, 16), xxh3-128 of the raw stored bytes.
        std: float32 (n,).
    """

    view: NDArray[np.int32]
    phash: NDArray[np.uint8]
    digest: NDArray[np.uint8]
    std: NDArray[np.float32]


@dataclass(frozen=True)
class Fingerprint:
    """Everything Kinprint keeps of one revision; about 650 bytes a tensor.

    Attributes:
        sketch_name: Names every parameter of the sketch; two names never compare.
        origin: Where the revision came from.
        files: Its weight files.
        views: Its views, in checkpoint order.
        skipped: Tensors that were not hashed.
        blocks: Sketches of the evidence views.
        vectors: Support.
        parameters: Number of float parameters in the checkpoint.
        bytes_read: Bytes fetched to make it.
        depth: Whether every view was read, or only those of a screen.

    Example:
        >>> from kinprint import Fingerprint, fingerprint_of
        >>> fingerprint = fingerprint_of("./known")
        >>> isinstance(fingerprint, Fingerprint), fingerprint.blocks.sketch.shape
        (True, (12, 256))
    """

    sketch_name: str
    origin: OriginFact
    files: tuple[FileFact, ...]
    views: tuple[ViewFact, ...]
    skipped: tuple[SkippedFact, ...]
    blocks: BlockColumns
    vectors: VectorColumns
    parameters: int
    bytes_read: int
    depth: Depth = Depth.FULL
