"""Discussions of a repo: listed, read, opened and commented on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hub_standin.access import LOG_IN, RefusedError, User
from hub_standin.clock import wire_time

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from hub_standin.repo import Repo

PAGE_SIZE = 50
TITLE_LENGTHS = range(3, 201)


@dataclass(frozen=True)
class Comment:
    """One comment; the first is the discussion's description."""

    text: str
    author: str
    date: datetime


@dataclass
class Discussion:
    """One discussion or pull request."""

    num: int
    title: str
    author: str
    created_at: datetime
    is_pull_request: bool = False
    status: str = "open"
    comments: list[Comment] = field(default_factory=list)


class Discussions(list[Discussion]):
    """All discussions of a repo, oldest first."""

    def __init__(self, repo: Repo) -> None:
        super().__init__()
        self._repo = repo

    def open(
        self, title: str, text: str = "", *, author: str = "somebody", pull_request: bool = False
    ) -> Discussion:
        """Open a discussion, as a case sets the scene."""
        date = self._repo.now()
        opened = Discussion(len(self) + 1, title, author, date, pull_request)
        opened.status = "draft" if pull_request else "open"
        opened.comments.append(Comment(text, author, date))
        self.append(opened)
        return opened

    def check_enabled(self) -> None:
        """Refuse where the owner has switched discussions off."""
        if self._repo.discussions_disabled:
            raise RefusedError(403, "Discussions are disabled for this repo")

    def page(self, number: int, kind: str, status: str, author: str | None) -> dict[str, Any]:
        """Return one page of those wanted, newest first."""
        wanted = [
            discussion
            for discussion in reversed(self)
            if kind in ("all", "pull_request" if discussion.is_pull_request else "discussion")
            and status in ("all", "open" if discussion.status in ("open", "draft") else "closed")
            and author in (None, discussion.author)
        ]
        start = number * PAGE_SIZE
        shown = [self.summary(discussion) for discussion in wanted[start : start + PAGE_SIZE]]
        return {"discussions": shown, "count": len(wanted), "start": start}

    def numbered(self, num: str) -> Discussion:
        """Return a discussion by its number.

        Raises:
            RefusedError: There is none.
        """
        if not num.isdecimal() or not 1 <= int(num) <= len(self):
            raise RefusedError(404, "Discussion not found")
        return self[int(num) - 1]

    def opened_by(self, user: User | None, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Open a discussion as a client asks for it.

        Raises:
            RefusedError: Discussions are off, nobody is logged in, or the title is too long.
        """
        self.check_enabled()
        author = _logged_in(user)
        title = str(wanted.get("title", ""))
        if len(title) not in TITLE_LENGTHS:
            raise RefusedError(400, "The title must have 3 to 200 characters")
        pull_request = wanted.get("pullRequest") is True
        text = str(wanted.get("description", ""))
        opened = self.open(title, text, author=author.name, pull_request=pull_request)
        return {
            "num": opened.num,
            "url": f"/{self._repo.id}/discussions/{opened.num}",
            "pullRequest": pull_request,
        }

    def commented_by(
        self, user: User | None, num: str, wanted: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Add a comment as a client asks for it.

        Raises:
            RefusedError: Discussions are off, nobody is logged in, or the discussion is missing.
        """
        self.check_enabled()
        author = _logged_in(user)
        discussion = self.numbered(num)
        comment = Comment(str(wanted.get("comment", "")), author.name, self._repo.now())
        discussion.comments.append(comment)
        return {"newMessage": _event(discussion, len(discussion.comments) - 1)}

    def summary(self, discussion: Discussion) -> dict[str, Any]:
        """Return what the list shows of a discussion."""
        return {
            "num": discussion.num,
            "title": discussion.title,
            "author": {"name": discussion.author, "type": "user"},
            "repo": {"name": self._repo.id, "type": "model"},
            "createdAt": wire_time(discussion.created_at),
            "status": discussion.status,
            "isPullRequest": discussion.is_pull_request,
            "numComments": len(discussion.comments),
        }

    def details(self, discussion: Discussion) -> dict[str, Any]:
        """Return a discussion with its comments."""
        events = [_event(discussion, number) for number in range(len(discussion.comments))]
        shown = self.summary(discussion) | {"events": events}
        if discussion.is_pull_request:
            shown |= {"changes": {"base": "refs/heads/main"}, "filesWithConflicts": []}
        return shown


def _logged_in(user: User | None) -> User:
    if user is None:
        raise RefusedError(401, "Invalid username or password.", headers=LOG_IN)
    return user


def _event(discussion: Discussion, number: int) -> dict[str, Any]:
    comment = discussion.comments[number]
    author, date = {"name": comment.author, "type": "user"}, wire_time(comment.date)
    text = {"raw": comment.text, "html": "", "updatedAt": date, "author": author}
    return {
        "id": hashlib.sha1(f"{discussion.num}/{number}".encode()).hexdigest()[:24],
        "type": "comment",
        "author": author,
        "createdAt": date,
        "data": {"edited": False, "hidden": False, "latest": text, "history": [text]},
    }
