"""Who asks, and what they may see; refusals with the Hub's own codes and messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hub_standin.exchange import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub_standin.repo import Repo

LOG_IN = {"WWW-Authenticate": 'Bearer realm="Authentication required", charset="UTF-8"'}


@dataclass(frozen=True)
class User:
    """Somebody with a token.

    Attributes:
        kind: Which quota counts: ``free``, ``pro``, ``team`` or ``enterprise``.
        orgs: Organisations whose private repos the user sees.
    """

    name: str
    token: str
    kind: str = "free"
    orgs: tuple[str, ...] = ()

    def belongs_to(self, owner: str) -> bool:
        """Say whether the owner is this user or one of the user's organisations."""
        return owner == self.name or owner in self.orgs


class RefusedError(Exception):
    """An error answer, raised from wherever it is noticed."""

    def __init__(
        self, status: int, message: str, code: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.headers = dict(headers or {})

    def answer(self) -> Answer:
        """Return the refusal as the Hub words it."""
        told = {"X-Error-Message": self.message}
        if self.code:
            told["X-Error-Code"] = self.code
        return Answer.of_json({"error": self.message}, self.status, told | self.headers)


def identify(request: Request, users: Mapping[str, User]) -> User | None:
    """Return the user whose token was sent, ``None`` for an anonymous request.

    Raises:
        RefusedError: The token is not a valid one.
    """
    if request.token is None:
        return None
    if request.token not in users:
        raise RefusedError(401, "Invalid credentials in Authorization header", headers=LOG_IN)
    return users[request.token]


def missing_repo(user: User | None) -> RefusedError:
    """Return what is said of a repo that is missing, or hidden from this user."""
    if user is None:
        return RefusedError(401, "Invalid username or password.", headers=LOG_IN)
    return RefusedError(404, "Repository not found", "RepoNotFound")


def check_visible(repo: Repo, user: User | None) -> None:
    """Let those pass who may see that the repo exists.

    Raises:
        RefusedError: The repo is hidden or disabled.
    """
    if repo.private and not (user and repo.lets_in(user)):
        raise missing_repo(user)
    if repo.disabled:
        raise RefusedError(403, "Access to this resource is disabled.")


def check_readable(repo: Repo, user: User | None) -> None:
    """Let those pass who may read the files.

    Raises:
        RefusedError: The repo is gated and the user is not on its list.
    """
    if not repo.gated or (user and repo.lets_in(user)):
        return
    if user is None:
        raise RefusedError(
            401,
            f"Access to model {repo.id} is restricted. You must have access to it and be "
            "authenticated to access it. Please log in.",
            "GatedRepo",
            LOG_IN,
        )
    raise RefusedError(
        403,
        f"Access to model {repo.id} is restricted and you are not in the authorized list. "
        f"Visit https://huggingface.co/{repo.id} to ask for access.",
        "GatedRepo",
    )
