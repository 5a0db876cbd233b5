"""From what a user names to a fingerprint: a directory, a file, a fingerprint, or a Hub repo."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from kinprint.checkpoints.open import open_checkpoint
from kinprint.checkpoints.source import FingerprintSource, parse_source
from kinprint.fingerprint.file import load
from kinprint.fingerprint.record import Depth
from kinprint.fingerprint.take import take

if TYPE_CHECKING:
    from kinprint.checkpoints.tensors import Progress
    from kinprint.fingerprint.record import Fingerprint


def fingerprint_of(
    source: str, *, depth: Depth = Depth.FULL, progress: Progress | None = None
) -> Fingerprint:
    """Read the fingerprint of a model, from small ranges of its weights.

    Args:
        source: A directory, a weight file, a fingerprint file, or ``owner/name[@revision]``.
        depth: Read all matrices, or the few of a screen (2 MB of an 8B model).
        progress: Called with the bytes read so far and the bytes expected.

    Returns:
        The fingerprint; read from its file if ``source`` is one.

    Raises:
        UsageError: The source is malformed.
        MissingError: There is no such path.
        CheckpointError: The checkpoint is damaged, hostile, or of an unknown format.
        HubError: The Hub did not give what was asked.

    Example:
        >>> from kinprint import fingerprint_of
        >>> fingerprint = fingerprint_of("./known")
        >>> len(fingerprint.views)
        24
    """
    parsed = parse_source(source)
    if isinstance(parsed, FingerprintSource):
        return load(parsed.path)
    with closing(open_checkpoint(parsed)) as checkpoint:
        return take(checkpoint, depth=depth, progress=progress)
