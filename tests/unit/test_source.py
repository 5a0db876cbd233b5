"""What a user types is a path, a fingerprint, or a repo id that is valid before any request."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from kinprint.checkpoints.source import (
    FingerprintSource,
    HubSource,
    LocalSource,
    parse_source,
    validate_repo_id,
    validate_revision,
)
from kinprint.errors import MissingError, UsageError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("acme/model", HubSource("acme/model")),
        ("gpt2", HubSource("gpt2")),
        ("acme/model@main", HubSource("acme/model", "main")),
        ("acme/model@refs/pr/7", HubSource("acme/model", "refs/pr/7")),
        ("acme/model@" + "c0ffee" * 6 + "abcd", HubSource("acme/model", "c0ffee" * 6 + "abcd")),
        ("acme/yolo.pt", HubSource("acme/yolo.pt")),
        ("A-c_m.e/M-0.5_b", HubSource("A-c_m.e/M-0.5_b")),
    ],
)
def test_a_repo_on_the_hub(text, expected):
    assert parse_source(text) == expected


def test_what_exists_on_disk_goes_before_the_hub(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("acme/model").mkdir(parents=True)
    assert parse_source("acme/model") == LocalSource(Path("acme/model"))
    assert parse_source(str(tmp_path)) == LocalSource(tmp_path)


def test_weight_files_and_fingerprints_are_told_apart(tmp_path):
    values = {"w": np.ones(2, np.float32)}
    weights, fingerprint = tmp_path / "weights.safetensors", tmp_path / "print.safetensors"
    save_file(values, weights, metadata={"format": "pt"})
    save_file(values, fingerprint, metadata={"kinprint": "1"})
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"version https://git-lfs")
    torch = tmp_path / "model.bin"
    torch.write_bytes(b"PK")
    assert parse_source(str(torch)) == LocalSource(torch)
    assert parse_source(str(weights)) == LocalSource(weights)
    assert parse_source(str(fingerprint)) == FingerprintSource(fingerprint)
    assert parse_source(str(broken)) == LocalSource(broken)


@pytest.mark.parametrize(
    "text", ["./absent", "../absent", "/absent", "~/absent-model", "a/b/c", "absent.safetensors"]
)
def test_a_path_that_is_not_there_is_not_looked_for_on_the_hub(text):
    with pytest.raises(MissingError, match="does not exist"):
        parse_source(text)


INVALID = [
    "",
    "/",
    "a/",
    "/b",
    "a/b/c",
    "-a/b",
    "a-/b",
    "a/.b",
    "a/b.",
    "a/b-",
    "a--b/c",
    "a/b..c",
    "a/b.git",
    "a b/c",
    "a/b\n",
    "a/b?x=1",
    "a/b#c",
    "a/%2e%2e",
    "äcme/model",
    "a/" + "b" * 95,
    "https://host/a",
    "a\\b",
    "a/b\0",
]


@pytest.mark.parametrize("text", INVALID)
def test_an_id_that_the_hub_cannot_have_is_refused(text):
    with pytest.raises(UsageError, match="not a repo id"):
        validate_repo_id(text)


def test_the_longest_id_is_valid():
    assert validate_repo_id("a/" + "b" * 94)


@pytest.mark.parametrize("text", ["", "a..b", "/a", "-x", "a b", "a?b", "a\n", "a/", "x" * 256])
def test_a_revision_that_git_cannot_have_is_refused(text):
    with pytest.raises(UsageError, match="not a revision"):
        validate_revision(text)


@pytest.mark.parametrize("text", ["", "a\0b", "acme/model@", "acme/model@a b", "acme/mo del"])
def test_other_text_is_refused(text):
    with pytest.raises(UsageError):
        parse_source(text)
