"""What a repo's owner and others wrote around a model, with the dates they bear.

Whoever commits sets a commit's date, and anybody opens a discussion or publishes a child: all of it
may be shown beside a verdict, none of it dates weights.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

from huggingface_hub.utils import get_session, hf_raise_for_status, paginate

from kinprint.checkpoints.limits import (
    SHOWN_CHILDREN,
    SHOWN_COMMITS,
    SHOWN_DISCUSSIONS,
    TITLE_CHARACTERS,
)
from kinprint.checkpoints.source import validate_repo_id, validate_revision
from kinprint.errors import HubError, HubTimeoutError
from kinprint.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kinprint.checkpoints.hub_client import HubClient

NoteKind = Literal["commit", "card", "discussion", "child"]

CARD_FILE = "README.md"


@dataclass(frozen=True, slots=True)
class Note:
    """One dated entry.

    Attributes:
        kind: ``card`` is a commit whose title names the card.
        at: The date it bears (UTC).
        title: The commit's or discussion's title, or the child's id; at most `TITLE_CHARACTERS`.
    """

    kind: NoteKind
    at: datetime
    title: str


@dataclass(frozen=True, slots=True)
class History:
    """Everything dated around one repo, newest first of each kind.

    Attributes:
        notes: Commits, card changes, discussions, children; each kind bounded.
        missing: What could not be read, with the reason.
    """

    notes: tuple[Note, ...] = ()
    missing: dict[str, str] = field(default_factory=dict)


def history_of(client: HubClient, repo: str, revision: str = "main") -> History:
    """Read the bounded history of a model; what fails is named, the rest stands.

    Asks without the instance's token, so that nothing private is shown.

    Args:
        client: The Hub.
        repo: ``owner/name``.
        revision: Branch, tag or commit whose commits are listed.

    Raises:
        UsageError: The id or the revision is malformed; nothing was requested.
    """
    name, at = validate_repo_id(repo), validate_revision(revision)
    models = f"{settings().hub_endpoint}/api/models"
    parts: dict[str, Callable[[], Iterable[Note | None]]] = {
        "commits": lambda: _commits(f"{models}/{name}/commits/{at}"),
        "discussions": lambda: _discussions(f"{models}/{name}/discussions"),
        "children": lambda: _children(models, name),
    }
    notes: list[Note] = []
    missing: dict[str, str] = {}
    for number, (part, read) in enumerate(parts.items()):
        try:
            found = client.session.run(f"the {part} of {name}", lambda read=read: list(read()))  # type: ignore[misc]
        except HubTimeoutError as error:
            # Each part would wait as long again for something that is only shown.
            return History(
                tuple(notes), {**missing, **dict.fromkeys([*parts][number:], error.message)}
            )
        except HubError as error:
            missing[part] = error.message
        except (TypeError, ValueError, KeyError, AttributeError):
            missing[part] = "The Hub's answer cannot be understood."
        else:
            notes += (note for note in found if note is not None)
    return History(tuple(notes), missing)


def _commits(address: str) -> Iterable[Note | None]:
    for each in islice(paginate(address, params={}, headers={}), SHOWN_COMMITS):
        title = str(each["title"])
        kind: NoteKind = "card" if CARD_FILE.lower() in title.lower() else "commit"
        yield _note(kind, each["date"], title)


def _discussions(address: str) -> Iterable[Note | None]:
    answer = get_session().get(address, headers={})
    hf_raise_for_status(answer)
    for each in answer.json()["discussions"][:SHOWN_DISCUSSIONS]:
        yield _note("discussion", each["createdAt"], str(each["title"]))


def _children(address: str, name: str) -> Iterable[Note | None]:
    wanted = {"filter": f"base_model:{name}", "sort": "createdAt", "limit": SHOWN_CHILDREN}
    for each in islice(paginate(address, params=wanted, headers={}), SHOWN_CHILDREN):
        yield _note("child", each["createdAt"], str(each["id"]))


def _note(kind: NoteKind, date: Any, title: str) -> Note | None:
    """Make a note; None where the date is none or has no zone."""
    try:
        at = datetime.fromisoformat(str(date))
        return Note(kind, at.astimezone(UTC), title[:TITLE_CHARACTERS]) if at.tzinfo else None
    except (ValueError, OverflowError):
        return None
