"""Was a tensor shaped so that the public hash misses it? The instance's secret hashes tell.

The public projection is known, so a few per cent of a tensor's std, well placed, push its public
hash to a stranger's. Under a secret key, at secret rows, the same tensor still looks the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kinprint.lineage.thresholds import EVADED_PUBLIC_BITS, EVADED_SDS, EVADED_SECRET_BITS
from kinprint.lineage.verdict import Finding
from kinprint.sketches.distances import HASH_BITS, hamming

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kinprint.fingerprint.probes import Probe
    from kinprint.fingerprint.record import Fingerprint
    from kinprint.lineage.matching import Matching


def probe_partners(matching: Matching, probes: Sequence[Probe]) -> tuple[tuple[int, Probe], ...]:
    """Return, for each probe of the match, the query's block to read at the same secret rows.

    A view that matches gives its own partner. The views left over on both sides are paired in
    the order in which they are stored, if as many are left: a guess, which costs one read and
    can only be confirmed by the secret hash itself.

    Args:
        matching: The query compared with the match.
        probes: Secret probes of the match; ``block`` counts in the match's blocks.

    Returns:
        (query block, probe) pairs.
    """
    partner = dict(_leftover_blocks(matching))
    partner |= {j: i for pair in matching.accepted for i, j in pair.blocks}
    return tuple((partner[probe.block], probe) for probe in probes if probe.block in partner)


def evasion_finding(matching: Matching, partners: Sequence[tuple[Probe, Probe]]) -> Finding | None:
    """Compare secret with public distances.

    Args:
        matching: The query compared with the match.
        partners: (query's probe, match's probe), read at the same rows under the same key.

    Returns:
        The finding, with the query's tensors in which the two hashes disagree; None if none.
    """
    query, candidate = matching.query, matching.candidate
    shaped = []
    for mine, theirs in partners:
        if (mine.key_id, mine.row_offset) != (theirs.key_id, theirs.row_offset):
            continue
        secret_bits = _folded(mine.signs, theirs.signs)
        public_bits = _folded(
            query.blocks.phash[mine.block].tobytes(), candidate.blocks.phash[theirs.block].tobytes()
        )
        near, far = sorted((secret_bits, public_bits))
        if near <= EVADED_SECRET_BITS and far > EVADED_PUBLIC_BITS and _differ(near, far):
            shaped.append(query.views[query.blocks.view[mine.block]].name)
    if not shaped:
        return None
    return Finding(
        code="shaped_to_evade",
        summary=f"In {len(shaped)} tensors the public hash and this instance's secret hash "
        "disagree about the match: the rows that everybody samples differ from the others.",
        tensors=tuple(shaped),
    )


def _differ(near: int, far: int) -> bool:
    """Whether two distances cannot be two looks at one angle (binomials with a common rate)."""
    rate = (near + far) / (2 * HASH_BITS)
    return (far - near) > EVADED_SDS * float(np.sqrt(2 * HASH_BITS * rate * (1 - rate)))


def _folded(a: bytes, b: bytes) -> int:
    rows = [np.frombuffer(each, np.uint8)[None, :] for each in (a, b)]
    bits = int(hamming(*rows)[0, 0])
    return min(bits, HASH_BITS - bits)


def _leftover_blocks(matching: Matching) -> Iterator[tuple[int, int]]:
    mine = _unmatched(matching.query, {pair.query for pair in matching.accepted})
    theirs = _unmatched(matching.candidate, {pair.candidate for pair in matching.accepted})
    for shape, blocks in mine.items():
        other = theirs.get(shape, [])
        if len(blocks) == len(other):
            yield from zip(other, blocks, strict=True)


def _unmatched(fingerprint: Fingerprint, matched: set[int]) -> dict[tuple[int, ...], list[int]]:
    """Unmatched blocks by what must agree for two of them to be one tensor's."""
    left: dict[tuple[int, ...], list[int]] = {}
    blocks = fingerprint.blocks
    for row, view in enumerate(blocks.view):
        fact = fingerprint.views[view]
        if int(view) not in matched and fact.generated is None:
            key = (int(blocks.start[row]), int(blocks.rows[row]), int(blocks.cols[row]), fact.rows)
            left.setdefault(key, []).append(row)
    return left
