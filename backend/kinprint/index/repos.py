"""Repos by their ids: case does not matter, and former ids lead to the present one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select, update

from kinprint.index.schema import repo, repo_alias, revision

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection


def fold(name: str) -> str:
    """Return the form in which ids are compared; the Hub ignores their case."""
    return name.lower()


def find_repo(connection: Connection, name: str) -> int | None:
    """Return the number of the repo that has, or had, this id."""
    # An alias wins: it was reported by the Hub after whatever row still bears the old id.
    alias = select(repo_alias.c.repo_id).where(repo_alias.c.folded == fold(name))
    number: int | None = connection.scalar(alias)
    if number is None:
        number = connection.scalar(select(repo.c.id).where(repo.c.folded == fold(name)))
    return number


def aliases_of(connection: Connection, name: str) -> tuple[str, ...]:
    """Return the other ids that lead to a repo, in lower case."""
    number = find_repo(connection, name)
    chosen = select(repo_alias.c.folded).where(repo_alias.c.repo_id == number)
    return tuple(connection.scalars(chosen.order_by(repo_alias.c.folded)))


def keep_repo(connection: Connection, name: str, aliases: Sequence[str]) -> int:
    """Return the number of a repo, stored under its present id with its former ones.

    Args:
        connection: The writing transaction.
        name: The id that the Hub gives now.
        aliases: Ids that redirect to it.
    """
    folded = fold(name)
    connection.execute(delete(repo_alias).where(repo_alias.c.folded == folded))
    number: int | None = connection.scalar(select(repo.c.id).where(repo.c.folded == folded))
    for former in {fold(alias) for alias in aliases} - {folded}:
        old = find_repo(connection, former)
        if old is not None and number is None:
            number = old
            connection.execute(
                update(repo).where(repo.c.id == old).values(name=name, folded=folded)
            )
        elif old is not None and old != number:
            _absorb(connection, old, number)
    if number is None:
        made = insert(repo).values(name=name, folded=folded).returning(repo.c.id)
        number = int(connection.execute(made).scalar_one())
    _keep_aliases(connection, number, {fold(alias) for alias in aliases} - {folded})
    return number


def _absorb(connection: Connection, old: int, number: int | None) -> None:
    """Move the revisions of a repo that turned out to be another one's former id."""
    present = select(revision.c.commit).where(revision.c.repo_id == number)
    connection.execute(
        update(revision)
        .where(revision.c.repo_id == old, revision.c.commit.not_in(present))
        .values(repo_id=number)
    )
    connection.execute(update(repo_alias).where(repo_alias.c.repo_id == old).values(repo_id=number))
    connection.execute(delete(repo).where(repo.c.id == old))


def _keep_aliases(connection: Connection, number: int, aliases: set[str]) -> None:
    if not aliases:
        return
    connection.execute(delete(repo_alias).where(repo_alias.c.folded.in_(sorted(aliases))))
    connection.execute(
        insert(repo_alias), [{"folded": alias, "repo_id": number} for alias in sorted(aliases)]
    )
