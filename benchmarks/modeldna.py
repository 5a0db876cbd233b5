"""modelDNA 0.1.0 (PyPI) and Kinprint on the same pairs of MiniLM folders, keys renamed and not.

The first run installs modelDNA (without its dependencies, which Kinprint's environment has or
this needs not) into a throwaway environment under ``.data/modeldna``.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from demo.cast import Cast, foreign_name, make_cast, original_folder, original_weights
from safetensors.torch import load_file, save_file

from benchmarks.other_tools import python_with
from benchmarks.table import print_table
from kinprint.checkpoints.local import LocalCheckpoint
from kinprint.fingerprint.file import to_bytes
from kinprint.fingerprint.take import take
from kinprint.lineage.compare import compare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import torch

    Weights = dict[str, torch.Tensor]
    Rename = Callable[[str], str]

ENVIRONMENT = Path(__file__).resolve().parent.parent / ".data" / "modeldna"
REQUIREMENT = "modeldna==0.1.0"
THEIR_SIDE = """
import gzip, json, sys, time
from modeldna.compare import compare_fingerprints
from modeldna.fingerprint.extract import extract_fingerprint
from modeldna.io.source import open_source
from modeldna.verdict import judge

start = time.perf_counter()
prints, bytes_read = [], []
for folder in sys.argv[1:]:
    source = open_source(folder)
    prints.append(extract_fingerprint(source, model_id=folder))
    bytes_read.append(source.bytes_read)
suspect, known = prints
verdict = judge(
    [(compare_fingerprints(suspect, known), "known")],
    suspect_dtype=suspect.arch.torch_dtype,
    candidate_dtypes={"known": known.arch.torch_dtype},
)
seconds = time.perf_counter() - start
stored = len(json.dumps(suspect.to_dict(), separators=(",", ":")))
print(json.dumps([verdict.to_dict()["verdict"], bytes_read[0], seconds, stored]))
"""


LLAMA_KEYS = (
    ("embeddings.word_embeddings", "model.embed_tokens"),
    ("encoder.layer.", "model.layers."),
    ("attention.self.query", "self_attn.q_proj"),
    ("attention.self.key", "self_attn.k_proj"),
    ("attention.self.value", "self_attn.v_proj"),
    ("attention.output.dense", "self_attn.o_proj"),
    ("attention.output.LayerNorm", "input_layernorm"),
    ("intermediate.dense", "mlp.up_proj"),
    ("output.dense", "mlp.down_proj"),
    ("output.LayerNorm", "post_attention_layernorm"),
)


def main() -> None:
    """Compare each suspect with the original through both tools."""
    cast = make_cast()
    python = python_with(ENVIRONMENT, REQUIREMENT)
    rows: list[tuple[str, ...]] = []
    with tempfile.TemporaryDirectory() as temporary:
        for number, (label, suspect, rename, known_rename) in enumerate(_pairs(cast)):
            folders = [Path(temporary) / f"{number}-{side}" for side in ("suspect", "known")]
            _write(folders[0], {rename(name): tensor for name, tensor in suspect.items()})
            known = original_weights().items()
            _write(folders[1], {known_rename(name): tensor for name, tensor in known})
            rows.append((label, "modelDNA", *_theirs(python, *folders)))
            rows.append((label, "Kinprint", *_ours(*folders)))
            for folder in folders:
                shutil.rmtree(folder)
    print_table(
        "Two tools on the same folders, each suspect against all-MiniLM-L6-v2 (91 MB)",
        ("suspect (keys; keys of the known)", "tool", "verdict", "read", "seconds", "fingerprint"),
        rows,
    )


def _pairs(cast: Cast) -> Iterator[tuple[str, Weights, Rename, Rename]]:
    original = original_weights()
    copied = load_file_of(cast.copy)
    copy = {name: copied[foreign_name(name)] for name in original}
    yield "identical (BERT's; BERT's)", original, str, str
    yield "identical (Llama's; Llama's)", original, llama_name, llama_name
    yield "identical (foreign; Llama's)", original, foreign_name, llama_name
    yield "noise 1/708, bf16 (Llama's; Llama's)", copy, llama_name, llama_name
    yield "noise 1/708, bf16 (foreign; Llama's)", copy, foreign_name, llama_name
    yield "fine-tune (Llama's; Llama's)", load_file_of(cast.child), llama_name, llama_name
    yield "independent (Llama's; Llama's)", load_file_of(cast.stranger), llama_name, llama_name


def llama_name(name: str) -> str:
    """Return the name in the scheme that modelDNA knows."""
    for old, new in LLAMA_KEYS:
        name = name.replace(old, new)
    return name


def load_file_of(folder: Path) -> Weights:
    """Return all tensors of a folder's shards."""
    shards = sorted(folder.glob("*.safetensors"))
    return {name: tensor for shard in shards for name, tensor in load_file(shard).items()}


def _write(folder: Path, weights: Weights) -> None:
    folder.mkdir()
    shutil.copy(original_folder() / "config.json", folder)
    save_file(weights, folder / "model.safetensors")


def _ours(suspect: Path, known: Path) -> tuple[str, ...]:
    start = time.perf_counter()
    with closing(LocalCheckpoint(suspect)) as mine, closing(LocalCheckpoint(known)) as other:
        fingerprint = take(mine)
        verdict = compare(fingerprint, take(other)).verdict
    seconds = time.perf_counter() - start
    return _row(verdict.relation.value, mine.bytes_read, seconds, len(to_bytes(fingerprint)))


def _theirs(python: Path, suspect: Path, known: Path) -> tuple[str, ...]:
    command = [str(python), "-c", THEIR_SIDE, str(suspect), str(known)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last_line = done.stderr.strip().splitlines()[-1]
        return (f"error: {last_line}", "–", "–", "–")
    return _row(*json.loads(done.stdout))


def _row(verdict: str, bytes_read: int, seconds: float, stored: int) -> tuple[str, ...]:
    return verdict, f"{bytes_read / 1e6:.2f} MB", f"{seconds:.2f}", f"{stored / 1e3:,.0f} kB"
