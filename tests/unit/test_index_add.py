"""What enters the index, under which name, and what becomes of what was there before."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from kinprint.checkpoints.tensors import Visibility
from kinprint.errors import FingerprintError, MissingError, UsageError
from kinprint.index.store import Index
from synthetic_fingerprints import commit_of, joined, part_of, same_weights, synthetic

DAY_0 = datetime(2026, 11, 1, tzinfo=UTC)
DAY_1 = DAY_0 + timedelta(days=1)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    with Index.open(f"sqlite:///{tmp_path / 'index.db'}") as opened:
        yield opened


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def test_what_is_stored_comes_back(index, rng) -> None:
    fingerprint = synthetic(
        rng,
        "acme/Original",
        owner_id="0123",
        declared_bases=("acme/base", "acme/other"),
        declared_relation="merge",
    )
    number = index.add(fingerprint, seen_at=DAY_0)
    stored = index.find("acme/original")
    assert stored == index.revision(number)
    assert (stored.repo, stored.revision) == ("acme/Original", commit_of(1))
    assert stored.visibility is Visibility.PUBLIC
    assert stored.created_at == fingerprint.origin.created_at
    assert stored.owner_id == "0123"
    assert stored.declared_bases == ("acme/base", "acme/other")
    assert stored.declared_relation == "merge"
    assert stored.first_seen == DAY_0
    assert stored.parameters == fingerprint.parameters
    assert not stored.superseded
    back = index.fingerprint(number)
    assert back.origin == fingerprint.origin
    assert np.array_equal(back.blocks.phash, fingerprint.blocks.phash)


def test_the_same_commit_twice_is_one_revision(index, rng) -> None:
    fingerprint = synthetic(rng)
    first = index.add(fingerprint, seen_at=DAY_0)
    before = index.statistics()
    assert index.add(fingerprint, seen_at=DAY_1) == first
    after = index.statistics()
    assert (after.size, after.bundles, after.bands_new) == (
        before.size,
        before.bundles,
        before.bands_new,
    )
    assert index.revision(first).first_seen == DAY_0


def test_a_new_commit_supersedes_and_the_old_one_is_kept(index, rng) -> None:
    old = index.add(synthetic(rng, revision=commit_of(1)), seen_at=DAY_0)
    new = index.add(synthetic(rng, revision=commit_of(2)), seen_at=DAY_1)
    assert index.find("acme/original").id == new
    assert index.find("acme/original", commit_of(1)).id == old
    assert index.revision(old).superseded
    assert not index.revision(new).superseded
    size = index.size()
    assert (size.models, size.revisions, size.as_of) == (1, 2, DAY_1)


def test_an_old_commit_that_is_read_later_does_not_pass_for_the_newest(index, rng) -> None:
    new = index.add(synthetic(rng, revision=commit_of(2)), seen_at=DAY_0)
    old = index.add(synthetic(rng, revision=commit_of(1)), seen_at=DAY_1, is_newest=False)
    assert index.find("acme/original").id == new
    assert index.revision(old).superseded
    assert not index.revision(new).superseded


@pytest.mark.parametrize("visibility", [Visibility.PRIVATE, Visibility.WITHDRAWN])
def test_a_private_repo_is_never_stored(index, rng, visibility) -> None:
    with pytest.raises(UsageError, match=visibility.value):
        index.add(synthetic(rng, visibility=visibility), seen_at=DAY_0)
    assert index.size().revisions == 0


def test_a_local_folder_needs_a_repo_id_to_be_stored(index, rng) -> None:
    with pytest.raises(UsageError, match="repo id"):
        index.add(synthetic(rng, None), seen_at=DAY_0)
    named = synthetic(rng, "acme/local", visibility=Visibility.LOCAL)
    named = replace(named, origin=named.origin.model_copy(update={"revision": None}))
    number = index.add(named, seen_at=DAY_0)
    assert index.revision(number).visibility is Visibility.LOCAL
    assert index.revision(number).revision == index.revision(number).weights_digest


def test_overlong_facts_are_refused(index, rng) -> None:
    with pytest.raises(UsageError, match="owner_id"):
        index.add(synthetic(rng, owner_id="x" * 1_000), seen_at=DAY_0)


def test_columns_that_do_not_fit_together_are_refused(index, rng) -> None:
    good = synthetic(rng)
    short = replace(good, blocks=replace(good.blocks, phash=good.blocks.phash[:, :31]))
    with pytest.raises(FingerprintError, match="phash"):
        index.add(short, seen_at=DAY_0)
    stray = replace(good, views=good.views[:-1])
    with pytest.raises(FingerprintError, match="does not list"):
        index.add(stray, seen_at=DAY_0)
    assert index.size().revisions == 0


def test_a_gated_repo_is_stored_as_gated_and_changes_with_its_repo(index, rng) -> None:
    gated = synthetic(rng, visibility=Visibility.GATED)
    number = index.add(gated, seen_at=DAY_0)
    assert index.revision(number).visibility is Visibility.GATED
    index.add(same_weights(gated, "acme/original"), seen_at=DAY_1)
    assert index.revision(number).visibility is Visibility.PUBLIC


def test_a_deleted_repo_is_withdrawn_and_its_evidence_stays(index, rng) -> None:
    fingerprint = synthetic(rng)
    number = index.add(fingerprint, seen_at=DAY_0)
    assert index.withdraw("ACME/original") == 1
    assert index.revision(number).visibility is Visibility.WITHDRAWN
    assert [each.revision_id for each in index.candidates(fingerprint)] == [number]
    assert index.withdraw("acme/unknown") == 0


def test_a_renamed_repo_is_found_by_its_former_id(index, rng) -> None:
    old = index.add(synthetic(rng, "acme/before", revision=commit_of(1)), seen_at=DAY_0)
    new = index.add(
        synthetic(rng, "acme/after", revision=commit_of(2), aliases=("acme/Before",)),
        seen_at=DAY_1,
    )
    assert index.find("acme/before").id == index.find("acme/after").id == new
    assert index.revision(old).repo == "acme/after"
    assert index.revision(old).superseded
    assert index.size().models == 1


def test_a_former_id_that_was_stored_under_both_names_becomes_one_repo(index, rng) -> None:
    before = synthetic(rng, "acme/before", revision=commit_of(1))
    index.add(before, seen_at=DAY_0)
    index.add(synthetic(rng, "acme/before", revision=commit_of(2)), seen_at=DAY_0)
    index.add(same_weights(before, "acme/after", revision=commit_of(1)), seen_at=DAY_0)
    index.add(
        synthetic(rng, "acme/after", revision=commit_of(3), aliases=("acme/before",)),
        seen_at=DAY_1,
    )
    assert index.size().models == 1
    assert index.size().revisions == 3
    assert index.find("acme/before").revision == commit_of(3)
    assert index.find("acme/after", commit_of(2)).superseded


def test_a_former_id_taken_by_somebody_else_is_theirs(index, rng) -> None:
    index.add(synthetic(rng, "acme/after", aliases=("acme/before",)), seen_at=DAY_0)
    theirs = index.add(synthetic(rng, "acme/before", revision=commit_of(7)), seen_at=DAY_1)
    assert index.find("acme/before").id == theirs
    assert index.find("acme/after").id != theirs


def test_generated_views_never_enter(index, rng) -> None:
    plain = synthetic(rng, views=8)
    views = tuple(
        replace(view, generated="sinusoid") if number < 3 else view
        for number, view in enumerate(plain.views)
    )
    generated = replace(plain, views=views)
    index.add(generated, seen_at=DAY_0)
    assert index.size().families == 5
    assert index.candidates(part_of(plain, [0, 1, 2], "acme/other")) == ()


def test_a_model_without_evidence_is_stored_but_matches_nothing(index, rng) -> None:
    empty = part_of(synthetic(rng), [], "acme/empty")
    number = index.add(replace(empty, files=()), seen_at=DAY_0)
    assert index.find("acme/empty").id == number
    bounds = index.interval(replace(empty, files=()))
    assert (bounds.not_before, bounds.not_after) == (empty.origin.created_at, None)
    other = replace(part_of(synthetic(rng), [], "acme/other"), files=())
    assert index.candidates(other) == ()


def test_sketches_of_another_name_are_never_compared(index, rng) -> None:
    fingerprint = synthetic(rng)
    index.add(fingerprint, seen_at=DAY_0)
    rotated = replace(fingerprint, sketch_name="kps1-synthetic-k1", files=())
    digest = rng.integers(0, 256, fingerprint.blocks.digest.shape, dtype=np.uint8)
    rotated = replace(rotated, blocks=replace(rotated.blocks, digest=digest))
    assert index.candidates(rotated) == ()


def test_missing_numbers_are_named(index) -> None:
    with pytest.raises(MissingError, match="42"):
        index.revision(42)
    with pytest.raises(MissingError, match="42"):
        index.fingerprint(42)
    assert index.find("acme/nothing") is None


def test_statistics_count_by_visibility(index, rng) -> None:
    base = synthetic(rng, "acme/base")
    index.add(base, seen_at=DAY_0)
    index.add(
        joined(base, synthetic(rng, views=2), "acme/gated", visibility="gated"), seen_at=DAY_1
    )
    found = index.statistics()
    assert found.by_visibility == {Visibility.PUBLIC: 1, Visibility.GATED: 1}
    assert found.size.families == 14
    assert found.bundles == 1
    assert (found.bands, found.bands_new) == (0, 14 * 16)
    assert found.bytes_on_disk > 0


def test_the_instance_keeps_its_id(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'index.db'}"
    with Index.open(url) as index:
        first = index.instance_id()
    with Index.open(url) as index:
        assert index.instance_id() == first


def test_a_repo_that_was_gated_or_renamed_since_is_given_back_as_it_is_now(index, rng) -> None:
    fingerprint = synthetic(rng, "acme/original")
    number = index.add(fingerprint, seen_at=DAY_0)
    moved = fingerprint.origin.model_copy(
        update={
            "repo": "acme/renamed",
            "aliases": ("acme/original",),
            "visibility": Visibility.GATED,
        }
    )
    assert index.add(replace(fingerprint, origin=moved), seen_at=DAY_1) == number
    origin = index.fingerprint(number).origin
    assert origin.visibility is Visibility.GATED
    assert origin.repo == "acme/renamed"
    assert "acme/original" in origin.aliases
