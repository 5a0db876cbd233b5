"""Whatever is declared, no reading and no comparison takes more than 300 MB."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from hostile_files import entry, opcodes, safetensors_file, torch_archive
from kinprint.checkpoints import limits

TESTS = Path(__file__).parents[1]
PEAK_BYTES = 300e6
MEASURED = """
import os
import sys
from pathlib import Path
from kinprint.errors import KinprintError

def run(name, work):
    # What one work leaves behind is not counted against the next.
    child = os.fork()
    if child:
        assert os.waitpid(child, 0)[1] == 0
        return
    code = "fine"
    try:
        work()
    except KinprintError as error:
        code = error.code
    status = Path("/proc/self/status").read_text()
    print(name, code, int(status.split("VmHWM:")[1].split()[0]) * 1024, flush=True)
    os._exit(0)
"""
READ = """
from kinprint.fingerprint.source import fingerprint_of
for path in sys.argv[1:]:
    run(Path(path).name, lambda: fingerprint_of(path))
"""


def measured(script: str, *arguments: object) -> dict[str, str]:
    """Run works in a process of their own: name → code of the error, none over the bound."""
    # Its ru_maxrss would be at least that of its parent, so it asks the kernel itself.
    run = subprocess.run(
        [sys.executable, "-c", MEASURED + script, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])},
    )
    lines = [line.split() for line in run.stdout.splitlines()]
    over = {name: int(peak) for name, _, peak in lines if int(peak) > PEAK_BYTES}
    assert over == {}
    return {name: code for name, code, _ in lines}


def bomb_of_objects(folder: Path) -> None:
    text = b'{"a":[' + b"{}," * 8_000_000 + b"{}]}"
    (folder / "model.safetensors").write_bytes(safetensors_file(text))


# One character beyond the basic plane makes Python keep four bytes for each of a name.
WIDE_NAME = b"\xf0\x9f\x98\x80" + b"n" * 400


def header_of(name: bytes, count: int, dtype: bytes, shape: bytes, nbytes: int) -> bytes:
    one = b'"%s%d":{"dtype":"%s","shape":%s,"data_offsets":[%d,%d]}'
    entries = (
        one % (name, number, dtype, shape, number * nbytes, (number + 1) * nbytes)
        for number in range(count)
    )
    return b"{" + b",".join(entries) + b"}"


def bomb_of_names(folder: Path) -> None:
    for shard in range(1, 5):
        header = header_of(WIDE_NAME + b"%d." % shard, 40_000, b"F32", b"[0]", 0)
        name = f"model-{shard:05}-of-00004.safetensors"
        (folder / name).write_bytes(safetensors_file(header))


def bomb_of_declared_tensors(folder: Path) -> None:
    huge = {"w": entry("F32", [2**32, 2**30], 0, 2**64)}
    path = folder / "model.safetensors"
    path.write_bytes(safetensors_file(huge, declared_bytes=24_000_000))
    os.truncate(path, 10**9)


def bomb_of_dicts(folder: Path) -> None:
    torch_archive(folder / "model.bin", b"\x80\x02" + b"}" * 24_000_000 + b".", {})


def bomb_of_text(folder: Path) -> None:
    text = opcodes("\U0001f600" + "n" * 1_000)
    items = b"".join(opcodes(number) + text for number in range(24_000))
    torch_archive(folder / "model.bin", b"\x80\x02}(" + items + b"u.", {})


def bomb_of_vectors(folder: Path) -> None:
    header = header_of(b"v", 150_000, b"F8_E4M3", b"[64]", 64)
    (folder / "model.safetensors").write_bytes(safetensors_file(header, bytes(range(64)) * 150_000))


def bomb_of_experts(folder: Path) -> None:
    # 192,000 matrices; the file is sparse.
    header = header_of(b"e", 750, b"F8_E4M3", b"[256,256,256]", 256**3)
    path = folder / "model.safetensors"
    path.write_bytes(safetensors_file(header))
    os.truncate(path, 8 + len(header) + 750 * 256**3)


def bomb_in_an_index(folder: Path) -> None:
    (folder / "m.safetensors").write_bytes(safetensors_file({}))
    index = folder / "model.safetensors.index.json"
    index.write_bytes(b'{"weight_map":{' + b'"a":{"a":' * 2_600_000 + b"}}")


def bomb_of_indexed_names(folder: Path) -> None:
    (folder / "m.safetensors").write_bytes(safetensors_file({}))
    names = b",".join(b'"%s%d":"m.safetensors"' % (WIDE_NAME, number) for number in range(55_000))
    (folder / "model.safetensors.index.json").write_bytes(b'{"weight_map":{' + names + b"}}")


def bomb_in_a_zip_directory(folder: Path) -> None:
    one = struct.pack("<4s4xHHHHIIIHHHHHII", b"PK\1\2", *[0] * 7, 6, *[0] * 6)
    directory = b"".join(one + b"%06d" % number for number in range(150_000))
    end = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 65_535, 65_535, len(directory), 4, 0)
    (folder / "model.bin").write_bytes(b"PK\3\4" + directory + end)


def fingerprint_file(text: bytes) -> bytes:
    escaped = text.replace(b"\\", rb"\\").replace(b'"', rb"\"")
    return safetensors_file(b'{"__metadata__":{"kinprint":"' + escaped + b'"}}')


def bomb_in_a_fingerprint(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(fingerprint_file(b'{"views":[' + b"[]," * 8_000_000))


def bomb_beside_a_fingerprint(folder: Path) -> None:
    content = fingerprint_file(b"{}")[8:-1] + b',"a":[' + b"{}," * 8_000_000 + b"{}]}"
    (folder / "model.safetensors").write_bytes(safetensors_file(content))


def bomb_of_names_in_a_fingerprint(folder: Path) -> None:
    one = b'{"name":"%s","dtype":"F32","shape":[1],"rows":1,"cols":1}'
    text = b'{"views":[' + b",".join([one % WIDE_NAME] * 60_000) + b"]}"
    (folder / "model.safetensors").write_bytes(fingerprint_file(text))


CHECKPOINTS = {
    bomb_of_objects: "malformed_header",
    bomb_of_names: "limit_exceeded",
    bomb_of_declared_tensors: "malformed_header",
    bomb_of_dicts: "limit_exceeded",
    bomb_of_text: "fine",
    bomb_in_an_index: "malformed_index",
    bomb_of_indexed_names: "limit_exceeded",
    bomb_in_a_zip_directory: "unsupported_format",
    bomb_of_vectors: "fine",
    bomb_of_experts: "limit_exceeded",
}
FINGERPRINTS = {
    bomb_in_a_fingerprint: "fingerprint_unreadable",
    bomb_beside_a_fingerprint: "fingerprint_unreadable",
    bomb_of_names_in_a_fingerprint: "fingerprint_unreadable",
}


@pytest.mark.parametrize("bombs", [CHECKPOINTS, FINGERPRINTS], ids=["checkpoints", "fingerprints"])
def test_memory_stays_under_300_mb_whatever_is_declared(tmp_path, bombs):
    paths = []
    for bomb in bombs:
        folder = tmp_path / bomb.__name__
        folder.mkdir()
        bomb(folder)
        paths.append(folder if bombs is CHECKPOINTS else folder / "model.safetensors")
    if bombs is FINGERPRINTS:
        paths = [path.rename(path.parent.with_suffix(".safetensors")) for path in paths]
    found = measured(READ, *paths)
    assert {Path(name).stem: code for name, code in found.items()} == {
        bomb.__name__: code for bomb, code in bombs.items()
    }


def test_memory_stays_under_300_mb_for_a_fingerprint_in_a_dump():
    script = """
