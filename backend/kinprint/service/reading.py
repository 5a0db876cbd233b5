"""A repo on the Hub becomes a revision in the index: ranges, fingerprint, secret signs, budget."""

from __future__ import annotations

import dataclasses
from contextlib import closing
from typing import TYPE_CHECKING

from kinprint import clock
from kinprint.checkpoints.hub import HubCheckpoint
from kinprint.checkpoints.hub_client import hub_client
from kinprint.checkpoints.tensors import Visibility
from kinprint.errors import NotPublicError
from kinprint.fingerprint.take import take
from kinprint.service.allowance import real_now
from kinprint.service.partners import read_secret
from kinprint.service.texts import keep_texts

if TYPE_CHECKING:
    from kinprint.checkpoints.hub_client import HubModel
    from kinprint.checkpoints.tensors import Checkpoint, Origin, Progress
    from kinprint.index.store import StoredRevision
    from kinprint.service.instance import Instance

PUBLISHED = (Visibility.PUBLIC, Visibility.GATED)


@dataclasses.dataclass(frozen=True, slots=True)
class Read:
    """What reading a repo gave.

    Attributes:
        revision: The indexed revision.
        bytes_read: Bytes fetched; 0 if it was indexed already.
        is_new: It was not indexed before.
    """

    revision: StoredRevision
    bytes_read: int
    is_new: bool


def read_into_index(
    instance: Instance,
    repo: str,
    revision: str | None = None,
    *,
    progress: Progress | None = None,
) -> Read:
    """Read a public or gated repo into the index; at a known commit no weights are read again.

    Args:
        instance: Whose index, key and budget.
        repo: ``owner/name``.
        revision: Branch, tag or commit; None is the default branch.
        progress: Receives the bytes as they come.

    Raises:
        NotPublicError: The repo is private, even if this instance's token can read it.
        HubError: The Hub did not give what was asked.
        RevisionNotFoundError: There is no such revision, or it belongs to a pull request.
        CheckpointError: The weights cannot be read.
    """
    client = hub_client()
    model = client.model(repo, revision)
    # Without a revision the Hub has just resolved its main branch.
    return read_model(instance, model, is_newest=None if revision else True, progress=progress)


def read_model(
    instance: Instance,
    model: HubModel,
    *,
    is_newest: bool | None,
    progress: Progress | None = None,
) -> Read:
    """Read a model that the Hub has described; errors as `read_into_index`.

    Args:
        instance: Whose index, key and budget.
        model: The model at one commit.
        is_newest: It is at the head of its main branch; None asks the Hub.
        progress: Receives the bytes as they come.
    """
    client = hub_client()
    origin = model.origin
    if origin.visibility not in PUBLISHED or origin.repo is None:
        raise NotPublicError(f"{model.repo} is not public")
    known = instance.index.find(origin.repo, origin.revision)
    if known is not None:
        return Read(refreshed(instance, known, origin), bytes_read=0, is_new=False)
    if is_newest is None:
        is_newest = client.is_newest(model)
    with closing(HubCheckpoint(client, model)) as checkpoint:
        try:
            revision_id, relatives = _index(instance, checkpoint, progress, is_newest=is_newest)
        finally:
            instance.index.budget.spend(checkpoint.bytes_read, real_now().date())
        if relatives:
            keep_texts(instance, {revision_id, *relatives})
        return Read(instance.index.revision(revision_id), checkpoint.bytes_read, is_new=True)


def _index(
    instance: Instance, checkpoint: Checkpoint, progress: Progress | None, *, is_newest: bool
) -> tuple[int, frozenset[int]]:
    """Return the revision's number and those of its nearest relatives."""
    fingerprint = take(checkpoint, progress=progress)
    probes, partners = read_secret(
        instance.index,
        instance.keys,
        checkpoint,
        fingerprint,
        progress=None if progress is None else _after(fingerprint.bytes_read, progress),
    )
    # Stored only now: whatever fails above leaves the index as it was.
    revision_id = instance.index.add(
        fingerprint, seen_at=clock.now(), probes=probes, is_newest=is_newest
    )
    instance.index.probes.add_partners(revision_id, partners)
    return revision_id, frozenset(each.of_revision_id for each in partners)


def _after(bytes_before: int, progress: Progress) -> Progress:
    """Report a second round of reading on top of the first."""

    def on_bytes(bytes_read: int, bytes_expected: int) -> None:
        progress(bytes_before + bytes_read, bytes_before + bytes_expected)

    return on_bytes


def refreshed(instance: Instance, known: StoredRevision, origin: Origin) -> StoredRevision:
    """Bring an indexed repo's visibility up to date: it may have become gated, or be back.

    Args:
        instance: Whose index.
        known: The revision as indexed.
        origin: What the Hub says of it now; public or gated.
    """
    if known.visibility is origin.visibility:
        return known
    fingerprint = instance.index.fingerprint(known.id)
    changed = fingerprint.origin.model_copy(update={"visibility": origin.visibility})
    instance.index.add(dataclasses.replace(fingerprint, origin=changed), seen_at=clock.now())
    return instance.index.revision(known.id)
