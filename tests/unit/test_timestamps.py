"""Timestamps of an outside authority: checked before they count, whoever hands them in."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

import weights as w
from kinprint.cli import main
from kinprint.errors import UsageError
from kinprint.index.signing import FirstSeen, statement_of, verify_first_seen
from kinprint.index.store import Index
from kinprint.index.timestamps import read_roots, verified
from kinprint.index.timestamps import statement_of as statement_to_stamp
from kinprint.settings import settings
from time_stamping import Authority

if TYPE_CHECKING:
    from pathlib import Path

AT = datetime(2025, 6, 1, 8, 30, tzinfo=UTC)
DIGESTS = {"files": "0f" * 32, "sketches": "ab" * 32}
AUTHORITY = Authority()
TOKEN = AUTHORITY.stamp(statement_to_stamp(DIGESTS), AT)


def test_a_timestamp_over_the_weights_proves_that_they_existed() -> None:
    stamp = verified(TOKEN, DIGESTS, [AUTHORITY.root])
    assert (stamp.at, stamp.digests) == (AT, DIGESTS)
    assert stamp.statement == statement_to_stamp(DIGESTS)


def test_the_stamped_bytes_stay_what_they_are() -> None:
    assert statement_to_stamp({"sketches": "ab", "files": "0f"}) == (
        b'{"digests":{"files":"0f","sketches":"ab"},"format":"kinprint-weights-1"}'
    )


def test_a_statement_made_on_a_disk_counts_for_the_repo_that_it_became() -> None:
    local = {"sketches": DIGESTS["sketches"]}
    token = AUTHORITY.stamp(statement_to_stamp(local), AT)
    assert verified(token, DIGESTS, [AUTHORITY.root]).digests == local


def test_the_authoritys_own_doubt_is_added_to_its_time() -> None:
    token = AUTHORITY.stamp(statement_to_stamp(DIGESTS), AT, accuracy_s=90)
    assert verified(token, DIGESTS, [AUTHORITY.root]).at == AT + timedelta(seconds=90)
    unsure = AUTHORITY.stamp(statement_to_stamp(DIGESTS), AT, accuracy_s=10**15)
    with pytest.raises(UsageError, match="not sure of its own clock"):
        verified(unsure, DIGESTS, [AUTHORITY.root])


def test_a_timestamp_over_other_weights_is_refused() -> None:
    with pytest.raises(UsageError, match="stamps nothing of these weights"):
        verified(TOKEN, {"files": "1f" * 32, "sketches": "ac" * 32}, [AUTHORITY.root])
    with pytest.raises(UsageError, match="stamps nothing of these weights"):
        verified(TOKEN, {"files": DIGESTS["files"]}, [AUTHORITY.root])


def test_an_authority_that_nobody_listed_is_refused() -> None:
    with pytest.raises(UsageError, match="not valid"):
        verified(TOKEN, DIGESTS, [Authority().root])
    with pytest.raises(UsageError, match="not valid"):
        verified(TOKEN, DIGESTS, [Authority("Another root").root])


def test_a_timestamp_whose_time_was_changed_is_refused() -> None:
    earlier = TOKEN.replace(b"20250601083000Z", b"20200601083000Z")
    assert earlier != TOKEN
    with pytest.raises(UsageError, match="not valid"):
        verified(earlier, DIGESTS, [AUTHORITY.root])


@given(at=st.integers(0, len(TOKEN) - 1), byte=st.integers(0, 255), cut=st.booleans())
def test_a_damaged_answer_never_changes_the_time(at: int, byte: int, cut: bool) -> None:
    damaged = TOKEN[:at] if cut else TOKEN[:at] + bytes([byte]) + TOKEN[at + 1 :]
    try:
        stamp = verified(damaged, DIGESTS, [AUTHORITY.root])
    except UsageError:
        return
    assert stamp.at == AT


@given(st.binary(max_size=200))
def test_noise_is_no_answer(noise: bytes) -> None:
    with pytest.raises(UsageError):
        verified(noise, DIGESTS, [AUTHORITY.root])


def test_an_answer_without_end_is_not_parsed() -> None:
    with pytest.raises(UsageError, match="262,144 bytes"):
        verified(TOKEN + bytes(300_000), DIGESTS, [AUTHORITY.root])


@pytest.mark.parametrize("content", [b"", b"no certificate", bytes(2_000_000)])
def test_a_root_file_without_certificates_is_a_usage_error(content: bytes) -> None:
    with pytest.raises(UsageError, match="PEM"):
        read_roots(content)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KINPRINT_DATA_DIR", str(tmp_path / "data"))
    settings.cache_clear()
    save_file(w.strangers(5, layers=4), tmp_path / "model.safetensors")
    (tmp_path / "root.pem").write_bytes(AUTHORITY.root_pem)
    yield tmp_path
    settings.cache_clear()


def run(*arguments: object):
    return CliRunner().invoke(main, ["witness", *map(str, arguments)])


def test_a_model_is_stamped_and_its_time_counts(folder: Path) -> None:
    model, stated = folder / "model.safetensors", folder / "statement.json"
    done = run("statement", model, "-o", stated)
    assert done.exit_code == 0, done.output
    assert "openssl ts -query" in done.stdout
    (folder / "reply.tsr").write_bytes(AUTHORITY.stamp(stated.read_bytes(), AT))
    for _ in range(2):
        command = ("add", model, "--token", folder / "reply.tsr", "--tsa-root")
        done = run(*command, folder / "root.pem", "--json")
        assert done.exit_code == 0, done.output
        assert json.loads(done.stdout)["not_after"] == AT.isoformat()
    with Index.open(settings().database) as index:
        assert index.interval(w.fingerprint(w.strangers(5, layers=4))).not_after == AT
    assert "2025-06-01 08:30:00 UTC  rfc3161" in run("list", model).stdout


def test_a_stamped_time_is_set_beside_a_comparison(folder: Path) -> None:
    model, twin = folder / "model.safetensors", folder / "twin.safetensors"
    save_file({"x." + name: value for name, value in w.strangers(5, layers=4).items()}, twin)
    assert _stamps_in_comparison(model, twin) == []
    run("statement", model, "-o", folder / "statement.json")
    token = AUTHORITY.stamp((folder / "statement.json").read_bytes(), AT)
    (folder / "reply.tsr").write_bytes(token)
    roots = ("--tsa-root", folder / "root.pem")
    assert run("add", model, "--token", folder / "reply.tsr", *roots).exit_code == 0
    assert _stamps_in_comparison(model, twin) == ["2025-06-01T08:30:00Z", "2025-06-01T08:30:00Z"]


def _stamps_in_comparison(model: Path, twin: Path) -> list[str]:
    done = CliRunner().invoke(main, ["compare", str(model), str(twin), "--json"])
    assert done.exit_code == 0, done.output
    timeline = json.loads(done.stdout)["evidence"]["timeline"]["events"]
    return [each["at"] for each in timeline if each["kind"] == "external_timestamp"]


def test_a_timestamp_over_another_model_changes_nothing(folder: Path) -> None:
    other = folder / "other.safetensors"
    save_file(w.strangers(6, layers=4), other)
    run("statement", other, "-o", folder / "statement.json")
    token = AUTHORITY.stamp((folder / "statement.json").read_bytes(), AT)
    (folder / "reply.tsr").write_bytes(token)
    model = folder / "model.safetensors"
    roots = ("--tsa-root", folder / "root.pem")
    done = run("add", model, "--token", folder / "reply.tsr", *roots)
    assert (done.exit_code, "[usage]" in done.stderr) == (2, True)
    assert run("list", model).stdout.startswith("No witness of the weights of")


def test_a_missing_token_is_named(folder: Path) -> None:
    roots = ("--tsa-root", folder / "root.pem")
    done = run("add", folder / "model.safetensors", "--token", folder / "no.tsr", *roots)
    assert (done.exit_code, "no.tsr" in done.stderr) == (2, True)


def test_signed_sightings_can_be_checked_from_what_is_listed(folder: Path) -> None:
    fingerprint = w.fingerprint(w.strangers(5, layers=4), "acme/model", created_at=AT)
    key = folder / "data" / "witness.key"
    key.parent.mkdir()
    with Index.open(settings().database, witness_key_file=key) as index:
        index.add(fingerprint, seen_at=AT)
        instance_id = index.instance_id()
    listed = json.loads(run("list", folder / "model.safetensors", "--json").stdout)
    (seen,) = listed["witnesses"]
    statement = FirstSeen(
        seen["digest_kind"],
        seen["digest"],
        datetime.fromisoformat(seen["at"]),
        instance_id,
        bytes.fromhex(seen["proof"]),
    )
    assert seen["statement"] == statement_of(statement).decode()
    assert verify_first_seen(statement, listed["public_key"])
