"""Which indexed models may be the parents of a mixture, and which their common base."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kinprint.lineage.ancestors import declared_ancestors
from kinprint.lineage.matching import Matching
from kinprint.lineage.merges.evidence import MAX_KIN
from kinprint.lineage.timeline import direction_by_time, interval_of
from kinprint.lineage.verdict import Direction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kinprint.fingerprint.record import Fingerprint
    from kinprint.index.ranking import Candidate
    from kinprint.index.store import Index


@dataclass(frozen=True)
class PossibleParents:
    """What ``merge_evidence`` is asked with.

    Attributes:
        kin: Models with a claimed match that are not known to have come after the query.
        base: That of them which most of the others, or the query, declare as their base.
    """

    kin: tuple[Matching, ...]
    base: Matching | None


def merge_parents(
    index: Index, fingerprint: Fingerprint, candidates: Sequence[Candidate]
) -> PossibleParents:
    """Read the candidates that the query may be mixed of.

    A model is an exact mixture of its own merge and the other parents, or of its base and its own
    extrapolation; so models that declare the query, or came provably later, are left out.

    Args:
        index: Where the candidates are.
        fingerprint: The model asked about.
        candidates: From ``Index.candidates``, asked for as many as ``MAX_KIN``.
    """
    origin = fingerprint.origin
    own = {name.lower() for name in (origin.repo, *origin.aliases) if name}
    first = interval_of(index, fingerprint)
    revisions = index.size().revisions
    found: dict[str, Matching] = {}
    declared = Counter(declared_ancestors(index, origin.declared_bases, own_names=own).repos)
    for candidate in candidates[:MAX_KIN]:
        revision = index.revision(candidate.revision_id)
        bases = declared_ancestors(index, revision.declared_bases, own_names=[revision.repo])
        named = {name.lower() for name in (*revision.declared_bases, *bases.repos)}
        theirs = interval_of(index, revision)
        is_later = direction_by_time(first, theirs) is Direction.MATCH_FROM_REPO
        if revision.repo.lower() in own or is_later or named & own:
            continue
        matching = Matching(fingerprint, index.fingerprint(revision.id))
        if matching.claim(n_revisions=revisions).holds:
            found[revision.repo] = matching
            declared.update(bases.repos)
    bases_found = sorted((-declared[repo], repo) for repo in found if declared[repo])
    return PossibleParents(
        kin=tuple(found.values()),
        base=found[bases_found[0][1]] if bases_found else None,
    )
