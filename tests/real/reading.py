"""From a folder of weights to its fingerprint."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Protocol

from kinprint.checkpoints.local import LocalCheckpoint
from kinprint.fingerprint.take import take

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import torch

    from kinprint.fingerprint.record import Fingerprint


class Read(Protocol):
    """Writes weights to disk and reads their fingerprint back, as a user would."""

    def __call__(self, weights: Mapping[str, torch.Tensor]) -> Fingerprint: ...


def fingerprint_of_folder(folder: Path) -> Fingerprint:
    with closing(LocalCheckpoint(folder)) as checkpoint:
        return take(checkpoint)
