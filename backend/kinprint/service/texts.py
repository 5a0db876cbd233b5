"""Configs and cards of models under comparison, kept so that a quotation outlives its repo."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from kinprint.checkpoints.hub_client import hub_client
from kinprint.checkpoints.hub_documents import hub_documents
from kinprint.checkpoints.tensors import Visibility
from kinprint.errors import KinprintError
from kinprint.service.allowance import real_now

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kinprint.service.instance import Instance

log = logging.getLogger(__name__)


def keep_texts(instance: Instance, revision_ids: Iterable[int]) -> None:
    """Read and store the texts that are not stored yet; what fails is tried another time.

    Each reading of a config counts as a download on the Hub, so only models that share weights
    with another one are asked. Only what anybody may read is stored.

    Args:
        instance: Whose index and budget.
        revision_ids: Revisions under comparison.
    """
    client = hub_client()
    for number in sorted(revision_ids):
        try:
            if instance.index.documents.of(number) is not None:
                continue
            revision = instance.index.revision(number)
            model = client.model(revision.repo, revision.revision)
            if model.origin.visibility is not Visibility.PUBLIC:
                continue
            found = hub_documents(client, model)
            instance.index.documents.put(number, found, real_now())
            bytes_read = sum(len(each.content or b"") for each in (found.config_json, found.readme))
            instance.index.budget.spend(bytes_read, real_now().date())
        except KinprintError as error:
            # The reading itself is done; texts are tried again at the next one.
            log.info("No texts of revision %d: %s", number, error.code)
