"""Cold start: what the list of bases still lacks, what reading it costs, and reading it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kinprint.checkpoints.hub_client import hub_client
from kinprint.checkpoints.layout import SAFETENSORS_SUFFIX, TORCH_SUFFIXES
from kinprint.checkpoints.tensors import Visibility
from kinprint.errors import KinprintError, NotPublicError
from kinprint.service.bases import expected_bytes, expected_seconds
from kinprint.service.reading import PUBLISHED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kinprint.checkpoints.hub_client import HubClient, HubModel
    from kinprint.checkpoints.tensors import CheckpointFile
    from kinprint.service.bases import Base
    from kinprint.service.instance import Instance


@dataclass(frozen=True, slots=True)
class Missing:
    """A base that is not indexed at its present commit.

    Attributes:
        model: What the Hub described, at the commit that ``main`` was at; read at this one.
        bytes_expected: Estimate of the bytes that reading it takes.
    """

    model: HubModel
    bytes_expected: int


@dataclass(frozen=True, slots=True)
class Survey:
    """What the Hub's metadata says of one line of the list.

    Attributes:
        base: The line.
        indexed: The base is indexed at its present commit.
        missing: It is not.
        gated: It cannot be read with this instance's token, or without one.
        error: Nothing can be said of it.
    """

    base: Base
    indexed: bool = False
    missing: Missing | None = None
    gated: bool = False
    error: KinprintError | None = None


def survey(instance: Instance, base: Base) -> Survey:
    """Ask the Hub's metadata about one base; no byte of weights is read.

    Args:
        instance: Whose index.
        base: One line of the list.
    """
    client = hub_client()
    try:
        model = client.model(base.repo)
        origin = model.origin
        if origin.visibility not in PUBLISHED or origin.repo is None or origin.revision is None:
            raise NotPublicError(f"{base.repo} is not public")
        if instance.index.find(origin.repo, origin.revision) is not None:
            return Survey(base, indexed=True)
        if origin.visibility is Visibility.GATED and not _may_read(client, model):
            return Survey(base, gated=True)
    except KinprintError as error:
        return Survey(base, error=error)
    return Survey(base, missing=Missing(model, expected_bytes(_weight_bytes(model))))


def _may_read(client: HubClient, model: HubModel) -> bool:
    """Ask for the address of one weight file; the Hub refuses it to who may not read it."""
    path = next((each.path for each in model.files if _is_weights(each)), None)
    if path is None:
        return True
    try:
        client.locate(model, path)
    except NotPublicError:
        return False
    return True


def _is_weights(file: CheckpointFile) -> bool:
    return file.path.endswith((SAFETENSORS_SUFFIX, *TORCH_SUFFIXES))


def cost(missing: Sequence[Missing]) -> tuple[int, float]:
    """Return the bytes and the seconds that reading all of these is expected to take."""
    bytes_expected = sum(each.bytes_expected for each in missing)
    return bytes_expected, expected_seconds(len(missing), bytes_expected)


def _weight_bytes(model: HubModel) -> int:
    """Total size of the weight files, of one format: a repo often holds both."""
    safetensors = [each.size for each in model.files if each.path.endswith(SAFETENSORS_SUFFIX)]
    return sum(
        safetensors or [each.size for each in model.files if each.path.endswith(TORCH_SUFFIXES)]
    )
