"""The documents of a repo on the Hub, at its fixed commit."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from kinprint.checkpoints.documents import read_documents
from kinprint.checkpoints.hub_ranges import RangeReader

if TYPE_CHECKING:
    from kinprint.checkpoints.documents import Documents
    from kinprint.checkpoints.hub_client import HubClient, HubModel


def hub_documents(client: HubClient, model: HubModel) -> Documents:
    """Read the documents of a model that the Hub has described; counts as a download.

    Args:
        client: The Hub.
        model: A model at one commit; what is pushed meanwhile is not seen.
    """
    sizes = {file.path: file.size for file in model.files}
    with closing(RangeReader(client, model, concurrency=1)) as ranges:

        def read(name: str, limit: int) -> tuple[bytes, int] | None:
            size = sizes.get(name)
            if size is None:
                return None
            return ranges.read_range(name, 0, min(size, limit)), size

        return read_documents(read)
