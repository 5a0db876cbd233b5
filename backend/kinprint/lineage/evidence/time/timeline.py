"""Who was first, and how that is known: the order with its reason, and every dated event."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from kinprint.index.witnesses import FIRST_SEEN
from kinprint.lineage.evidence.record import Timeline, TimelineEvent
from kinprint.lineage.timeline import direction_by_time, have_same_weights, lower_bound
from kinprint.lineage.verdict import Direction

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kinprint.checkpoints.history import History
    from kinprint.index.witnesses import Witness
    from kinprint.lineage.evidence.record import DirectionHint, SideName
    from kinprint.lineage.verdict import Interval

COUNTED = frozenset({"repo_created", "first_seen", "external_timestamp"})
"""Kinds that neither an owner nor an accomplice can write; nothing else ever bounds an interval."""

_ORDER: dict[Direction, Literal["repo_first", "match_first", "cannot_tell"]] = {
    Direction.REPO_FROM_MATCH: "match_first",
    Direction.MATCH_FROM_REPO: "repo_first",
    Direction.UNKNOWN: "cannot_tell",
}
_NOTE = {
    "commit": "A commit bears this date, which whoever commits sets: {title!r}.",
    "card": "A change of the card bears this date, which whoever commits sets: {title!r}.",
    "discussion": "A discussion was opened, as anybody can: {title!r}.",
    "child": "{title!r} was created, which declares it as its base, as anybody can.",
}


def timeline(
    repo: Interval,
    match: Interval,
    *,
    names: tuple[str, str],
    events: Iterable[TimelineEvent] = (),
    hints: Sequence[DirectionHint] = (),
) -> Timeline:
    """Say who was first, why, and what else is dated.

    Args:
        repo: Interval of the repo asked about (``Index.interval``).
        match: Interval of the other side.
        names: What to call the two in a sentence, the repo first.
        events: From `seen`, `noted` and `published`. They are shown; the order rests on the
            intervals alone.
        hints: What the weights themselves suggest, shown and never counted.
    """
    direction = direction_by_time(repo, match)
    same = have_same_weights(repo, match)
    own = (*_own("repo", repo, names[0], same), *_own("match", match, names[1], same))
    all_events = sorted(
        (*own, *(_honest(each, same) for each in events)),
        key=lambda event: (event.at, not event.counted, event.side),
    )
    return Timeline(
        order=_ORDER[direction],
        reason=_reason(direction, repo, match, names),
        events=tuple(all_events),
        hints=tuple(hints),
    )


def seen(side: SideName, witnesses: Iterable[Witness]) -> tuple[TimelineEvent, ...]:
    """Return the events of ``Index.witnesses``: the earliest of each kind, which bounds it.

    Args:
        side: Whose weights they are of.
        witnesses: All witnesses of exactly these weights, earliest first.
    """
    earliest = {each.kind: each for each in reversed(tuple(witnesses))}
    events = []
    for kind, each in earliest.items():
        if kind == FIRST_SEEN:
            signed = "and signed so" if each.proof else "unsigned"
            text = f"This instance first read exactly these weights, in whichever repo, {signed}."
        else:
            text = "A time-stamping authority had the digests of these weights by now (RFC 3161)."
        events.append(
            TimelineEvent(
                at=each.at,
                side=side,
                kind="first_seen" if kind == FIRST_SEEN else "external_timestamp",
                counted=True,
                summary=text,
            )
        )
    return tuple(events)


def noted(side: SideName, history: History) -> tuple[TimelineEvent, ...]:
    """Return what a repo's history shows; none of it counts."""
    return tuple(
        TimelineEvent(
            at=note.at,
            side=side,
            kind=note.kind,
            counted=False,
            summary=_NOTE[note.kind].format(title=note.title),
        )
        for note in history.notes
    )


