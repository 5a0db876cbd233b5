"""From hits to candidates: which revisions are worth comparing in full."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import false, or_, select

from kinprint.index.bundles import holders_of
from kinprint.index.database import slices_of
from kinprint.index.look_up import parameters_of
from kinprint.index.schema import repo, revision

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection

    from kinprint.index.bundles import Holders
    from kinprint.index.evidence import Evidence, Hits

STILL_MATCHES = 0.5
"""A repo's newest revision stands for it while it has this share of its best one's votes."""


@dataclass(frozen=True)
class Candidate:
    """A revision that shares families with the query.

    Attributes:
        revision_id: Its number in the index.
        repo: Its repo.
        votes: Summed weight (rarity x parameters) of the families it shares; only for ranking.
    """

    revision_id: int
    repo: str
    votes: float


@dataclass(frozen=True)
class _Contender:
    id: int
    repo_id: int
    repo: str
    first_seen: datetime
    superseded: bool
    votes: float
    same_weights: bool


def rank(
    connection: Connection,
    evidence: Evidence,
    hits: Hits,
    digests: Mapping[str, str],
    *,
    limit: int,
    exclude_repo: int | None,
) -> tuple[Candidate, ...]:
    """Return the revisions that share most, exact copies first, each repo once.

    Args:
        connection: An open transaction.
        evidence: The query's blocks.
        hits: From ``look_up.find_hits``.
        digests: The query's digests by kind (``witnesses.revision_digests``).
        limit: Most candidates returned.
        exclude_repo: Number of the repo that asks about itself.
    """
    holders = holders_of(connection, parameters_of(evidence, hits))
    search = _Contenders(connection, holders, digests, exclude_repo, {})
    votes = holders.bundle_votes()
    for number in sorted(votes, key=lambda each: (-votes[each], each))[:limit]:
        search.gather(revision.c.bundle_id == number, limit)
    for numbers in slices_of(sorted(holders.added)):
        search.gather(revision.c.id.in_(numbers), len(numbers))
    search.gather(_has_weights(digests), limit)
    repos = {each.repo_id for each in search.found.values() if each.superseded}
    for numbers in slices_of(sorted(repos)):
        search.gather(
            (revision.c.repo_id.in_(numbers)) & revision.c.superseded_at.is_(None), len(numbers)
        )
    ranked = sorted(_one_of_each_repo(search.found.values()), key=_rank)
    return tuple(Candidate(each.id, each.repo, each.votes) for each in ranked[:limit])


@dataclass(frozen=True)
class _Contenders:
    """Collects revisions with their votes; ``found`` grows."""

    connection: Connection
    holders: Holders
    digests: Mapping[str, str]
    exclude_repo: int | None
    found: dict[int, _Contender]

    def gather(self, condition: ColumnElement[bool], limit: int) -> None:
        """Add the revisions of a condition, current ones and the oldest first."""
        query = (
            select(revision, repo.c.name)
            .join(repo, repo.c.id == revision.c.repo_id)
            .where(condition)
            .order_by(revision.c.superseded_at.is_not(None), revision.c.first_seen, revision.c.id)
            .limit(limit)
        )
        if self.exclude_repo is not None:
            query = query.where(revision.c.repo_id != self.exclude_repo)
        for row in self.connection.execute(query):
            same_weights = (
                self.digests.get("sketches") == row.weights_digest
                or self.digests.get("files", "") == row.files_digest
            )
            votes = self.holders.revision_votes(row.id, row.bundle_id)
            if votes > 0 or same_weights:
                self.found[row.id] = _Contender(
                    id=row.id,
                    repo_id=row.repo_id,
                    repo=row.name,
                    first_seen=row.first_seen,
                    superseded=row.superseded_at is not None,
                    votes=votes,
                    same_weights=same_weights,
                )


def _has_weights(digests: Mapping[str, str]) -> ColumnElement[bool]:
    columns = {"sketches": revision.c.weights_digest, "files": revision.c.files_digest}
    return or_(false(), *(columns[kind] == digest for kind, digest in digests.items()))


def _rank(each: _Contender) -> tuple[bool, float, datetime, int]:
    return not each.same_weights, -each.votes, each.first_seen, each.id


def _one_of_each_repo(found: Iterable[_Contender]) -> list[_Contender]:
    by_repo: dict[int, list[_Contender]] = {}
    for each in found:
        by_repo.setdefault(each.repo_id, []).append(each)
    chosen: list[_Contender] = []
    for contenders in by_repo.values():
        best = min(contenders, key=_rank)
        current = [each for each in contenders if not each.superseded]
        newest = max(current, key=lambda each: each.id) if current else best
        chosen.append(newest if newest.votes >= STILL_MATCHES * best.votes else best)
    return chosen
