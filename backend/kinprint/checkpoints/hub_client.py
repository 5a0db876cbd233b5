"""What the Hub says of a model at one commit: its declarations, its files, where they lie."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeVar

from huggingface_hub import HfApi, RepoFile, hf_hub_url
from huggingface_hub.utils import paginate

from kinprint.checkpoints.hub_session import HubSession
from kinprint.checkpoints.limits import DECLARED_BASES, HISTORY_COMMITS, REPO_FILES
from kinprint.checkpoints.source import (
    REPO_ID_CHARACTERS,
    validate_repo_id,
    validate_revision,
)
from kinprint.checkpoints.tensors import CheckpointFile, Origin, Visibility
from kinprint.errors import (
    HubError,
    LimitExceededError,
    NotPublicError,
    RevisionNotFoundError,
)
from kinprint.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from huggingface_hub import ModelInfo
    from huggingface_hub.hf_api import ExpandModelProperty_T

    from kinprint.settings import Settings

T = TypeVar("T")

MAIN = "main"
RELATIONS = ("adapter", "merge", "quantized", "finetune")
# Without cardData: a card's keys can break the client's parser, and the tags say the same.
EXPANDED: Final[tuple[ExpandModelProperty_T, ...]] = (
    "baseModels",
    "config",
    "createdAt",
    "disabled",
    "gated",
    "private",
    "sha",
    "tags",
)

_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class HubModel:
    """A model on the Hub at one commit.

    Attributes:
        repo: Canonical id.
        commit: Full sha.
        origin: The same, with visibility, declarations and aliases.
        files: Every file at that commit, with its size and, for LFS, its sha256.
        config: ``config.json`` as the Hub's metadata gives it; reading it would be a download.
    """

    repo: str
    commit: str
    origin: Origin
    files: tuple[CheckpointFile, ...]
    config: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Location:
    """Where the bytes of one file lie.

    Attributes:
        url: Signed address at a CDN, or the Hub's own for a file kept in git.
        size: In bytes as the server says, None where it does not.
    """

    url: str
    size: int | None


class HubClient:
    """Asks the Hub about models; built from the settings."""

    def __init__(self, settings: Settings, session: HubSession) -> None:
        token = settings.hub_token
        self.token = token.get_secret_value() if token else None
        self.session = session
        # False, not None: None would send whatever token lies on the machine.
        self._api = HfApi(endpoint=settings.hub_endpoint, token=self.token or False)
        self._endpoint = settings.hub_endpoint
        self._timeout_s = settings.request_timeout_s

    @property
    def authorization(self) -> dict[str, str]:
        """The header that carries the token; the session strips it for any host but the Hub."""
        return {"authorization": f"Bearer {self.token}"} if self.token else {}

    def model(self, repo: str, revision: str | None = None) -> HubModel:
        """Describe a model and its files at one commit; arguments and errors as `origin`."""
        origin, config = self._described(repo, revision)
        # Both are set; the type serves local folders, too.
        canonical, commit = origin.repo or "", origin.revision or ""
        return HubModel(canonical, commit, origin, self._files(canonical, commit), config)

    def origin(self, repo: str, revision: str | None = None) -> Origin:
        """Say what the Hub's metadata declares of a model, its revision resolved once.

        Args:
            repo: ``owner/name``; a former name is followed and kept as an alias.
            revision: Branch, tag or commit; None is the default branch.

        Raises:
            UsageError: The id or the revision is malformed; nothing was requested.
            RepoNotFoundError: No such repo is visible.
            RevisionNotFoundError: The repo has no such revision.
            NotPublicError: The repo is disabled, or out of reach.
            HubError: Anything else that went wrong.
        """
        return self._described(repo, revision)[0]

    def _described(self, repo: str, revision: str | None) -> tuple[Origin, dict[str, Any] | None]:
        asked = validate_repo_id(repo)
        if revision is not None:
            validate_revision(revision)
        subject = f"{asked}@{revision}" if revision else asked
        info = self._ask(
            subject,
            partial(self._api.model_info, asked, revision=revision, expand=list(EXPANDED)),
        )
        if info.disabled:
            raise NotPublicError(f"{asked} is not public.")
        commit = info.sha or ""
        if not _COMMIT.fullmatch(commit):
            raise HubError(f"The Hub names no commit for {subject}.")
        canonical = validate_repo_id(info.id)
        bases, relation = declared_bases(info)
        origin = Origin(
            source=asked,
            repo=canonical,
            revision=commit,
            visibility=_visibility(info),
            created_at=info.created_at,
            declared_bases=bases,
            declared_relation=relation,
            aliases=() if canonical == asked else (asked,),
        )
        config = info.config if isinstance(info.config, dict) else None
        return origin, config

    def is_newest(self, model: HubModel) -> bool:
        """Tell whether a model is at the head of its main branch.

        Raises:
            RevisionNotFoundError: The commit is on no branch or tag of the owner's. Anybody may
                open a pull request, whose commits the Hub serves under the repo's name.
            HubError: The Hub failed.
        """
        refs = self._ask(model.repo, partial(self._api.list_repo_refs, model.repo))
        heads = {branch.name: branch.target_commit for branch in refs.branches}
        if heads.get(MAIN) == model.commit:
            return True
        named = {*heads.values(), *(tag.target_commit for tag in refs.tags)}
        if model.commit not in named and not self._ask(
            model.repo, partial(self._is_in_history, model)
        ):
            raise RevisionNotFoundError(
                f"{model.commit} is on no branch or tag of {model.repo}.",
                hint="Commits of pull requests are not answered for: anybody can make them.",
            )
        return False

    def _is_in_history(self, model: HubModel) -> bool:
        address = f"{self._endpoint}/api/models/{model.repo}/commits/{MAIN}"
        commits = paginate(address, params={}, headers=self.authorization)
        return any(each["id"] == model.commit for each in islice(commits, HISTORY_COMMITS))

    def locate(self, model: HubModel, path: str) -> Location:
        """Resolve a file to the address that its ranges are read from.

        Raises:
            NotPublicError: The repo is gated, or no longer public.
            HubError: The Hub names another commit than the one asked for, or fails.
        """
        subject = f"{path!r} of {model.repo}"
        url = hf_hub_url(model.repo, path, revision=model.commit, endpoint=self._endpoint)
        found = self._ask(
            subject, partial(self._api.get_hf_file_metadata, url=url, timeout=self._timeout_s)
        )
        if found.commit_hash not in (None, model.commit):
            raise HubError(f"The Hub answered with another commit for {subject}.")
        return Location(found.location, found.size)

    def _files(self, repo: str, commit: str) -> tuple[CheckpointFile, ...]:
        def siblings() -> Iterable[CheckpointFile]:
            info = self._api.model_info(repo, revision=commit, files_metadata=True)
            return [
                CheckpointFile(
                    entry.rfilename, entry.size or 0, entry.lfs.sha256 if entry.lfs else None
                )
                for entry in info.siblings or ()
            ]

        def tree() -> Iterable[CheckpointFile]:
            entries = self._api.list_repo_tree(repo, revision=commit, recursive=True)
            return [
                CheckpointFile(entry.path, entry.size, entry.lfs.sha256 if entry.lfs else None)
                for entry in islice(entries, REPO_FILES + 1)
                if isinstance(entry, RepoFile)
            ]

        try:
            files = self.session.run(repo, siblings)
        except (TypeError, ValueError, KeyError, LimitExceededError):
            # A card can be written so that the client cannot parse it, or so long that it is
            # not read; its repo must not become unreadable that way. The tree has no card.
            files = self._ask(repo, tree)
        found = tuple(files)
        if len(found) > REPO_FILES:
            raise LimitExceededError(f"{repo} has more than {REPO_FILES:,} files.")
        return found

    def _ask(self, subject: str, call: Callable[[], T]) -> T:
        try:
            return self.session.run(subject, call)
        except (TypeError, ValueError, KeyError) as error:
            raise HubError(
                f"The Hub's answer for {subject} cannot be understood: {error!r}."
            ) from error


def hub_client() -> HubClient:
    """Return the process's client, made when the Hub is first needed."""
    with _making:
        return _client_of(settings())


