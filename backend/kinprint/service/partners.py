"""Secret signs of a new model: its own probes, and where its relatives have theirs.

A copy whose public hashes were pushed away on purpose is told by reading it at its relative's
secret rows. Its own probes are taken there as well, so that both cost one reading.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kinprint.fingerprint.probes import PROBES, ProbeTarget, probe_targets, read_probes
from kinprint.index.probes import PartnerProbe
from kinprint.lineage.evasion import probe_partners
from kinprint.lineage.matching import Matching

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kinprint.checkpoints.tensors import Checkpoint, Progress
    from kinprint.fingerprint.probes import Probe
    from kinprint.fingerprint.record import Fingerprint
    from kinprint.index.store import Index
    from kinprint.sketches.secret import SecretKey

RELATIVES = 2
"""Nearest matches whose secret rows are read."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """A block to be read because a relative has a probe at its partner."""

    relative_id: int
    of_block: int
    target: ProbeTarget


def read_secret(
    index: Index,
    keys: Sequence[SecretKey],
    checkpoint: Checkpoint,
    fingerprint: Fingerprint,
    *,
    progress: Progress | None = None,
) -> tuple[tuple[Probe, ...], tuple[PartnerProbe, ...]]:
    """Read a model at secret rows: its own probes, and the partners of its relatives' probes.

    Args:
        index: Where relatives and their secret signs are.
        keys: All keys of this instance, newest first; older ones still check what they signed.
        checkpoint: The model, open.
        fingerprint: Taken of it.
        progress: Told the bytes of each round of reading.

    Returns:
        The model's own probes under the newest key, and its signs each beside the relative's
        probe that it answers.

    Raises:
        HubError: The Hub failed for good.
    """
    answers = {key.id: list[_Answer]() for key in keys}
    for matching, relative_id in _relatives(index, fingerprint):
        theirs = index.probes.of(relative_id)
        for key in keys:
            of_key = [each for each in theirs if each.key_id == key.id]
            answers[key.id] += [
                _Answer(relative_id, probe.block, ProbeTarget(block, probe.row_offset))
                for block, probe in probe_partners(matching, of_key)
            ]
    own: tuple[Probe, ...] = ()
    partners: list[PartnerProbe] = []
    for number, key in enumerate(keys):
        asked = list(dict.fromkeys(each.target for each in answers[key.id]))
        mine: list[ProbeTarget] = []
        if number == 0:
            mine = list(dict.fromkeys((*asked[:PROBES], *probe_targets(fingerprint, key))))[:PROBES]
        targets = list(dict.fromkeys((*asked, *mine)))
        found = {
            ProbeTarget(probe.block, probe.row_offset): probe
            for probe in read_probes(checkpoint, fingerprint, key, targets, progress=progress)
        }
        if number == 0:
            own = tuple(_one_a_block(found[each] for each in mine if each in found))
        partners += [
            PartnerProbe(each.relative_id, each.of_block, found[each.target])
            for each in answers[key.id]
            if each.target in found
        ]
    return own, tuple(partners)


def _relatives(index: Index, fingerprint: Fingerprint) -> Iterator[tuple[Matching, int]]:
    n_revisions = max(1, index.size().revisions)
    nearest = index.candidates(fingerprint, limit=RELATIVES, exclude_repo=fingerprint.origin.repo)
    for relative in nearest:
        matching = Matching(fingerprint, index.fingerprint(relative.revision_id))
        if matching.claim(n_revisions=n_revisions).holds:
            yield matching, relative.revision_id


def _one_a_block(probes: Iterator[Probe]) -> Iterator[Probe]:
    """The index keeps one probe of each block and key."""
    seen: set[int] = set()
    for probe in probes:
        if probe.block not in seen:
            seen.add(probe.block)
            yield probe
