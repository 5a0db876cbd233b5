"""Who was first: only what neither an owner nor an accomplice can write counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from kinprint.checkpoints.history import History, Note
from kinprint.index.witnesses import Witness
from kinprint.lineage.evidence.record import TimelineEvent
from kinprint.lineage.evidence.time.timeline import noted, published, seen, timeline
from kinprint.lineage.timeline import direction_by_time
from kinprint.lineage.verdict import Direction, Interval

START = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = ("rival/copy", "acme/original")


def day(number: float) -> datetime:
    return START + timedelta(days=number)


def interval(made: float | None, seen_by: float | None, *, digest: str = "") -> Interval:
    """Weights that lay in one repo only."""
    begin, end = (None if each is None else day(each) for each in (made, seen_by))
    return Interval(
        not_before=begin,
        not_after=end,
        repo_not_before=begin,
        repo_not_after=end,
        weight_sets=(digest,) if digest else (),
    )


moments = st.none() | st.integers(0, 6)
intervals = st.builds(
    lambda made, end, held, held_end: Interval(
        not_before=None if made is None else day(made),
        not_after=None if end is None else day(end),
        repo_not_before=None if held is None else day(held),
        repo_not_after=None if held_end is None else day(held_end),
    ),
    moments,
    moments,
    moments,
    moments,
)


def before(first: Interval, second: Interval) -> bool:
    return direction_by_time(second, first) is Direction.REPO_FROM_MATCH


def opposite(direction: Direction) -> Direction:
    return {
        Direction.REPO_FROM_MATCH: Direction.MATCH_FROM_REPO,
        Direction.MATCH_FROM_REPO: Direction.REPO_FROM_MATCH,
    }.get(direction, direction)


def shared(interval: Interval) -> Interval:
    return interval.model_copy(update={"weight_sets": ("files:0",)})


@given(intervals, intervals, st.booleans())
def test_what_is_first_from_one_side_is_second_from_the_other(a, b, same) -> None:
    if same:
        a, b = shared(a), shared(b)
    assert direction_by_time(a, b) is opposite(direction_by_time(b, a))
    assert not (before(a, b) and before(b, a))


@given(intervals, intervals, intervals, st.booleans())
def test_proven_orders_can_be_chained(a, b, c, same) -> None:
    if same:
        a, b, c = shared(a), shared(b), shared(c)
    if before(a, b) and before(b, c):
        assert before(a, c)


@given(intervals)
def test_nothing_comes_before_itself(a) -> None:
    assert direction_by_time(a, a) is Direction.UNKNOWN
    assert direction_by_time(shared(a), shared(a)) is Direction.UNKNOWN


@given(st.integers(0, 6), st.integers(0, 6))
def test_equal_clocks_cannot_tell(made: int, later: int) -> None:
    first = interval(made, made + later)
    second = interval(made + later, None)
    assert direction_by_time(second, first) is Direction.UNKNOWN
    assert direction_by_time(shared(second), shared(first)) is Direction.UNKNOWN


@given(intervals, intervals, st.integers(0, 6))
def test_a_further_witness_of_the_first_keeps_it_first(a, b, at) -> None:
    witnessed = min(a.not_after or day(at), day(at))
    more = a.model_copy(update={"not_after": witnessed})
    assert not before(a, b) or before(more, b)


def test_who_existed_before_the_others_repo_was_first() -> None:
    shown = timeline(interval(3, 5), interval(0, 1), names=NAMES)
    assert shown.order == "match_first"
    assert shown.reason == (
        "The weights of acme/original existed by 2026-01-02 00:00 UTC, before any repo known to "
        "hold those of rival/copy was made, on 2026-01-04 00:00 UTC."
    )
    assert timeline(interval(0, 1), interval(3, 5), names=NAMES).order == "repo_first"


def test_an_old_repo_proves_nothing_of_its_weights() -> None:
    shown = timeline(interval(-300, 5), interval(0, 1), names=NAMES)
    assert shown.order == "cannot_tell"
    assert shown.reason == (
        "Cannot tell: that the weights of rival/copy existed is witnessed from 2026-01-06 00:00 "
        "UTC, not before the repo of acme/original was made (2026-01-01 00:00 UTC); that the "
        "weights of acme/original existed is witnessed from 2026-01-02 00:00 UTC, not before the "
        "repo of rival/copy was made (2025-03-07 00:00 UTC)."
    )


def test_weights_that_were_elsewhere_first_are_not_dated_by_their_new_repo() -> None:
    moved = Interval(not_before=day(5), not_after=day(-10), repo_not_before=day(5))
    thief = interval(2, 3)
    shown = timeline(moved, thief, names=("honest/new", "mallory/copy"))
    assert shown.order == "repo_first"
    bounds = {event.summary: event.counted for event in shown.events if event.side == "repo"}
    assert bounds == {
        "The repo of honest/new was made; its weights had been seen before, elsewhere.": False
    }


def test_of_the_same_weights_the_repo_that_held_them_first_was_first() -> None:
    original, copy = interval(0, 1, digest="files:1"), interval(3, 5, digest="files:1")
    both = {"not_before": day(0), "not_after": day(1)}
    original, copy = original.model_copy(update=both), copy.model_copy(update=both)
    shown = timeline(copy, original, names=NAMES)
    assert shown.order == "match_first"
    assert "acme/original held them by 2026-01-02" in shown.reason


def test_a_third_place_that_held_the_same_weights_makes_no_old_repo_first() -> None:
    both = {"not_before": day(-300), "not_after": day(0)}
    honest = interval(3, 4, digest="files:1").model_copy(update=both)
    old = interval(-300, 5, digest="files:1").model_copy(update=both)
    assert timeline(honest, old, names=NAMES).order == "cannot_tell"


def test_commits_cards_children_and_discussions_are_shown_and_never_counted() -> None:
    kinds = ("commit", "card", "discussion", "child")
    history = History(tuple(Note(kind, day(-3000), "weights, final") for kind in kinds))
    events = (*noted("repo", history), published("repo", day(-4000)))
    thief, honest = interval(3, 5), interval(0, 1)
    shown = timeline(thief, honest, names=NAMES, events=events)
    assert shown.order == "match_first"
    assert [event.kind for event in shown.events if not event.counted] == [
        "published_at",
        *sorted(kinds, key=kinds.index),
    ]


def test_an_event_that_claims_to_count_is_not_believed() -> None:
    forged = TimelineEvent(at=day(-9), side="repo", kind="commit", counted=True, summary="mine")
    (event, *_) = timeline(interval(3, 5), interval(0, 1), names=NAMES, events=[forged]).events
    assert (event.summary, event.counted) == ("mine", False)


def test_a_timestamp_over_weights_that_both_hold_counts_for_neither() -> None:
    stamp = Witness("rfc3161", "files", "1", day(-20), b"{}", b"0")
    original, copy = interval(0, 1, digest="files:1"), interval(3, None, digest="files:1")
    shown = timeline(copy, original, names=NAMES, events=seen("repo", [stamp]))
    assert shown.order == "match_first"
    assert {event.kind: event.counted for event in shown.events} == {
        "external_timestamp": False,
        "repo_created": True,
        "first_seen": True,
    }


def test_events_come_in_the_order_of_time_whatever_zone_they_were_written_in() -> None:
    witnesses = [
        Witness("rfc3161", "files", "0f", day(-20), b"{}", b"0"),
        Witness("first_seen", "files", "0f", day(1), b"", b"0"),
        Witness("first_seen", "sketches", "ab", day(2), b"", b""),
    ]
    shown = timeline(
        interval(3, 5), interval(0, 1), names=NAMES, events=seen("match", witnesses)
    ).events
    assert [(event.kind, event.at) for event in shown] == [
        ("external_timestamp", day(-20)),
        ("repo_created", day(0)),
        ("first_seen", day(1)),
        ("repo_created", day(3)),
    ]
    assert all(event.counted for event in shown)
    assert "signed" in shown[2].summary


def test_unknown_bounds_are_named() -> None:
    shown = timeline(Interval(), interval(0, None), names=NAMES)
    assert shown.reason == (
        "Cannot tell: no witness that was consulted here says by when the weights of rival/copy "
        "existed; no witness that was consulted here says by when the weights of acme/original "
        "existed."
    )
