"""A checkpoint on the Hub: one commit of a repo, its weights read by ranges."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kinprint.checkpoints.hub_ranges import RangeReader
from kinprint.checkpoints.inventory import read_inventory
from kinprint.settings import settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kinprint.checkpoints.hub_client import HubClient, HubModel
    from kinprint.checkpoints.tensors import Span


class HubCheckpoint:
    """Tensors of a model on the Hub at one commit; implements `tensors.Checkpoint`.

    Everything is read at the model's commit, whatever is pushed meanwhile. Headers are read at
    once, weights only when asked for.

    Args:
        client: The Hub.
        model: A model at one commit, as the client described it.

    Raises:
        HubError: Its child says why the repo cannot be read.
        CheckpointError: A header or an index is malformed (see `inventory.read_inventory`).
    """

    def __init__(self, client: HubClient, model: HubModel) -> None:
        concurrency = settings().range_concurrency
        self.origin = model.origin
        self._ranges = RangeReader(client, model, concurrency)
        sizes = {file.path: file.size for file in model.files}
        try:
            contents = read_inventory(sizes, self._ranges.read_range, concurrency=concurrency)
        except BaseException:
            self.close()
            raise
        chosen = set(contents.paths)
        self.files = tuple(file for file in model.files if file.path in chosen)
        self.others = tuple(file for file in model.files if file.path not in chosen)
        self.tensors = contents.inventory.tensors
        self.skipped = contents.inventory.skipped

    @property
    def bytes_read(self) -> int:
        """Bytes received so far, headers and the gaps between joined spans included."""
        return self._ranges.bytes_read

    def read(self, spans: Sequence[Span]) -> Iterator[bytes]:
        """Yield the exact bytes of each span, in the order given (see `RangeReader.read`)."""
        return self._ranges.read(spans)

    def close(self) -> None:
        """Let go of the threads; the connections are shared and stay."""
        self._ranges.close()
