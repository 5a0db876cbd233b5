"""Another secret key: models are read again at its rows; a key that nothing needs is dropped."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from kinprint.checkpoints.hub import HubCheckpoint
from kinprint.checkpoints.hub_client import hub_client
from kinprint.errors import NotPublicError
from kinprint.fingerprint.probes import probe_targets, read_probes
from kinprint.service.allowance import real_now
from kinprint.service.instance import secret_key_file
from kinprint.service.reading import PUBLISHED
from kinprint.sketches.secret import SecretKey

if TYPE_CHECKING:
    from kinprint.checkpoints.tensors import Progress
    from kinprint.index.store import StoredRevision
    from kinprint.service.instance import Instance


def rotate(instance: Instance) -> SecretKey:
    """Put a new key in front of the others, which stay for what they signed.

    Raises:
        MissingError: The key file cannot be written.
    """
    # The first key is made here where there is none yet.
    SecretKey.load_or_create(secret_key_file(instance.settings))
    return SecretKey.rotate(secret_key_file(instance.settings))


def renew(
    instance: Instance, known: StoredRevision, key: SecretKey, *, progress: Progress | None = None
) -> int:
    """Read a revision's probes under a key, at the commit that is indexed.

    Args:
        instance: Whose index and budget.
        known: The revision.
        key: The key.
        progress: Receives the bytes as they come.

    Returns:
        Bytes fetched.

    Raises:
        NotPublicError: The repo is private by now.
        HubError: It is gone, or the Hub failed.
    """
    client = hub_client()
    fingerprint = instance.index.fingerprint(known.id)
    model = client.model(known.repo, known.revision)
    if model.origin.visibility not in PUBLISHED:
        raise NotPublicError(f"{known.repo} is not public")
    with closing(HubCheckpoint(client, model)) as checkpoint:
        try:
            targets = probe_targets(fingerprint, key)
            probes = read_probes(checkpoint, fingerprint, key, targets, progress=progress)
        finally:
            instance.index.budget.spend(checkpoint.bytes_read, real_now().date())
        instance.index.probes.add(known.id, probes)
        return checkpoint.bytes_read


def drop_unneeded_keys(instance: Instance) -> int:
    """Forget older keys once everything that they signed stands under the newest as well.

    What was withdrawn can never be read again: its key stays.

    Returns:
        How many keys are left.
    """
    path = secret_key_file(instance.settings)
    newest, *older = SecretKey.load_all(path)
    needed = instance.index.probes.keys_without(newest.id)
    kept = [newest.id, *(key.id for key in older if key.id in needed)]
    if len(kept) <= len(older):
        SecretKey.keep(path, kept)
        instance.index.probes.forget_keys_but(kept)
    return len(kept)
