"""Reads what a model says of itself wherever it lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kinprint.checkpoints.documents import Document, Documents, local_documents
from kinprint.checkpoints.source import LocalSource
from kinprint.errors import CheckpointError, HubError

if TYPE_CHECKING:
    from kinprint.checkpoints.source import HubSource


def documents_of(source: LocalSource | HubSource) -> Documents:
    """Read the documents of a model under comparison; counts as a download on the Hub.

    Args:
        source: A folder, or a repo on the Hub; its revision fixes what is read.

    Returns:
        Both documents; what could not be read (missing, gated, too long, behind a symlink out
        of the folder, the Hub out of reach) has its reason instead.

    Raises:
        UsageError: The repo id or the revision is malformed.
    """
    if isinstance(source, LocalSource):
        return local_documents(source.path)
    # The Hub's client is slow to import, and not needed for local files.
    from kinprint.checkpoints.hub_client import hub_client
    from kinprint.checkpoints.hub_documents import hub_documents

    client = hub_client()
    try:
        model = client.model(source.repo, source.revision)
    except (HubError, CheckpointError) as error:
        nothing = Document(reason=error.message)
        return Documents(nothing, nothing)
    return hub_documents(client, model)
