"""Who was first, in the scenes in which a thief would like to be: through the whole way."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from safetensors.numpy import save

import weights as w
from kinprint.checkpoints.history import history_of
from kinprint.checkpoints.hub_client import hub_client
from kinprint.index.timestamps import statement_of, verified
from kinprint.index.witnesses import weight_sets
from kinprint.lineage.evidence.time.timeline import noted, seen, timeline
from kinprint.lineage.similar import similar
from kinprint.lineage.verdict import Direction
from kinprint.service.instance import Instance
from kinprint.service.reading import read_into_index
from kinprint.settings import settings
from time_stamping import Authority

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hub_standin import HubStandIn, Repo
    from kinprint.fingerprint.record import Fingerprint
    from kinprint.lineage.evidence.record import Timeline

DAY_0 = datetime(2026, 6, 1, 12, tzinfo=UTC)
WEIGHTS = w.strangers(71, layers=12)
NOISY = w.renamed(w.noised(WEIGHTS, 1 / 708))
HONEST, THIEF = "honest/model", "mallory/copy"
COPIES = pytest.mark.parametrize("copied", [WEIGHTS, NOISY], ids=["exact", "noised"])


def day(number: float) -> datetime:
    return DAY_0 + timedelta(days=number)


@dataclass
class Scene:
    """A Hub, an instance that reads from it, and a clock."""

    hub: HubStandIn
    monkeypatch: pytest.MonkeyPatch
    instance: Instance

    def make(self, name: str, made: float, **state) -> Repo:
        repo = self.hub.repo(name, **state)
        repo.created_at = day(made)
        return repo

    def publish(self, name: str, weights: w.Weights, made: float, **state) -> Repo:
        repo = self.make(name, made, **state)
        repo.commit({"model.safetensors": save(weights)})
        return repo

    def read(self, name: str, on: float) -> None:
        self.monkeypatch.setenv("KINPRINT_NOW", day(on).isoformat())
        settings.cache_clear()
        read_into_index(self.instance, name)

    def fingerprint(self, name: str) -> Fingerprint:
        found = self.instance.index.find(name)
        assert found is not None
        return self.instance.index.fingerprint(found.id)

    def timeline(self, repo: str, match: str, *, history: bool = False) -> Timeline:
        index = self.instance.index
        sides = [self.fingerprint(repo), self.fingerprint(match)]
        events = [
            *seen("repo", index.witnesses(sides[0])),
            *seen("match", index.witnesses(sides[1])),
        ]
        if history:
            events += noted("repo", history_of(hub_client(), repo))
            events += noted("match", history_of(hub_client(), match))
        intervals = [index.interval(each)._asdict() for each in sides]
        return timeline(*map(_interval, intervals), names=(repo, match), events=events)

    def first(self, one: str, other: str) -> str | None:
        """Who is first of two, from either side, in the timeline and in the answers alike."""
        there, back = self.timeline(one, other), self.timeline(other, one)
        mirrored = {"repo_first": "match_first", "match_first": "repo_first"}
        assert back.order == mirrored.get(there.order, there.order)
        found = {"repo_first": one, "match_first": other}.get(there.order)
        for repo, match in ((one, other), (other, one)):
            direction = self.direction(repo, match)
            came_first = {Direction.REPO_FROM_MATCH: match, Direction.MATCH_FROM_REPO: repo}
            assert came_first.get(direction) == found
        return found

    def direction(self, repo: str, match: str) -> Direction:
        answer = similar(
            self.instance.index,
            self.fingerprint(repo),
            checked_at=day(30),
            evidence_base_url="http://127.0.0.1:8765",
        )
        return {each.repo: each for each in answer.matches}[match].direction


def _interval(bounds):
    from kinprint.lineage.verdict import Interval

    return Interval(**bounds)


@pytest.fixture
def scene(connected_hub: HubStandIn, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    with Instance.open(settings()) as instance:
        yield Scene(connected_hub, monkeypatch, instance)


@COPIES
def test_the_original_was_first_where_the_copys_repo_is_younger(scene: Scene, copied) -> None:
    scene.publish(HONEST, WEIGHTS, made=-1)
    scene.read(HONEST, on=0)
    scene.publish(THIEF, copied, made=2)
    scene.read(THIEF, on=5)
    assert scene.first(HONEST, THIEF) == HONEST


@COPIES
def test_an_old_empty_repo_that_was_filled_with_a_copy_is_not_first(scene: Scene, copied) -> None:
    old = scene.make(THIEF, made=-900)
    scene.publish(HONEST, WEIGHTS, made=-1)
    scene.read(HONEST, on=0)
    old.commit({"model.safetensors": save(copied)})
    scene.read(THIEF, on=5)
    assert scene.first(HONEST, THIEF) is None


def test_an_old_repo_that_held_something_else_is_not_first(scene: Scene) -> None:
    old = scene.publish(THIEF, w.strangers(72, layers=8), made=-900)
    scene.read(THIEF, on=-2)
    scene.publish(HONEST, WEIGHTS, made=-1)
    scene.read(HONEST, on=0)
    old.commit({"model.safetensors": save(NOISY)})
    scene.read(THIEF, on=5)
    assert scene.first(HONEST, THIEF) is None


def test_the_child_of_an_accomplice_in_an_old_repo_does_not_date_the_thief(scene: Scene) -> None:
    old = scene.make("accomplice/old", made=-900, card={"base_model": THIEF})
    scene.publish(HONEST, WEIGHTS, made=-1)
    scene.read(HONEST, on=0)
    scene.publish(THIEF, NOISY, made=2)
    scene.read(THIEF, on=3)
    old.commit({"model.safetensors": save(w.trained(NOISY, 0.003))})
    scene.read("accomplice/old", on=6)
    assert scene.first(HONEST, THIEF) == HONEST
    events = scene.timeline(THIEF, HONEST, history=True).events
    (child,) = [event for event in events if event.kind == "child"]
    assert (child.at, child.counted) == (day(-900), False)


def test_a_renamed_repo_keeps_its_time(scene: Scene) -> None:
    repo = scene.publish(HONEST, WEIGHTS, made=-1)
    scene.read(HONEST, on=0)
    scene.publish(THIEF, NOISY, made=2)
    scene.read(THIEF, on=3)
    scene.hub.rename(repo, "honest/renamed")
    scene.read(HONEST, on=5)
    assert scene.first("honest/renamed", THIEF) == "honest/renamed"


@COPIES
def test_an_author_who_moves_into_a_new_repo_does_not_come_after_the_thief(
    scene: Scene, copied
) -> None:
    scene.publish(HONEST, WEIGHTS, made=-1)
    scene.read(HONEST, on=0)
    scene.publish(THIEF, copied, made=2)
    scene.read(THIEF, on=3)
    scene.publish("honest/new", WEIGHTS, made=5)
    scene.read("honest/new", on=6)
    # The weights lay in the old repo before, which a noised copy cannot get round; two repos that
    # hold exactly what a third one held are not ordered by it.
    order = scene.timeline("honest/new", THIEF).order
    assert order == ("repo_first" if copied is NOISY else "cannot_tell")
    assert scene.direction("honest/new", THIEF) is not Direction.REPO_FROM_MATCH
    assert scene.first(HONEST, THIEF) == HONEST


def test_an_old_repo_is_not_first_because_a_third_one_held_the_same_weights(scene: Scene) -> None:
    old = scene.make(THIEF, made=-900)
    gone = scene.publish("honest/gone", WEIGHTS, made=-1)
    scene.read("honest/gone", on=0)
    scene.hub.delete(gone)
    scene.publish(HONEST, WEIGHTS, made=3)
    scene.read(HONEST, on=4)
    old.commit({"model.safetensors": save(WEIGHTS)})
    scene.read(THIEF, on=5)
    assert scene.first(HONEST, THIEF) is None


def test_a_thief_who_takes_a_former_name_does_not_take_its_time(scene: Scene) -> None:
    repo = scene.publish(HONEST, WEIGHTS, made=-1)
    scene.read(HONEST, on=0)
    scene.hub.delete(repo)
    scene.publish("honest/new", WEIGHTS, made=2)
    scene.read("honest/new", on=3)
    scene.publish(HONEST, WEIGHTS, made=4)
    scene.read(HONEST, on=5)
    assert scene.timeline(HONEST, "honest/new").order != "repo_first"


@COPIES
def test_a_private_repo_that_is_made_public_comes_neither_before_nor_after(
    scene: Scene, copied
) -> None:
    repo = scene.publish(HONEST, WEIGHTS, made=-100, private=True)
    scene.publish(THIEF, copied, made=2)
    scene.read(THIEF, on=3)
    repo.private = False
    scene.read(HONEST, on=5)
    assert scene.first(HONEST, THIEF) is None


@COPIES
def test_a_copy_that_was_private_for_long_is_not_first(scene: Scene, copied) -> None:
    scene.publish(HONEST, WEIGHTS, made=-1)
    scene.read(HONEST, on=0)
    repo = scene.publish(THIEF, copied, made=-100, private=True)
    repo.private = False
    scene.read(THIEF, on=6)
    assert scene.first(HONEST, THIEF) is None


def test_weights_that_an_authority_stamped_before_their_repo_was_made_are_first(
    scene: Scene,
) -> None:
    authority = Authority()
    scene.publish(THIEF, NOISY, made=2)
    scene.read(THIEF, on=3)
    scene.publish(HONEST, WEIGHTS, made=5)
    scene.read(HONEST, on=6)
    index, digests = scene.instance.index, weight_sets(scene.fingerprint(HONEST))
    token = authority.stamp(statement_of(digests), day(-10))
    stamp = verified(token, digests, [authority.root])
    index.add_timestamp(stamp.digests, at=stamp.at, statement=stamp.statement, token=token)
    assert scene.first(HONEST, THIEF) == HONEST
    kinds = {each.kind for each in scene.timeline(HONEST, THIEF).events if each.counted}
    assert "external_timestamp" in kinds


def test_weights_that_lie_in_an_older_repo_as_well_are_not_dated_by_the_younger(
    scene: Scene,
) -> None:
    scene.publish("honest/mirror", WEIGHTS, made=-50)
    scene.publish(THIEF, NOISY, made=2)
    scene.read(THIEF, on=3)
    scene.publish(HONEST, WEIGHTS, made=5)
    scene.read(HONEST, on=6)
    scene.read("honest/mirror", on=7)
    assert scene.first(HONEST, THIEF) is None


def test_commits_that_bear_forged_early_dates_prove_nothing(scene: Scene) -> None:
    scene.publish(HONEST, WEIGHTS, made=-1)
    scene.read(HONEST, on=0)
    repo = scene.make(THIEF, made=2)
    repo.commit({"model.safetensors": save(NOISY)}, message="First release", date=day(-2000))
    repo.commit({"README.md": "# Mine"}, message="Update README.md", date=day(-1999))
    scene.read(THIEF, on=5)
    assert scene.first(HONEST, THIEF) == HONEST
    shown = scene.timeline(THIEF, HONEST, history=True)
    forged = [event for event in shown.events if event.at < day(-900)]
    assert [(event.kind, event.counted) for event in forged] == [
        ("commit", False),
        ("card", False),
    ]
    assert shown.order == "match_first"


def test_an_old_repo_with_forged_dates_leaves_it_open(scene: Scene) -> None:
    repo = scene.make(THIEF, made=-900)
    scene.publish(HONEST, WEIGHTS, made=-1)
    scene.read(HONEST, on=0)
    repo.commit({"model.safetensors": save(NOISY)}, date=day(-890))
    scene.read(THIEF, on=5)
    assert scene.first(HONEST, THIEF) is None


def test_a_history_that_cannot_be_read_says_why_and_the_rest_stands(scene: Scene) -> None:
    repo = scene.publish(HONEST, WEIGHTS, made=-1, discussions_disabled=True)
    repo.private = False
    history = history_of(hub_client(), HONEST)
    assert {note.kind for note in history.notes} == {"commit"}
    assert set(history.missing) == {"discussions"}
    scene.hub.delete(repo)
    gone = history_of(hub_client(), HONEST)
    assert (gone.notes, {"commits", "discussions"} <= set(gone.missing)) == ((), True)


def test_discussions_are_shown_with_their_dates(scene: Scene) -> None:
    repo = scene.publish(HONEST, WEIGHTS, made=-1)
    repo.discussions.open("Is this the original?")
    (note,) = [note for note in history_of(hub_client(), HONEST).notes if note.kind == "discussion"]
    assert note.title == "Is this the original?"


def test_a_history_shows_nothing_that_only_the_instances_token_may_see(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    staff = scene.hub.user("staff", orgs=("hidden",))
    monkeypatch.setenv("KINPRINT_HUB_TOKEN", staff.token)
    settings.cache_clear()
    scene.publish(HONEST, WEIGHTS, made=-1)
    scene.publish("hidden/child", NOISY, made=2, private=True, card={"base_model": HONEST})
    assert "child" not in {note.kind for note in history_of(hub_client(), HONEST).notes}
    assert history_of(hub_client(), "hidden/child").notes == ()