def published(side: SideName, at: datetime) -> TimelineEvent:
    """Return what somebody says of when a side was published (``--published-at``)."""
    return TimelineEvent(
        at=at.astimezone(UTC),
        side=side,
        kind="published_at",
        counted=False,
        summary="Published at this time, says whoever asked for the comparison.",
    )


def _honest(event: TimelineEvent, same: bool) -> TimelineEvent:
    """Take back what does not count, whatever the event says of itself.

    Of the same weights on both sides a witness dates neither repo.
    """
    if event.counted and (same or event.kind not in COUNTED):
        return event.model_copy(update={"counted": False})
    return event


def _own(side: SideName, interval: Interval, name: str, same: bool) -> tuple[TimelineEvent, ...]:
    """Return the events that the interval itself tells.

    Args:
        side: Whose interval it is.
        interval: It.
        name: What to call that side.
        same: Both sides hold the same weights, so the order goes by their repos.
    """
    events = []
    own, earliest = interval.repo_not_before, interval.not_before
    if own is not None:
        seen_by = interval.repo_not_after if same else interval.not_after
        bounds = lower_bound(own, seen_by) is not None
        events.append(
            TimelineEvent(
                at=own,
                side=side,
                kind="repo_created",
                counted=bounds and (same or own == earliest),
                summary=f"The repo of {name} was made."
                if bounds
                else f"The repo of {name} was made; its weights had been seen before, elsewhere.",
            )
        )
    if earliest is not None and earliest != own:
        events.append(
            TimelineEvent(
                at=earliest,
                side=side,
                kind="repo_created",
                counted=not same and lower_bound(earliest, interval.not_after) is not None,
                summary=f"Another repo was made that holds exactly the weights of {name}.",
            )
        )
    if same and interval.repo_not_after is not None:
        events.append(
            TimelineEvent(
                at=interval.repo_not_after,
                side=side,
                kind="first_seen",
                counted=True,
                summary=f"It was in {name} that this instance first read these weights.",
            )
        )
    return tuple(events)


def _reason(direction: Direction, repo: Interval, match: Interval, names: tuple[str, str]) -> str:
    if direction is Direction.UNKNOWN:
        return _cannot_tell(repo, match, names)
    match_first = direction is Direction.REPO_FROM_MATCH
    first, second = (match, repo) if match_first else (repo, match)
    earlier, later = reversed(names) if match_first else names
    if have_same_weights(repo, match):
        return (
            f"Both hold the same weights. {earlier} held them by {_day(first.repo_not_after)}, "
            f"before the repo of {later} was made on {_day(second.repo_not_before)}."
        )
    return (
        f"The weights of {earlier} existed by {_day(first.not_after)}, before any repo known to "
        f"hold those of {later} was made, on {_day(second.not_before)}."
    )


def _cannot_tell(repo: Interval, match: Interval, names: tuple[str, str]) -> str:
    same = have_same_weights(repo, match)
    whys = []
    for (earlier, first), (later, second) in (
        ((names[0], repo), (names[1], match)),
        ((names[1], match), (names[0], repo)),
    ):
        end = first.repo_not_after if same else first.not_after
        begin = second.repo_not_before if same else second.not_before
        held = f"{earlier} held them" if same else f"the weights of {earlier} existed"
        made = f"the repo of {later} was made"
        if end is None:
            whys.append(
                f"it was not in the repo of {earlier} that they were first seen"
                if same
                else f"no witness that was consulted here says by when {held}"
            )
        elif begin is None:
            whys.append(f"it is not known when {made}")
        elif lower_bound(begin, second.repo_not_after if same else second.not_after) is None:
            whys.append(
                f"the weights of {later} were seen before their repo was made, so its age says "
                "nothing about theirs"
            )
        else:
            whys.append(
                f"that {held} is witnessed from {_day(end)}, not before {made} ({_day(begin)})"
            )
    reasons = "; ".join(dict.fromkeys(whys))
    start = "both hold the same weights, and " if same else ""
    return f"Cannot tell: {start}{reasons}."


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else "an unknown day"
