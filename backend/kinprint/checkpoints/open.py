"""Opens a checkpoint wherever it lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kinprint.checkpoints.local import LocalCheckpoint
from kinprint.checkpoints.source import HubSource, LocalSource
from kinprint.errors import RepoNotFoundError

if TYPE_CHECKING:
    from kinprint.checkpoints.tensors import Checkpoint


def open_checkpoint(source: LocalSource | HubSource) -> Checkpoint:
    """Open a local folder or file, or a repo on the Hub at one commit; the headers are read.

    Close it after use.

    Raises:
        MissingError: Nothing is at the local path.
        CheckpointError: The checkpoint is malformed.
        HubError: The Hub did not give what was asked.
        UsageError: The repo id is malformed.
    """
    match source:
        case LocalSource(path):
            return LocalCheckpoint(path)
        case HubSource(repo, revision):
            # The Hub's client is slow to import, and not needed for local files.
            from kinprint.checkpoints.hub import HubCheckpoint
            from kinprint.checkpoints.hub_client import hub_client

            client = hub_client()
            try:
                model = client.model(repo, revision)
            except RepoNotFoundError as error:
                # A mistyped path reads like a repo.
                hint = f"Nor is there a file or folder {repo!r} on this machine. {error.hint}"
                raise RepoNotFoundError(error.message, hint=hint) from None
            return HubCheckpoint(client, model)
