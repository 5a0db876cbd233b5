"""One model repo: its commits, its state, and what a case may do to it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypedDict

from hub_standin.access import RefusedError, User
from hub_standin.discussions import Discussions
from hub_standin.stored import Content, Stored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

OLDEST = datetime(2022, 3, 2, 23, 29, 4, tzinfo=UTC)
CONFIG_KEYS = ("architectures", "model_type", "auto_map", "quantization_config")


class State(TypedDict, total=False):
    """What a repo may start with; see `Repo`."""

    private: bool
    gated: bool | str
    disabled: bool
    card: Mapping[str, Any]
    config: Mapping[str, Any]
    discussions_disabled: bool
    downloads: int
    likes: int


@dataclass(frozen=True, eq=False)
class Commit:
    """One commit, with all files of the repo at that point."""

    sha: str
    title: str
    message: str
    author: str
    date: datetime
    files: Mapping[str, Stored]
    parent: Commit | None

    def history(self) -> Iterable[Commit]:
        """Yield this commit and those before it, newest first."""
        commit: Commit | None = self
        while commit is not None:
            yield commit
            commit = commit.parent


@dataclass(eq=False)
class Repo:
    """A model repo. Assign to ``private``, ``gated`` and so on at any time.

    Attributes:
        created_at: What `createdAt` says; never before 2022-03-02, as on the Hub.
        private: Hidden from all but its owner and those let in.
        gated: ``False``, ``"auto"`` or ``"manual"``: only those let in read the files.
        disabled: Nobody gets anything.
        card: The model card's metadata (`cardData`).
        config: What `expand=config` shows; ``None``: taken from `config.json` as the Hub does.
        discussions_disabled: The owner has switched discussions off.
        downloads: Counted, as on the Hub, by requests for `config.json`.
        readers: Names of users who are let in.
    """

    id: str
    now: Callable[[], datetime]
    created_at: datetime
    private: bool = False
    gated: bool | str = False
    disabled: bool = False
    card: Mapping[str, Any] | None = None
    config: Mapping[str, Any] | None = None
    discussions_disabled: bool = False
    downloads: int = 0
    likes: int = 0
    readers: set[str] = field(default_factory=set)
    refs: dict[str, Commit] = field(default_factory=dict)
    commits: dict[str, Commit] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.created_at = max(self.created_at, OLDEST)
        self.discussions = Discussions(self)
        attributes = "*.safetensors filter=lfs diff=lfs merge=lfs -text\n"
        self.commit({".gitattributes": attributes}, message="initial commit", date=self.created_at)

    @property
    def owner(self) -> str:
        """The owner's name; "" for an id of the early days, which has none."""
        return self.id.rpartition("/")[0]

    @property
    def sha(self) -> str:
        """Commit of the main branch."""
        return self.refs["main"].sha

    @property
    def last_modified(self) -> datetime:
        """Date of the newest commit of the main branch."""
        return self.refs["main"].date

    def lets_in(self, user: User) -> bool:
        """Say whether the user belongs to the owner or was let in."""
        return user.belongs_to(self.owner) or user.name in self.readers

    def let_in(self, user: User | str) -> None:
        """Grant a user access to this private or gated repo."""
        self.readers.add(user if isinstance(user, str) else user.name)

    def commit(
        self,
        files: Mapping[str, Stored | Content],
        *,
        message: str = "Upload model",
        author: str | None = None,
        date: datetime | None = None,
        branch: str = "main",
        delete: Iterable[str] = (),
    ) -> str:
        """Add or replace files on a branch (or `refs/pr/N`), which is made where it is new.

        Returns:
            The commit's 40 hex digits.
        """
        parent = self.refs.get(branch, self.refs.get("main"))
        kept = {} if parent is None else dict(parent.files)
        for path in delete:
            del kept[path]
        kept |= {path: Stored.of(content) for path, content in files.items()}
        title, _, rest = message.partition("\n")
        author, date = author or self.owner or self.id, date or self.now()
        content = {path: stored.identity for path, stored in kept.items()}
        facts = [self.id, branch, len(self.commits), message, author, date.isoformat(), content]
        sha = hashlib.sha1(json.dumps(facts).encode()).hexdigest()
        commit = Commit(sha, title, rest.strip(), author, date, kept, parent)
        self.commits[sha] = commit
        self.refs[branch] = commit
        return sha

    def branch(self, name: str, revision: str = "main") -> None:
        """Make or move a branch."""
        self.refs[name] = self.at(revision)

    def tag(self, name: str, revision: str = "main") -> None:
        """Make or move a tag."""
        self.refs[f"refs/tags/{name}"] = self.at(revision)

    def at(self, revision: str) -> Commit:
        """Return the commit of a full sha, a branch, a tag or a ref.

        Raises:
            RefusedError: There is no such revision.
        """
        if revision in self.commits:
            return self.commits[revision]
        for name in (revision, revision.removeprefix("refs/heads/"), f"refs/tags/{revision}"):
            if name in self.refs:
                return self.refs[name]
        raise RefusedError(404, f"Invalid rev id: {revision}", "RevisionNotFound")

    def file(self, commit: Commit, path: str) -> Stored:
        """Return a file of a commit.

        Raises:
            RefusedError: There is no such file.
        """
        if path not in commit.files:
            told = {"X-Repo-Commit": commit.sha}
            raise RefusedError(404, "Entry not found", "EntryNotFound", told)
        return commit.files[path]

    def shown_config(self, commit: Commit) -> Mapping[str, Any] | None:
        """Return what the Hub shows of the configuration: a few keys, not the file."""
        if self.config is not None:
            return self.config
        shown: dict[str, Any] = {}
        config = _json_of(commit, "config.json")
        shown |= {key: config[key] for key in CONFIG_KEYS if key in config}
        if adapter := _json_of(commit, "adapter_config.json"):
            keys = ("base_model_name_or_path", "task_type")
            shown["peft"] = {key: adapter.get(key) for key in keys}
        if diffusers := _json_of(commit, "model_index.json"):
            shown["diffusers"] = {"_class_name": diffusers.get("_class_name")}
        return shown or None


def _json_of(commit: Commit, path: str) -> dict[str, Any]:
    if path not in commit.files:
        return {}
    try:
        value = json.loads(commit.files[path].read())
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
