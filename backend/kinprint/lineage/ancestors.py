"""Declared ancestors of a revision, read from the index, transitively."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from kinprint.index.store import Index, StoredRevision

MAX_DEPTH = 6
MAX_ANCESTORS = 32
"""Bounds on a hostile chain of cards; honest ones are a handful long."""


@dataclass(frozen=True)
class Ancestors:
    """What the cards declare, as far as the index knows it.

    Attributes:
        read: Indexed ancestors, nearest first.
        direct: How many of them the first card names itself.
        unread: Declared ids that are not in the index, with the reason.
    """

    read: tuple[StoredRevision, ...]
    direct: int
    unread: dict[str, str]

    @property
    def repos(self) -> frozenset[str]:
        """Repos of the indexed ancestors; at which revision they were used no card says."""
        return frozenset(each.repo for each in self.read)


def declared_ancestors(
    index: Index, declared: Sequence[str], own_names: Collection[str] = ()
) -> Ancestors:
    """Follow ``base_model`` from card to card through the index.

    Args:
        index: Where cards and reasons are looked up.
        declared: The bases that the first card names.
        own_names: Ids of the repo whose card it is, which may not be its own ancestor.
    """
    read: dict[int, StoredRevision] = {}
    unread: dict[str, str] = {}
    own = {name.lower() for name in own_names}
    level = [name for name in declared if name.lower() not in own]
    direct = 0
    for depth in range(MAX_DEPTH):
        following: list[str] = []
        for repo in level[:MAX_ANCESTORS]:
            found = index.find(repo)
            if found is None:
                unread[repo] = index.why_unread(repo)
            elif found.repo.lower() in own:
                continue
            elif found.id not in read and len(read) < MAX_ANCESTORS:
                read[found.id] = found
                following += found.declared_bases
        if depth == 0:
            direct = len(read)
        level = following
        if not level:
            break
    return Ancestors(read=tuple(read.values()), direct=direct, unread=unread)
