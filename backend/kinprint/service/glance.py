"""A quick look at the Hub before an answer: is the repo public, and what is its newest commit?"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from kinprint.checkpoints.hub_client import HubClient
from kinprint.checkpoints.hub_session import HubSession
from kinprint.checkpoints.tensors import Visibility
from kinprint.errors import HubError, NotPublicError, RepoNotFoundError, RevisionNotFoundError

if TYPE_CHECKING:
    from kinprint.checkpoints.tensors import Origin
    from kinprint.settings import Settings

log = logging.getLogger(__name__)

FRESH_S = 5.0
"""Asked again within this time, the same repo costs the Hub nothing."""

REQUEST_TIMEOUT_S = 4.0
RETRY_DEADLINE_S = 6.0
"""A request must not hang on a slow Hub; the index can answer without it."""

_KEPT = 1_024

_NOBODYS_REPO = "kinprint/doctor"
"""Whether it exists does not matter: "no such repo" is an answer, too."""

Refusal = RepoNotFoundError | RevisionNotFoundError | NotPublicError


class Glance:
    """What the Hub said of a repo a moment ago.

    Args:
        settings: Endpoint and token; time-outs are shortened.
    """

    def __init__(self, settings: Settings) -> None:
        hasty = settings.model_copy(
            update={
                "request_timeout_s": min(settings.request_timeout_s, REQUEST_TIMEOUT_S),
                "retry_deadline_s": min(settings.retry_deadline_s, RETRY_DEADLINE_S),
            }
        )
        self._hub = HubClient(hasty, HubSession(hasty))
        self._lock = threading.Lock()
        self._seen: dict[tuple[str, str | None], tuple[float, Origin | Refusal]] = {}

    def origin(self, repo: str, revision: str | None) -> Origin | None:
        """Return what the Hub says of a repo, None where it cannot be asked now.

        Args:
            repo: A validated repo id.
            revision: Branch, tag or commit; None is the default branch.

        Raises:
            RepoNotFoundError: No such public repo.
            RevisionNotFoundError: The repo has no such revision.
            NotPublicError: It is disabled.
        """
        if revision is not None:
            # A private repo must look missing, whichever of its revisions is guessed.
            self.origin(repo, None)
        key = (repo.lower(), revision)
        with self._lock:
            at_s, seen = self._seen.get(key, (-FRESH_S, None))
        if seen is None or time.monotonic() - at_s > FRESH_S:
            try:
                seen = self._ask(repo, revision)
            except HubError as error:
                log.warning("The Hub could not be asked: %s", error.code)
                return None
            self._keep(key, seen)
        if isinstance(seen, HubError):
            raise seen
        return seen

    def trouble(self) -> HubError | None:
        """Return why the Hub cannot be asked, None where it answers."""
        try:
            self._ask(_NOBODYS_REPO, None)
        except HubError as error:
            return error
        return None

    def _ask(self, repo: str, revision: str | None) -> Origin | Refusal:
        try:
            origin = self._hub.origin(repo, revision)
        except (RepoNotFoundError, RevisionNotFoundError, NotPublicError) as refusal:
            return refusal
        if origin.visibility is Visibility.PRIVATE:
            # In the words for a missing repo: the operator's token must not tell strangers more.
            return RepoNotFoundError(f"No such public repo: {repo}.")
        return origin

    def _keep(self, key: tuple[str, str | None], seen: Origin | Refusal) -> None:
        with self._lock:
            self._seen.pop(key, None)
            while len(self._seen) >= _KEPT:
                # Oldest first: dicts keep the order in which keys were put in.
                del self._seen[next(iter(self._seen))]
            self._seen[key] = (time.monotonic(), seen)
