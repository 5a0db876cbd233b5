"""A folder or file on disk is read exactly, and only itself."""

from __future__ import annotations

import json
import os
import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest
from safetensors.numpy import save, save_file

from hostile_files import entry, safetensors_file, tensor, torch_archive
from kinprint.checkpoints import inventory, limits
from kinprint.checkpoints.local import LocalCheckpoint
from kinprint.checkpoints.tensors import CheckpointFile, Span, Visibility
from kinprint.errors import (
    CheckpointError,
    LimitExceededError,
    MalformedHeaderError,
    MalformedIndexError,
    MissingError,
    UnsupportedFormatError,
)

if TYPE_CHECKING:
    from pathlib import Path

A = np.arange(12, dtype=np.float32).reshape(3, 4)
B = -A


def sharded(folder: Path, weight_map: dict[str, str] | None = None) -> Path:
    folder.mkdir(exist_ok=True)
    save_file({"a": A}, folder / "1.safetensors")
    save_file({"b": B}, folder / "2.safetensors")
    names = weight_map or {"a": "1.safetensors", "b": "2.safetensors"}
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 96}, "weight_map": names}))
    return folder


def content(checkpoint: LocalCheckpoint) -> dict[str, bytes]:
    spans = [Span(t.file, t.offset, t.offset + t.nbytes) for t in checkpoint.tensors]
    names = [t.name for t in checkpoint.tensors]
    return dict(zip(names, checkpoint.read(spans), strict=True))


def test_a_sharded_folder_is_read_exactly_and_counted(tmp_path):
    checkpoint = LocalCheckpoint(sharded(tmp_path))
    headers = checkpoint.bytes_read
    assert content(checkpoint) == {"a": A.tobytes(), "b": B.tobytes()}
    assert checkpoint.bytes_read == headers + 96
    sizes = [(tmp_path / name).stat().st_size for name in ("1.safetensors", "2.safetensors")]
    assert checkpoint.files == (
        CheckpointFile("1.safetensors", sizes[0]),
        CheckpointFile("2.safetensors", sizes[1]),
    )
    assert checkpoint.origin.visibility is Visibility.LOCAL
    assert checkpoint.origin.repo is None
    checkpoint.close()


def test_one_file_is_read_whatever_its_name(tmp_path):
    save_file({"a": A}, tmp_path / "optimizer.safetensors")
    save_file({"b": B}, tmp_path / "model.safetensors")
    checkpoint = LocalCheckpoint(tmp_path / "optimizer.safetensors")
    assert content(checkpoint) == {"a": A.tobytes()}


def test_a_torch_file_is_read(tmp_path):
    path = torch_archive(
        tmp_path / "m.pt", {"a": tensor("0", 12, (3, 4), (4, 1))}, {"0": A.tobytes()}
    )
    assert content(LocalCheckpoint(path)) == {"a": A.tobytes()}


def test_components_with_the_same_keys_are_told_apart(tmp_path):
    for part, values in (("unet", A), ("vae", B)):
        (tmp_path / part).mkdir()
        save_file({"w": values}, tmp_path / part / "diffusion_pytorch_model.safetensors")
    file = "diffusion_pytorch_model.safetensors"
    assert content(LocalCheckpoint(tmp_path)) == {
        f"unet/{file}:w": A.tobytes(),
        f"vae/{file}:w": B.tobytes(),
    }


def test_a_folder_with_only_an_unknown_format_is_refused(tmp_path):
    (tmp_path / "pytorch_model.bin").write_bytes(b"ggml")
    with pytest.raises(UnsupportedFormatError, match="not a torch zip archive"):
        LocalCheckpoint(tmp_path)


def test_a_file_of_unknown_format_among_others_is_noted(tmp_path):
    save_file({"a": A}, tmp_path / "model.safetensors")
    (tmp_path / "2_Dense").mkdir()
    (tmp_path / "2_Dense" / "pytorch_model.bin").write_bytes(b"legacy")
    checkpoint = LocalCheckpoint(tmp_path)
    assert content(checkpoint).keys() == {"a"}
    assert checkpoint.skipped[0].name == "2_Dense/pytorch_model.bin"
    assert "not a torch zip archive" in checkpoint.skipped[0].reason


def test_nothing_there_is_said(tmp_path):
    with pytest.raises(MissingError, match="does not exist"):
        LocalCheckpoint(tmp_path / "absent")
    with pytest.raises(UnsupportedFormatError, match="no weights"):
        LocalCheckpoint(tmp_path)