_making = threading.Lock()


# One at a time, since huggingface_hub has one shared session.
@lru_cache(maxsize=1)
def _client_of(chosen: Settings) -> HubClient:
    return HubClient(chosen, HubSession(chosen))


def declared_bases(info: ModelInfo) -> tuple[tuple[str, ...], str | None]:
    """Read the declared parents and the relation to them off a model's tags.

    The Hub writes ``base_model:X`` and ``base_model:<relation>:X`` for each ``base_model`` of
    the card, in the card's spelling; ``baseModels`` stands in where a model has no such tag.

    Returns:
        The parents' ids in the order declared, at most `limits.DECLARED_BASES` and none longer
        than an id can be; and the relation or None.
    """
    bases: dict[str, None] = {}
    relation: str | None = None
    for tag in info.tags or ():
        prefix, _, declared = str(tag).partition(":")
        kind, _, base = declared.rpartition(":")
        if prefix == "base_model" and kind in ("", *RELATIONS):
            relation = relation or kind or None
            bases[base] = None
    known: Any = info.base_models
    if not bases and isinstance(known, dict):
        relation = known["relation"] if known.get("relation") in RELATIONS else None
        bases = {str(base["id"]): None for base in known.get("models", ())}
    short = (base for base in bases if len(base) <= REPO_ID_CHARACTERS)
    return tuple(islice(short, DECLARED_BASES)), relation


def _visibility(info: ModelInfo) -> Visibility:
    if info.private:
        return Visibility.PRIVATE
    return Visibility.GATED if info.gated else Visibility.PUBLIC
