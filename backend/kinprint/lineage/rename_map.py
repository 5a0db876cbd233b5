"""The rename map: which tensor of the repo is which tensor of the match, names unseen."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import linear_sum_assignment

from kinprint.lineage.verdict import TensorPair
from kinprint.sketches.distances import HASH_BITS, hamming

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from kinprint.fingerprint.record import Fingerprint, ViewFact
    from kinprint.lineage.matching import Pair

_VECTOR_SDS = 5.0
"""A vector pairs when this many of its own stranger sds nearer than chance."""
_VECTORS_OF_ONE_LENGTH = 2_000
"""Of more of them none is paired: they are support only, and pairing takes their cube."""


def rename_map(
    query: Fingerprint, candidate: Fingerprint, accepted: Sequence[Pair]
) -> tuple[TensorPair, ...]:
    """Return the accepted pairs, and vectors as support, in the order of the query's views."""
    lines = [
        (
            pair.query,
            TensorPair(
                repo_tensor=label(query.views[pair.query]),
                match_tensor=label(candidate.views[pair.candidate]),
                hamming_bits=pair.hamming_bits,
                negated=pair.negated,
                same_bytes=pair.same_bytes,
            ),
        )
        for pair in accepted
    ]
    lines += _vector_lines(query, candidate)
    return tuple(line for _, line in sorted(lines, key=lambda each: each[0]))


def label(view: ViewFact) -> str:
    """State-dict key of a view; a slice of a stack of experts carries its number."""
    is_slice = view.part > 0 or prod(view.shape) > view.rows * view.cols
    return f"{view.name}[{view.part}]" if is_slice else view.name


def vector_sd(length: int) -> float:
    """Sd in bits of the distance between unrelated vectors (measured; see docs/method.md)."""
    return float(np.sqrt(64 + (HASH_BITS / np.pi) ** 2 / (length - 1)))


def _vector_lines(query: Fingerprint, candidate: Fingerprint) -> Iterator[tuple[int, TensorPair]]:
    theirs = _vectors_by_length(candidate)
    for length, mine in _vectors_by_length(query).items():
        other = theirs.get(length)
        if other is None or max(len(mine), len(other)) > _VECTORS_OF_ONE_LENGTH:
            continue
        bits = hamming(query.vectors.phash[mine], candidate.vectors.phash[other])
        order = np.abs(
            np.arange(len(mine))[:, None] / len(mine) - np.arange(len(other))[None, :] / len(other)
        )
        limit = HASH_BITS / 2 - _VECTOR_SDS * vector_sd(length)
        for i, j in zip(*linear_sum_assignment(bits + 0.5 * order), strict=True):
            if bits[i, j] <= limit:
                left = query.views[query.vectors.view[mine[i]]]
                right = candidate.views[candidate.vectors.view[other[j]]]
                same = query.vectors.digest[mine[i]] == candidate.vectors.digest[other[j]]
                yield (
                    int(query.vectors.view[mine[i]]),
                    TensorPair(
                        repo_tensor=left.name,
                        match_tensor=right.name,
                        hamming_bits=int(bits[i, j]),
                        same_bytes=bool(same.all()),
                        support=True,
                    ),
                )


def _vectors_by_length(fingerprint: Fingerprint) -> dict[int, NDArray[np.intp]]:
    rows: dict[int, list[int]] = {}
    for row, view in enumerate(fingerprint.vectors.view):
        fact = fingerprint.views[view]
        if fact.generated is None and fact.note is None:
            rows.setdefault(fact.cols, []).append(row)
    return {length: np.array(indices, np.intp) for length, indices in rows.items()}