@pytest.mark.parametrize(
    ("weight_map", "says"),
    [
        ({"a": "1.safetensors", "b": "3.safetensors"}, "is missing"),
        ({"a": "2.safetensors", "b": "2.safetensors"}, "not in its shard"),
        ({"a": "1.safetensors", "b": "2.safetensors", "c": "2.safetensors"}, "not in its shard"),
        ({"a": "../1.safetensors"}, "outside its folder"),
        ({"a": "1.safetensors", "b": "./2.safetensors"}, "outside its folder"),
    ],
)
def test_an_index_that_contradicts_its_shards_is_refused(tmp_path, weight_map, says):
    with pytest.raises(MalformedIndexError, match=says):
        LocalCheckpoint(sharded(tmp_path, weight_map))


def test_a_tensor_in_two_shards_is_refused_and_named(tmp_path):
    sharded(tmp_path)
    save_file({"a": A, "b": B}, tmp_path / "2.safetensors")
    with pytest.raises(MalformedIndexError, match=r"two shards.*tensor 'a'"):
        LocalCheckpoint(tmp_path)


def test_tensors_are_counted_over_all_files(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "TENSORS", 1)
    for name in ("x", "y"):
        save_file({name: A}, tmp_path / f"{name}.safetensors")
    with pytest.raises(LimitExceededError, match="more than 1 tensors"):
        LocalCheckpoint(tmp_path)


def test_an_index_over_its_limit_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "INDEX_BYTES", 10)
    with pytest.raises(LimitExceededError, match="the index has"):
        LocalCheckpoint(sharded(tmp_path))


def test_folders_with_more_files_than_any_model_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "REPO_FILES", 2)
    with pytest.raises(LimitExceededError, match="more than 2 files"):
        LocalCheckpoint(sharded(tmp_path))


def test_long_headers_are_read_after_the_others(tmp_path, monkeypatch):
    monkeypatch.setattr(inventory, "LONG_READ_BYTES", 50_000)
    many = {f"layer.{i}.weight": np.ones(1, np.float32) for i in range(2_000)}
    save_file(many, tmp_path / "x.safetensors")
    save_file({"a": A}, tmp_path / "y.safetensors")
    assert len(LocalCheckpoint(tmp_path).tensors) == 2_001


@pytest.mark.parametrize("concurrency", [1, 4])
def test_headers_are_read_by_as_many_threads_as_asked_for(concurrency):
    files = {f"m{i}.safetensors": save({f"t{i}": A}) for i in range(12)}
    busy = threading.Semaphore(concurrency)

    def read(path: str, start: int, stop: int) -> bytes:
        assert busy.acquire(blocking=False)
        try:
            return files[path][start:stop]
        finally:
            busy.release()

    sizes = {path: len(raw) for path, raw in files.items()}
    found = inventory.read_inventory(sizes, read, concurrency=concurrency)
    assert len(found.inventory.tensors) == 12
    assert found.paths == tuple(sorted(files))


def test_spans_outside_the_file_are_refused(tmp_path):
    save_file({"a": A}, tmp_path / "model.safetensors")
    checkpoint = LocalCheckpoint(tmp_path)
    size = checkpoint.files[0].size
    for start, stop in ((0, size + 1), (-1, 5), (5, 4), (size + 1, size + 1)):
        with pytest.raises(CheckpointError, match="outside a file"):
            list(checkpoint.read([Span("model.safetensors", start, stop)]))
    with pytest.raises(LimitExceededError):
        list(checkpoint.read([Span("model.safetensors", 0, limits.READ_SPAN_BYTES + 1)]))


def test_a_file_that_changes_while_it_is_read_is_noticed(tmp_path):
    file = tmp_path / "model.safetensors"
    save_file({"a": A}, file)
    span = Span(file.name, file.stat().st_size - 48, file.stat().st_size)
    for change in (
        lambda: os.truncate(file, 100),
        lambda: file.write_bytes(save({"a": B, "c": B})),
        lambda: (tmp_path / "other").replace(file),
        lambda: os.utime(file, (0, 0)),
    ):
        save_file({"a": A}, file)
        save_file({"a": A}, tmp_path / "other")
        checkpoint = LocalCheckpoint(file)
        change()
        with pytest.raises(CheckpointError, match="changed while it was being read"):
            list(checkpoint.read([span]))


def test_a_file_removed_while_it_is_read_is_noticed(tmp_path):
    file = tmp_path / "model.safetensors"
    save_file({"a": A}, file)
    checkpoint = LocalCheckpoint(file)
    file.unlink()
    with pytest.raises(CheckpointError, match="cannot be opened"):
        list(checkpoint.read([Span(file.name, 0, 8)]))


