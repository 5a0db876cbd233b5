"""config.json and the card of a folder: read within bounds, or a reason why not."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinprint.checkpoints import limits
from kinprint.checkpoints.card import front_matter
from kinprint.checkpoints.documents import Document, Documents
from kinprint.checkpoints.open_documents import documents_of
from kinprint.checkpoints.source import LocalSource

if TYPE_CHECKING:
    from pathlib import Path

TEXT = st.text('ab_ \\"{[é模🦙', max_size=8)


def read(folder: Path) -> Documents:
    return documents_of(LocalSource(folder))


def config_of(raw: bytes | str) -> Documents:
    content = raw.encode() if isinstance(raw, str) else raw
    return Documents(Document(content), Document(reason="none"))


def test_a_folder_gives_its_configuration_and_its_card(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"hidden_size": 64, "custom": {"a": [1, 2]}}')
    (tmp_path / "README.md").write_text("# Modell für alle\n", encoding="utf-8-sig")
    found = read(tmp_path)
    assert found.config == {"hidden_size": 64, "custom": {"a": [1, 2]}}
    assert found.card == "# Modell für alle\n"
    assert (found.config_reason, found.card_reason) == (None, None)
    assert found.config_json.sha256 is not None


def test_what_is_not_there_has_a_reason(tmp_path: Path) -> None:
    found = read(tmp_path)
    assert (found.config, found.card) == (None, None)
    assert found.config_reason == "there is no config.json"
    assert found.card_reason == "there is no README.md"


def test_a_weight_file_named_alone_has_no_documents(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("beside it")
    (tmp_path / "model.safetensors").write_bytes(b"")
    found = read(tmp_path / "model.safetensors")
    assert (found.card, found.card_reason) == (
        None,
        "a weight file was named, not a model's folder",
    )
    assert "does not exist" in read(tmp_path / "gone").config_reason


def test_a_symlink_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text('{"password": 1}')
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").symlink_to(secret)
    (folder / "README.md").symlink_to(tmp_path / "nowhere")
    found = read(folder)
    assert (found.config, found.card) == (None, None)
    assert "symlink leaves the folder" in found.config_reason
    assert "symlink leaves the folder" in found.card_reason


def test_the_links_of_a_hub_cache_are_followed(tmp_path: Path) -> None:
    repo = tmp_path / "models--acme--model"
    (repo / "blobs").mkdir(parents=True)
    (repo / "blobs" / "abc").write_text('{"hidden_size": 8}')
    snapshot = repo / "snapshots" / "0" / ""
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").symlink_to(repo / "blobs" / "abc")
    assert read(snapshot).config == {"hidden_size": 8}


def test_a_named_pipe_and_a_folder_are_no_documents(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "config.json")
    (tmp_path / "README.md").mkdir()
    found = read(tmp_path)
    assert "not a regular file" in found.config_reason
    assert "not a regular file" in found.card_reason


def test_a_long_card_is_read_as_far_as_the_limit_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_bytes(b"x" * (limits.CARD_BYTES + 1))
    found = read(tmp_path)
    assert len(found.card) == limits.CARD_BYTES
    assert "only the first" in found.card_reason


def test_an_oversized_configuration_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "config.json").open("wb") as file:
        file.truncate(limits.CONFIG_BYTES + 1)
    found = read(tmp_path)
    assert found.config is None
    assert "10,000,001 bytes" in found.config_reason


@pytest.mark.parametrize(
    "raw",
    [
        "[1, 2]",
        '"text"',
        "",
        "{",
        '{"a": 1} tail',
        '{"a": 1, "a": 2}',
        '{"a": {"b": 1, "b": 2}}',
        '{"a": ' + "[" * 100_000,
        '{"a": ' + "[" * 40 + "]" * 40 + "}",
        '{"a": 1' + "0" * 10_000 + "}",
        b'{"a": "\xff"}',
        b"\x00\x01",
        "{" + ", ".join(f'"k{n}": {n}' for n in range(100_000)) + "}",
        '{"a": [' + "[{}]," * 1_000_000 + "[]]}",
    ],
    ids=lambda raw: repr(raw[:12]),
)
def test_a_broken_or_hostile_configuration_has_a_reason(raw) -> None:
    found = config_of(raw)
    assert found.config is None
    assert found.config_reason.startswith("config.json is no JSON object")
    assert len(found.config_reason) < 300


def test_infinity_as_mamba_writes_it_does_not_break_the_file() -> None:
    found = config_of('{"time_step_limit": [0.0, Infinity], "x": NaN}')
    assert found.config == {"time_step_limit": [0.0, "Infinity"], "x": "NaN"}


def test_a_long_label_map_is_left_out_and_the_rest_stands() -> None:
    labels = {str(number): "label " * 10 for number in range(21_000)}
    found = config_of(json.dumps({"id2label": labels, "hidden_size": 8}))
    assert found.config == {"hidden_size": 8}
    assert "id2label" in found.config_reason


def test_many_long_members_do_not_fill_the_memory() -> None:
    one = json.dumps(["x" * 100] * 2_000)
    raw = "{" + ", ".join(f'"k{n}": {one}' for n in range(30)) + "}"
    found = config_of(raw)
    assert len(found.config) == limits.CONFIG_KEPT_BYTES // (len(one) + 2)
    assert "…" in found.config_reason


@given(st.binary(max_size=200))
def test_no_bytes_make_reading_fail(raw: bytes) -> None:
    found = Documents(Document(raw), Document(raw))
    assert found.config is None or isinstance(found.config, dict)
    assert isinstance(found.card, str)


@given(
    st.dictionaries(
        TEXT,
        st.recursive(
            st.none() | st.booleans() | st.integers(-(10**20), 10**20) | TEXT,
            lambda inner: st.lists(inner, max_size=3),
            max_leaves=5,
        ),
        max_size=5,
    )
)
def test_an_honest_configuration_is_given_back_whole(config) -> None:
    assert config_of(json.dumps(config)).config == config


def test_front_matter_is_read_with_its_lines() -> None:
    found = front_matter("---\nlicense: mit\nbase_model:\n- a/b\n- c/d\n---\ntext")
    assert [(base.text, base.line) for base in found.bases] == [("a/b", 4), ("c/d", 5)]
    assert not found.broken


def test_the_bases_of_a_card_with_thousands_of_results_are_read_with_their_lines() -> None:
    results = "model-index:\n" + "- task:\n    base_model: x\n" * 4_000
    card = f"---\n{results}base_model:\n- a/b\n{results}base_model_relation: merge\n---\n"
    found = front_matter(card)
    assert [(base.text, base.line) for base in found.bases] == [("a/b", 8_004)]
    assert (found.relation.text, found.relation.line) == ("merge", 16_006)


@pytest.mark.parametrize(
    "card",
    [
        "---\nbase_model: [a\n---\n",
        "---\n- a\n---\n",
        "---\nbase_model:" + " [" * 20_000 + "\n---\n",
    ],
)
def test_broken_front_matter_declares_nothing(card: str) -> None:
    found = front_matter(card)
    assert found.broken
    assert found.bases == ()
    assert found.end == len(card) - 1
