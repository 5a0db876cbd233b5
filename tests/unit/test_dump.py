"""One index's dump is another's start."""

from __future__ import annotations

import io
import json
import tarfile
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pytest
from click.testing import CliRunner

import weights as w
from kinprint.checkpoints.tensors import Visibility
from kinprint.cli import main
from kinprint.errors import FingerprintError, MalformedDumpError, MissingError, UsageError
from kinprint.fingerprint.file import to_bytes
from kinprint.index.dump import read_dump, read_manifest, write_dump
from kinprint.index.store import Index
from kinprint.settings import settings

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ORIGINAL = w.fingerprint(w.strangers(0), "acme/original")
GATED = w.fingerprint(w.strangers(1), "acme/gated", visibility=Visibility.GATED)


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    path = tmp_path / "index.tar"
    with Index.open(f"sqlite:///{tmp_path / 'from.db'}") as index:
        index.add(ORIGINAL, seen_at=NOW)
        index.add(GATED, seen_at=NOW)
        index.add(w.fingerprint(w.strangers(2), "bo/other"), seen_at=NOW)
        write_dump(index, path, made_at=NOW)
    return path


@pytest.fixture
def home(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("KINPRINT_DATA_DIR", str(tmp_path / "home"))
    settings.cache_clear()
    yield tmp_path / "home"
    settings.cache_clear()


def test_a_dump_replaces_an_older_dump_but_no_other_file(tmp_path) -> None:
    letter = tmp_path / "letter.txt"
    letter.write_text("not yours")
    dump = tmp_path / "index.tar"
    with Index.open(f"sqlite:///{tmp_path / 'kinprint.db'}") as index:
        for _ in range(2):
            write_dump(index, dump, made_at=NOW)
        with pytest.raises(UsageError, match="is no dump"):
            write_dump(index, letter, made_at=NOW)
    assert letter.read_text() == "not yours"
    assert read_manifest(dump).models == 0


def test_a_dump_holds_the_public_models_and_no_other(dump: Path) -> None:
    assert read_manifest(dump).models == 2
    assert [each.origin.repo for each in read_dump(dump)] == ["acme/original", "bo/other"]
    assert b"gated" not in dump.read_bytes()


def test_another_index_starts_from_it_and_finds_the_copy(dump: Path, home: Path) -> None:
    run = CliRunner().invoke(main, ["index", "bootstrap", "--dump", str(dump), "--yes", "--json"])
    assert run.exit_code == 0, run.output
    assert json.loads(run.stdout)["added"] == 2
    again = CliRunner().invoke(main, ["index", "bootstrap", "--dump", str(dump), "--yes"])
    assert "0 added, 2 were there already" in again.output
    with Index.open(settings().database) as index:
        copy = w.fingerprint(w.renamed(w.noised(w.strangers(0), 1 / 708)), "mallory/copy")
        assert index.candidates(copy)[0].repo == "acme/original"


def test_the_command_writes_what_bootstrap_shows(home: Path, tmp_path: Path) -> None:
    target = tmp_path / "empty.tar"
    assert CliRunner().invoke(main, ["dump", str(target)]).exit_code == 0
    shown = CliRunner().invoke(main, ["index", "bootstrap", "--dump", str(target), "--dry-run"])
    assert "0 models" in shown.output


def packed(tmp_path: Path, *members: tuple[str, bytes]) -> Path:
    path = tmp_path / "hostile.tar"
    with tarfile.open(path, "w") as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def manifest_of(dump: Path) -> tuple[str, bytes]:
    return "manifest.json", read_manifest(dump).model_dump_json().encode()


def test_what_is_no_dump_is_refused(dump: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingError):
        read_manifest(tmp_path / "nothing.tar")
    text = tmp_path / "text.tar"
    text.write_text("hello")
    with pytest.raises(MalformedDumpError, match="no dump"):
        read_manifest(text)
    with pytest.raises(MalformedDumpError, match="does not start"):
        read_manifest(packed(tmp_path, ("x.safetensors", b"")))
    with pytest.raises(MalformedDumpError, match="not valid"):
        read_manifest(packed(tmp_path, ("manifest.json", b"{}")))
    with pytest.raises(MalformedDumpError, match="at most"):
        read_manifest(packed(tmp_path, ("manifest.json", b" " * 20_000)))


def test_what_no_dump_may_hold_is_refused(dump: Path, tmp_path: Path) -> None:
    manifest = manifest_of(dump)
    with pytest.raises(FingerprintError):
        list(read_dump(packed(tmp_path, manifest, ("1.safetensors", b"\x00" * 100))))
    with pytest.raises(MalformedDumpError, match="not of a public repo"):
        list(read_dump(packed(tmp_path, manifest, ("1.safetensors", to_bytes(GATED)))))


def test_a_truncated_dump_is_refused(dump: Path, tmp_path: Path) -> None:
    content = dump.read_bytes()
    cut = tmp_path / "cut.tar"
    cut.write_bytes(content[: len(content) // 2])
    with pytest.raises(MalformedDumpError, match="truncated"):
        list(read_dump(cut))


def test_sketches_of_another_name_are_refused(dump: Path, tmp_path: Path) -> None:
    name, content = manifest_of(dump)
    other = json.loads(content) | {"sketch_name": "kps9"}
    with pytest.raises(MalformedDumpError, match="kps9"):
        read_manifest(packed(tmp_path, (name, json.dumps(other).encode())))
    assert np.array_equal(next(read_dump(dump)).blocks.phash, ORIGINAL.blocks.phash)
