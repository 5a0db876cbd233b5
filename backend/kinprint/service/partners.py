"""Secret signs of a new model where its relatives have theirs, so that shaping shows.

Each model is hashed at secret rows of its own choice of views. A copy whose public hashes were
pushed away on purpose is told by reading it at its relative's secret rows as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kinprint.fingerprint.probes import ProbeTarget, read_probes
from kinprint.index.probes import PartnerProbe
from kinprint.lineage.evasion import probe_partners
from kinprint.lineage.matching import Matching

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kinprint.checkpoints.tensors import Checkpoint
    from kinprint.fingerprint.probes import Probe
    from kinprint.fingerprint.record import Fingerprint
    from kinprint.index.store import Index
    from kinprint.sketches.secret import SecretKey

RELATIVES = 2
"""Nearest matches whose secret rows are read; each costs as much as the model's own."""


def read_partners(
    index: Index, keys: Sequence[SecretKey], checkpoint: Checkpoint, fingerprint: Fingerprint
) -> tuple[PartnerProbe, ...]:
    """Read a model at the secret rows of its nearest relatives.

    Args:
        index: Where relatives and their secret signs are.
        keys: All keys of this instance; older ones still check what they signed.
        checkpoint: The model, open.
        fingerprint: Taken of it.

    Returns:
        The model's signs, each beside the relative's probe that it answers.

    Raises:
        HubError: The Hub failed for good.
    """
    relatives = index.candidates(fingerprint, limit=RELATIVES, exclude_repo=fingerprint.origin.repo)
    n_revisions = max(1, index.size().revisions)
    found: list[PartnerProbe] = []
    for relative in relatives:
        matching = Matching(fingerprint, index.fingerprint(relative.revision_id))
        if matching.claim(n_revisions=n_revisions).holds:
            theirs = index.probes.of(relative.revision_id)
            found += _answering(relative.revision_id, matching, theirs, keys, checkpoint)
    return tuple(found)


def _answering(
    relative_id: int,
    matching: Matching,
    theirs: Sequence[Probe],
    keys: Sequence[SecretKey],
    checkpoint: Checkpoint,
) -> Iterator[PartnerProbe]:
    for key in keys:
        pairs = probe_partners(matching, [each for each in theirs if each.key_id == key.id])
        answers_block = {block: probe.block for block, probe in pairs}
        targets = [ProbeTarget(block, probe.row_offset) for block, probe in pairs]
        for mine in read_probes(checkpoint, matching.query, key, targets):
            yield PartnerProbe(relative_id, answers_block[mine.block], mine)
