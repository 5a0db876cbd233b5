"""What `kinprint compare` reads beside the weights: declared ancestors, texts, history, cells."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from kinprint.checkpoints.documents import Document, Documents
from kinprint.checkpoints.open import open_checkpoint
from kinprint.checkpoints.open_documents import documents_of
from kinprint.checkpoints.source import FingerprintSource, HubSource, parse_source, validate_repo_id
from kinprint.checkpoints.tensors import Visibility
from kinprint.cli.progress import fingerprint_with_bar, reading_bar
from kinprint.errors import (
    HostRefusedError,
    HubTimeoutError,
    KinprintError,
    NotPublicError,
    UsageError,
)
from kinprint.fingerprint.deep import read_deep
from kinprint.index.database import database_url
from kinprint.index.store import Index
from kinprint.lineage.evidence.time.timeline import noted, published, seen
from kinprint.lineage.matching import Matching
from kinprint.lineage.timeline import interval_of
from kinprint.settings import settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from kinprint.fingerprint.deep import DeepReading
    from kinprint.fingerprint.record import Fingerprint
    from kinprint.lineage.evidence.record import SideName, TimelineEvent
    from kinprint.lineage.verdict import Interval

ANCESTORS = 8
"""Declared bases asked for in one comparison; honest chains are a handful long."""

NO_TEXTS = "a fingerprint file holds no texts"


def read_ancestors(
    read: Sequence[Fingerprint], *, quiet: bool
) -> tuple[list[Fingerprint], dict[str, str]]:
    """Read the bases that models declare, transitively; nothing is stored.

    Args:
        read: The models that were named.
        quiet: Draw no bars.

    Returns:
        The further fingerprints, and why the others could not be read.
    """
    found: list[Fingerprint] = []
    unread: dict[str, str] = {}
    known = {
        name.lower() for each in read for name in (each.origin.repo, *each.origin.aliases) if name
    }
    waiting = [base for each in read for base in each.origin.declared_bases]
    for _ in range(ANCESTORS):
        waiting = [base for base in waiting if base.lower() not in known]
        if not waiting:
            break
        base = waiting.pop(0)
        known.add(base.lower())
        try:
            canonical = _public_id(base)
            if canonical.lower() in known - {base.lower()}:
                continue
            known.add(canonical.lower())
            fingerprint = fingerprint_with_bar(canonical, quiet=quiet)
        except (HubTimeoutError, HostRefusedError) as error:
            unread[base] = error.message
            break
        except KinprintError as error:
            unread[base] = error.message
            continue
        found.append(fingerprint)
        waiting += fingerprint.origin.declared_bases
    left = [base for base in waiting if base.lower() not in known]
    unread |= dict.fromkeys(left[:ANCESTORS], "not read any more")
    return found, unread


def _public_id(base: str) -> str:
    """Return what the Hub calls a repo that a card names, if anybody may read it.

    The user's token may open more than the reader of the report may see, and a card may name
    anything: a path is never opened.

    Raises:
        NotPublicError: It is private.
        KinprintError: It cannot be asked for.
    """
    source = parse_source(validate_repo_id(base))
    if not isinstance(source, HubSource):
        raise UsageError(f"{base!r} is a path here, and so not read as a repo")
    # The Hub's client is slow to import, and not needed where no card names a base.
    from kinprint.checkpoints.hub_client import hub_client

    origin = hub_client().origin(base)
    if origin.visibility not in (Visibility.PUBLIC, Visibility.GATED):
        raise NotPublicError(f"{base} is not public")
    return origin.repo or base


def read_texts(source: str) -> Documents:
    """Read config and card of what the user named; a fingerprint file has none."""
    parsed = parse_source(source)
    if isinstance(parsed, FingerprintSource):
        nothing = Document(reason=NO_TEXTS)
        return Documents(nothing, nothing)
    return documents_of(parsed)


def known_times(
    sides: Mapping[SideName, Fingerprint], others: Sequence[Fingerprint]
) -> tuple[tuple[Interval, Interval], tuple[Interval, ...], tuple[TimelineEvent, ...]] | None:
    """Return what this machine's index has witnessed of all models, if there is an index.

    Args:
        sides: Both fingerprints.
        others: The further models.

    Returns:
        Intervals of both sides and of the others, and the witnesses as events.
    """
    url = database_url(settings().database)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        return None
    with Index.open(settings().database) as index:
        both = (interval_of(index, sides["repo"]), interval_of(index, sides["match"]))
        events = [
            event
            for side, fingerprint in sides.items()
            for event in seen(side, index.witnesses(fingerprint))
        ]
        return both, tuple(interval_of(index, each) for each in others), tuple(events)


def read_events(
    sides: Mapping[SideName, tuple[str, Fingerprint]],
    published_at: Mapping[SideName, datetime],
) -> tuple[TimelineEvent, ...]:
    """Return what is dated of both sides: the Hub's history, and what the user says.

    Args:
        sides: What the user named, and its fingerprint.
        published_at: ``--published-at``.
    """
    events: list[TimelineEvent] = [published(side, at) for side, at in published_at.items()]
    for side, (source, fingerprint) in sides.items():
        origin = fingerprint.origin
        # A file on disk is compared without a network, whatever repo it says it is of.
        is_on_hub = isinstance(parse_source(source), HubSource)
        if is_on_hub and origin.repo is not None and origin.revision is not None:
            # The Hub's client is slow to import, and not needed for local files.
            from kinprint.checkpoints.history import history_of
            from kinprint.checkpoints.hub_client import hub_client

            events += noted(side, history_of(hub_client(), origin.repo, origin.revision))
    return tuple(events)


def read_cells_again(
    a: str, mine: Fingerprint, b: str, theirs: Fingerprint, *, quiet: bool
) -> DeepReading:
    """Read 64 rows of both sides again (``--deep``).

    Raises:
        UsageError: One of them is a fingerprint file, which holds no weights.
        KinprintError: They cannot be read.
    """
    parsed = [parse_source(source) for source in (a, b)]
    for source, each in zip((a, b), parsed, strict=True):
        if isinstance(each, FingerprintSource):
            raise UsageError(
                f"--deep needs the weights, and {source!r} is a fingerprint",
                hint="Name the model's folder or repo instead.",
            )
    first, second = (each for each in parsed if not isinstance(each, FingerprintSource))
    with (
        closing(open_checkpoint(first)) as one,
        closing(open_checkpoint(second)) as other,
        reading_bar("64 rows of both", quiet=quiet) as on_bytes,
    ):
        pairs = Matching(mine, theirs).accepted
        return read_deep(one, mine, other, theirs, pairs, progress=on_bytes)