def test_a_symlink_out_of_the_folder_is_refused(tmp_path):
    save_file({"a": A}, tmp_path / "secret.safetensors")
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.safetensors").symlink_to("../secret.safetensors")
    with pytest.raises(CheckpointError, match="a symlink leaves the folder"):
        LocalCheckpoint(folder)


def test_a_symlink_within_the_folder_is_followed(tmp_path):
    save_file({"a": A}, tmp_path / "weights")
    (tmp_path / "model.safetensors").symlink_to("weights")
    assert content(LocalCheckpoint(tmp_path)) == {"a": A.tobytes()}


def test_a_linked_folder_is_noted_and_not_followed(tmp_path):
    save_file({"a": A}, tmp_path / "model.safetensors")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "dangling.safetensors").symlink_to("nowhere")
    checkpoint = LocalCheckpoint(tmp_path)
    assert content(checkpoint).keys() == {"a"}
    assert [entry.name for entry in checkpoint.skipped] == ["loop"]


def test_a_link_that_the_user_named_is_followed(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    save_file({"a": A}, tmp_path / "elsewhere" / "blob")
    link = tmp_path / "named.safetensors"
    link.symlink_to("elsewhere/blob")
    assert content(LocalCheckpoint(link)) == {"a": A.tobytes()}


def hub_cache(root: Path, target: str) -> Path:
    """A snapshot whose file is a link, as the Hub's cache keeps it."""
    for repo in ("models--acme--m", "models--acme--other"):
        (root / repo / "blobs").mkdir(parents=True)
        save_file({"a": A}, root / repo / "blobs" / "0123")
    snapshot = root / "models--acme--m" / "snapshots" / "c0ffee"
    snapshot.mkdir(parents=True)
    (snapshot / "model.safetensors").symlink_to(target)
    return snapshot


def test_a_snapshot_in_the_hub_cache_is_read_through_its_links(tmp_path):
    snapshot = hub_cache(tmp_path, "../../blobs/0123")
    assert content(LocalCheckpoint(snapshot)) == {"a": A.tobytes()}
    assert content(LocalCheckpoint(snapshot / "model.safetensors")) == {"a": A.tobytes()}


def test_a_snapshot_with_a_link_into_another_repo_is_refused(tmp_path):
    snapshot = hub_cache(tmp_path, "../../../models--acme--other/blobs/0123")
    with pytest.raises(CheckpointError, match="a symlink leaves the folder"):
        LocalCheckpoint(snapshot)


def test_a_named_pipe_does_not_stall_the_reader(tmp_path):
    os.mkfifo(tmp_path / "model.safetensors")
    with pytest.raises(UnsupportedFormatError, match="no weights"):
        LocalCheckpoint(tmp_path)
    with pytest.raises(UnsupportedFormatError, match="not a regular file"):
        LocalCheckpoint(tmp_path / "model.safetensors")


@pytest.mark.parametrize(
    ("card", "bases", "relation"),
    [
        ("---\nbase_model: acme/one\n---\n# Card", ("acme/one",), None),
        (
            "---\nbase_model:\n- acme/one\n- acme/two\nbase_model_relation: merge\n---\n",
            ("acme/one", "acme/two"),
            "merge",
        ),
        ("\ufeff---\r\nbase_model: acme/one\r\n---\r\n", ("acme/one",), None),
        ("# No front matter", (), None),
        ("---\nlicense: mit\n---\n", (), None),
        ("---\nbase_model: [unclosed\n---\n", (), None),
        ("---\nbase_model: {a: b}\n---\n", (), None),
        ("---\n- a list\n---\n", (), None),
        ("---\n" + "[" * 1_000 + "\n---\n", (), None),
        ("---\nbase_model: [" + "x, " * 500 + "y]\n---\n", ("x",) * 100, None),
        ("---\na: &a [x, x]\nb: &b [*a, *a]\nbase_model: *b\n---\n", (), None),
    ],
)
def test_the_card_of_a_folder_says_what_the_model_was_made_from(tmp_path, card, bases, relation):
    save_file({"a": A}, tmp_path / "model.safetensors")
    (tmp_path / "README.md").write_text(card, encoding="utf-8", newline="")
    origin = LocalCheckpoint(tmp_path).origin
    assert (origin.declared_bases, origin.declared_relation) == (bases, relation)


def test_a_hostile_header_names_its_file(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(
        safetensors_file({"w": entry("F32", [9], 0, 8)}, bytes(8))
    )
    with pytest.raises(MalformedHeaderError, match=r"in 'model\.safetensors' tensor 'w'"):
        LocalCheckpoint(tmp_path)