from kinprint.fingerprint.file import FILE_BYTES, from_bytes
head = b'{"__metadata__":{"kinprint":"'
for size in (60_000_000, FILE_BYTES):
    content = size.to_bytes(8, "little") + head + b"[" * (size - len(head) - 8)
    run(str(size), lambda: from_bytes(content))
    del content
"""
    assert set(measured(script).values()) == {"fingerprint_unreadable"}


def test_memory_stays_under_300_mb_for_models_of_thousands_of_experts():
    script = """
import numpy as np
from synthetic_fingerprints import relative, synthetic
from kinprint.lineage.compare import compare
from kinprint.lineage.matching import view_groups
rng = np.random.default_rng(0)
known = synthetic(rng, "acme/known", views=6_000, shapes=[(0, 8, 4096)])
suspect = relative(rng, known, "bo/suspect", hamming_bits=20)
run("related", lambda: compare(suspect, known))
run("stranger", lambda: compare(synthetic(rng, views=6_000, shapes=[(0, 8, 4096)]), known))
known.blocks.phash[:] = known.blocks.phash[0]
run("alike", lambda: compare(known, known))
wide = synthetic(rng, views=12_288, shapes=[(0, 8, 4096)])
run("groups", lambda: view_groups(wide))
"""
    assert set(measured(script).values()) == {"fine"}


def test_memory_stays_under_150_mb_beside_the_program_for_an_answer_of_the_api():
    script = """
import json
from huggingface_hub.utils import httpx
from kinprint.checkpoints import limits
from kinprint.checkpoints.hub_client import HubClient
from kinprint.checkpoints.hub_session import HubSession
from kinprint.settings import Settings

def answer(request):
    count = 130_000 if "many" in request.url.path else 20_000 - 10
    lfs = '{"sha256":"%064x","size":1,"pointerSize":1}'
    one = '{"rfilename":"model-%05d.safetensors","size":1,"blobId":"%040x","lfs":' + lfs + '}'
    listed = ",".join(one % (number, number, number) for number in range(count))
    body = '{"id":"acme/model","sha":"' + "c" * 40 + '","siblings":[' + listed + "]}"
    return httpx.Response(200, content=iter([body.encode()]))

chosen = Settings(retry_deadline_s=60)
client = HubClient(chosen, HubSession(chosen, transport=httpx.MockTransport(answer)))
run("allowed", lambda: client.model("acme/model"))
run("many", lambda: client.model("acme/many"))
"""
    assert measured(script) == {"allowed": "fine", "many": "limit_exceeded"}


def test_a_listing_of_the_most_shards_fits_into_one_answer():
    values_a_shard = 8  # four members, four of its LFS object and its braces
    assert limits.SHARDS * values_a_shard < limits.API_TOKENS
    name = "model-10000-of-10000.safetensors"
    lfs = {"sha256": "0" * 64, "size": 10**10, "pointerSize": 135}
    shard = {"rfilename": name, "size": 10**10, "blobId": "0" * 40, "lfs": lfs}
    assert limits.SHARDS * len(json.dumps(shard)) < limits.API_BYTES
