"""All repos of the stand-in, by id, with the ids they had before."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hub_standin.repo import Repo


class Registry:
    """Finds repos by present or former id, in any case of letters."""

    def __init__(self) -> None:
        self._repos: dict[str, Repo] = {}
        self._moved: dict[str, Repo] = {}

    def add(self, repo: Repo) -> None:
        """Take in a new repo; a former id of another one is taken over."""
        if repo.id.lower() in self._repos:
            raise ValueError(f"{repo.id} exists already")
        self._repos[repo.id.lower()] = repo
        self._moved.pop(repo.id.lower(), None)

    def rename(self, repo: Repo, new_id: str) -> None:
        """Give a repo another id (or owner); the old one redirects."""
        old = repo.id.lower()
        del self._repos[old]
        repo.id = new_id
        self.add(repo)
        self._moved[old] = repo

    def delete(self, repo: Repo) -> None:
        """Take a repo away, with all ids it had."""
        del self._repos[repo.id.lower()]
        self._moved = {old: moved for old, moved in self._moved.items() if moved is not repo}

    def find(self, repo_id: str) -> Repo | None:
        """Return the repo that has or had this id."""
        key = repo_id.lower()
        return self._repos.get(key) or self._moved.get(key)

    def all(self) -> tuple[Repo, ...]:
        """Return all repos."""
        return tuple(self._repos.values())
