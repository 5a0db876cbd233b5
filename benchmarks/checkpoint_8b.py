"""A checkpoint with the shapes of Llama-3-8B: holes on disk, random bf16 where anything is read."""

from __future__ import annotations

import json
import struct
from contextlib import closing
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from kinprint.checkpoints.local import LocalCheckpoint
from kinprint.fingerprint.probes import probe_targets, read_probes
from kinprint.fingerprint.take import take
from kinprint.sketches.secret import KEY_BYTES, SecretKey

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from kinprint.checkpoints.tensors import Span

HIDDEN, INTERMEDIATE, KEY_VALUE, WORDS, LAYERS = 4096, 14336, 1024, 128256, 32
LAYERS_OF_SHARD = (range(9), range(9, 20), range(20, 31), range(31, 32))
ITEM_BYTES = 2
STD = 0.02
KEY = SecretKey(bytes(KEY_BYTES))
"""Fixed, so that the secret rows lie where weights were written."""


class _Recorded(LocalCheckpoint):
    """Remembers what was read."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.spans: list[Span] = []

    def read(self, spans: Sequence[Span]) -> Iterator[bytes]:
        self.spans += spans
        return super().read(spans)


def make_checkpoint(folder: Path) -> Path:
    """Write four shards of 16 GB apparent size, with N(0, 0.02²) wherever a reading looks.

    Two dry readings find these places: the blocks first, then the probes chosen by them.
    """
    folder.mkdir(parents=True)
    weight_map: dict[str, str] = {}
    for number, layers in enumerate(LAYERS_OF_SHARD, start=1):
        file = f"model-{number:05d}-of-{len(LAYERS_OF_SHARD):05d}.safetensors"
        shapes = _shapes(layers)
        _write_holes(folder / file, shapes)
        weight_map |= dict.fromkeys(shapes, file)
    index = {"metadata": {}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    chance = np.random.default_rng(0)
    with closing(_Recorded(folder)) as checkpoint:
        take(checkpoint)
        _fill(folder, checkpoint.spans, chance)
    with closing(_Recorded(folder)) as checkpoint:
        fingerprint = take(checkpoint)
        blocks_read = len(checkpoint.spans)
        read_probes(checkpoint, fingerprint, KEY, probe_targets(fingerprint, KEY))
        _fill(folder, checkpoint.spans[blocks_read:], chance)
    return folder


def bytes_stored(folder: Path) -> int:
    """Return the size of the shards as a reader sees it."""
    return sum(file.stat().st_size for file in folder.glob("*.safetensors"))


def _shapes(layers: range) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    if 0 in layers:
        shapes["model.embed_tokens.weight"] = (WORDS, HIDDEN)
    for layer in layers:
        prefix = f"model.layers.{layer}."
        shapes |= {
            f"{prefix}input_layernorm.weight": (HIDDEN,),
            f"{prefix}mlp.down_proj.weight": (HIDDEN, INTERMEDIATE),
            f"{prefix}mlp.gate_proj.weight": (INTERMEDIATE, HIDDEN),
            f"{prefix}mlp.up_proj.weight": (INTERMEDIATE, HIDDEN),
            f"{prefix}post_attention_layernorm.weight": (HIDDEN,),
            f"{prefix}self_attn.k_proj.weight": (KEY_VALUE, HIDDEN),
            f"{prefix}self_attn.o_proj.weight": (HIDDEN, HIDDEN),
            f"{prefix}self_attn.q_proj.weight": (HIDDEN, HIDDEN),
            f"{prefix}self_attn.v_proj.weight": (KEY_VALUE, HIDDEN),
        }
    if LAYERS - 1 in layers:
        shapes |= {"model.norm.weight": (HIDDEN,), "lm_head.weight": (WORDS, HIDDEN)}
    return shapes


def _write_holes(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> None:
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, shape in shapes.items():
        stop = offset + prod(shape) * ITEM_BYTES
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [offset, stop]}
        offset = stop
    raw = json.dumps(header).encode()
    raw += b" " * (-len(raw) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(raw)) + raw)
        file.truncate(file.tell() + offset)


def _fill(folder: Path, spans: Sequence[Span], chance: np.random.Generator) -> None:
    for span in spans:
        values = STD * chance.standard_normal((span.stop - span.start) // ITEM_BYTES)
        weights = (values.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
        with (folder / span.file).open("r+b") as file:
            file.seek(span.start)
            file.write(weights.tobytes())
