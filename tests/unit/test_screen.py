"""The screen: two megabytes of an 8B model tell whether it has a relative in the index."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

import weights as w
from kinprint.checkpoints.tensors import StoredTensor
from kinprint.errors import UsageError
from kinprint.fingerprint.file import from_bytes, to_bytes
from kinprint.fingerprint.record import Depth, Fingerprint
from kinprint.fingerprint.screen import SCREEN_BYTES, SCREEN_VIEWS, screened
from kinprint.fingerprint.take import cells_of
from kinprint.index.store import Index
from kinprint.lineage.compare import compare
from kinprint.lineage.similar import similar
from kinprint.lineage.verdict import Relation
from kinprint.views import views_of
from llama_shapes import llama_3_8b

NOW = datetime(2026, 3, 1, tzinfo=UTC)
LAYERS = 40
KNOWN = w.strangers(0, layers=LAYERS)


def screen(weights: w.Weights, repo: str | None = None) -> Fingerprint:
    return w.fingerprint(weights, repo, depth=Depth.SCREEN)


def test_a_llama_3_8b_is_screened_with_less_than_two_megabytes() -> None:
    tensors = [StoredTensor(name, "BF16", shape, "f", 0, 0) for name, shape in llama_3_8b()]
    sizes = {}
    for number, view in enumerate(views_of(tensors)):
        spans = [span for cells in cells_of(view) for span in cells.spans()]
        if not view.is_vector and spans:
            sizes[number] = (view.cols, view.rows, sum(s.stop - s.start for s in spans))
    chosen = screened(sizes)
    assert len(chosen) == SCREEN_VIEWS
    assert sum(sizes[number][2] for number in chosen) <= SCREEN_BYTES


@given(
    st.dictionaries(
        st.integers(0, 10_000),
        st.tuples(st.integers(32, 16_384), st.integers(8, 10**6), st.integers(1, 10**7)),
        max_size=60,
    )
)
def test_whatever_the_shapes_a_screen_keeps_to_its_bounds(sizes) -> None:
    chosen = screened(sizes)
    assert chosen <= set(sizes)
    assert len(chosen) <= SCREEN_VIEWS
    assert sum(sizes[number][2] for number in chosen) <= SCREEN_BYTES
    assert chosen or not any(size[2] <= SCREEN_BYTES for size in sizes.values())


def test_a_screen_finds_a_renamed_noised_copy_and_leaves_its_kind_open(tmp_path) -> None:
    seen = screen(w.renamed(w.noised(KNOWN, 1 / 708)))
    assert len(set(seen.blocks.view.tolist())) == SCREEN_VIEWS
    with Index.open(f"sqlite:///{tmp_path / 'kinprint.db'}") as index:
        index.add(w.fingerprint(KNOWN, "acme/original"), seen_at=NOW)
        index.add(w.fingerprint(w.strangers(1, layers=LAYERS), "cy/stranger"), seen_at=NOW)
        answer = similar(index, seen, checked_at=NOW, evidence_base_url="http://127.0.0.1")
    (match,) = answer.matches
    assert (match.repo, match.relation) == ("acme/original", Relation.RELATED)
    assert match.verdict.reason is not None
    assert "screen" in match.verdict.reason


def test_a_screen_claims_nothing_of_a_stranger() -> None:
    seen = screen(w.strangers(2, layers=LAYERS))
    assert compare(seen, w.fingerprint(KNOWN)).verdict.relation is Relation.UNRELATED


def test_a_screen_never_enters_an_index(tmp_path) -> None:
    seen = screen(KNOWN, "acme/original")
    with (
        Index.open(f"sqlite:///{tmp_path / 'kinprint.db'}") as index,
        pytest.raises(UsageError, match="screened"),
    ):
        index.add(seen, seen_at=NOW)


def test_a_file_remembers_that_it_is_a_screen() -> None:
    assert from_bytes(to_bytes(screen(KNOWN))).depth is Depth.SCREEN
