"""One revision enters the index: looked up without a lock, stored in one short transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import insert, select

from kinprint.errors import UsageError
from kinprint.fingerprint.file import digest_of, to_bytes
from kinprint.fingerprint.record import Depth
from kinprint.index import revisions
from kinprint.index.bands import insert_bands
from kinprint.index.bundles import join_bundle
from kinprint.index.database import insert_rows, reading, writing
from kinprint.index.evidence import all_hits, evidence_of
from kinprint.index.exact import scan_class
from kinprint.index.families import FAMILY_BITS, assign, found, known_classes, newest_family
from kinprint.index.look_up import find_hits
from kinprint.index.probes import keep_probes
from kinprint.index.repos import keep_repo
from kinprint.index.schema import fingerprint_file, revision, revision_difference
from kinprint.index.witnesses import files_digest, keep_first_seen, weight_sets

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Engine

    from kinprint.fingerprint.probes import Probe
    from kinprint.fingerprint.record import Fingerprint
    from kinprint.index.evidence import Evidence, Hits
    from kinprint.index.signing import WitnessKey


@dataclass(frozen=True)
class _Entry:
    """All that can be worked out before the lock is taken."""

    fingerprint: Fingerprint
    repo: str
    commit: str
    weights_digest: str
    content: bytes
    evidence: Evidence
    hits: Hits
    families_seen: int


def enter(
    engine: Engine,
    fingerprint: Fingerprint,
    *,
    seen_at: datetime,
    probes: Sequence[Probe],
    key: WitnessKey | None = None,
    is_newest: bool = True,
) -> int:
    """Store a revision; the same one again only brings its repo's facts up to date.

    Args:
        engine: The database.
        fingerprint: Of a public or gated repo, or of a local checkpoint that was given a repo id.
        seen_at: When it was read.
        probes: Its secret signs.
        key: Signs when the weights were first seen; None leaves that unsigned.
        is_newest: It supersedes the repo's others.

    Returns:
        The revision's number.

    Raises:
        UsageError: It is private, belongs to no repo, or was only screened.
        FingerprintError: Its columns do not fit together.
        IndexBusyError: Another writer kept the lock too long; nothing was changed.
    """
    repo = revisions.check_origin(fingerprint.origin)
    if fingerprint.depth is not Depth.FULL:
        raise UsageError(
            f"{repo} was only screened",
            hint="Take its fingerprint without --screen: an index holds whole models.",
        )
    evidence = evidence_of(fingerprint)
    weights_digest = digest_of(fingerprint)
    with reading(engine) as connection:
        # First this number, then the look-up: what comes later is compared under the lock.
        families_seen = newest_family(connection)
        hits = find_hits(connection, evidence)
    entry = _Entry(
        fingerprint=fingerprint,
        repo=repo,
        commit=fingerprint.origin.revision or weights_digest,
        weights_digest=weights_digest,
        content=to_bytes(fingerprint),
        evidence=evidence,
        hits=hits,
        families_seen=families_seen,
    )
    with writing(engine) as connection:
        origin = fingerprint.origin
        repo_id = keep_repo(connection, repo, origin.aliases)
        revision_id = connection.scalar(
            select(revision.c.id).where(
                revision.c.repo_id == repo_id, revision.c.commit == entry.commit
            )
        )
        if revision_id is None:
            newer = None if is_newest else revisions.newest(connection, repo_id)
            revision_id = _insert(connection, entry, repo_id, seen_at)
            revisions.supersede(connection, repo_id, newer or revision_id, seen_at)
        revisions.set_visibility(connection, repo_id, origin.visibility)
        keep_first_seen(connection, weight_sets(fingerprint), seen_at, key)
        keep_probes(connection, revision_id, probes)
    return revision_id


def _insert(connection: Connection, entry: _Entry, repo_id: int, seen_at: datetime) -> int:
    bundle_id: int | None = None
    difference: dict[int, int] = {}
    if len(entry.evidence):
        bundle_id, difference = _keep_families(connection, entry, seen_at)
    origin = entry.fingerprint.origin
    revision_id: int = connection.execute(
        insert(revision)
        .values(
            repo_id=repo_id,
            commit=entry.commit,
            visibility=origin.visibility.value,
            created_at=origin.created_at,
            owner_id=origin.owner_id,
            declared_bases=revisions.encode_bases(origin.declared_bases),
            declared_relation=origin.declared_relation,
            weights_digest=entry.weights_digest,
            files_digest=files_digest(entry.fingerprint.files),
            parameters=entry.fingerprint.parameters,
            first_seen=seen_at,
            bundle_id=bundle_id,
        )
        .returning(revision.c.id)
    ).scalar_one()
    insert_rows(
        connection,
        insert(revision_difference),
        [
            {"revision_id": revision_id, "family_id": number, "sign": sign}
            for number, sign in sorted(difference.items())
        ],
    )
    connection.execute(
        insert(fingerprint_file).values(revision_id=revision_id, content=entry.content)
    )
    return revision_id


def _keep_families(
    connection: Connection, entry: _Entry, seen_at: datetime
) -> tuple[int, dict[int, int]]:
    evidence = entry.evidence
    known = known_classes(connection, evidence)
    since = [
        scan_class(
            connection,
            known[each].id,
            evidence,
            blocks,
            FAMILY_BITS,
            after_family=entry.families_seen,
        )
        for each, blocks in evidence.by_class()
        if each in known
    ]
    hits = all_hits([entry.hits, *since])
    membership = assign(evidence, hits, newest_family(connection) + 1)
    class_of = found(connection, evidence, membership, seen_at)
    insert_bands(connection, evidence, membership, class_of)
    return join_bundle(connection, membership.signs())
