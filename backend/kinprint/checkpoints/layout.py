"""Which files of a repo or folder are the model; the same choice on the Hub and on disk.

In each folder safetensors go before torch files, the names that the loading libraries look for
before other names, and the plain file before its variants (``model.fp16.safetensors``).
`inventory.read_inventory` takes it from here.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kinprint.checkpoints import limits
from kinprint.checkpoints.tensors import Skipped
from kinprint.errors import LimitExceededError, MalformedIndexError, UnsupportedFormatError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

SAFETENSORS_SUFFIX = ".safetensors"
TORCH_SUFFIXES = (".bin", ".pt", ".pth", ".ckpt")

# What transformers, diffusers, PEFT and sentence-transformers load when nobody names a file.
_CANONICAL_STEMS = frozenset(
    {
        "model",
        "pytorch_model",
        "diffusion_pytorch_model",
        "adapter_model",
        "pytorch_lora_weights",
    }
)
_INDEX = re.compile(
    r"(?P<stem>.+)\.(?P<format>safetensors|bin)\.index(?:\.(?P<variant>\w+))?\.json"
)
_NUMBERED = re.compile(r"(?P<stem>.+?)-(?P<number>\d{5})-of-(?P<total>\d{5})")
_PRECISION = re.compile(r"(?:fp|bf|int)\d+\w*|(?:non_)?ema")
_STEP = re.compile(r"(?:checkpoint-|global_step)(\d+)")
_NOT_WEIGHTS = re.compile(
    r"training_args|optimizer|scheduler|scaler|rng_state|random_states|openvino|tokenizer"
    r"|vocab|spiece|sentencepiece|.*optim_states"
)
# Copies of the same weights for other programs; read only where there is nothing else.
_COPIES = frozenset({"original", "onnx", "openvino", "coreml", "gguf", "flax", "tf", "__MACOSX"})
_OTHER_FORMATS = (".gguf", ".onnx", ".h5", ".msgpack", ".tflite", ".npz", ".pkl", ".nemo")


@dataclass(frozen=True, slots=True)
class WeightFile:
    """One file that holds weights by itself or as a numbered shard; size in bytes."""

    path: str
    size: int


@dataclass(frozen=True, slots=True)
class ShardIndex:
    """An index to be read, which then names the shards; size in bytes."""

    path: str
    size: int


@dataclass(frozen=True, slots=True)
class Layout:
    """The files that are the model, in order of path, and the weight files left out, with why."""

    chosen: tuple[WeightFile | ShardIndex, ...]
    left_out: tuple[Skipped, ...]


@dataclass(slots=True)
class _Unit:
    """Files of one folder that are loaded together: one file, or shards and their index."""

    single: str | None = None
    index: str | None = None
    shards: list[tuple[int, int, str]] = field(default_factory=list)

    def paths(self) -> list[str]:
        shards = [path for _, _, path in self.shards]
        return [path for path in (self.single, self.index, *shards) if path is not None]


_Units = dict[tuple[bool, str, str], _Unit]
"""Units of one folder by (is torch, stem, variant)."""


def weight_files(paths: Sequence[tuple[str, int]]) -> Layout:
    """Choose the model's files among all files of a repo or folder.

    Args:
        paths: Every file as (path relative to the root, with ``/``; size in bytes).

    Raises:
        MalformedIndexError: A path is listed twice or leaves the root; a numbered shard is
            missing and no index says which there are.
        UnsupportedFormatError: No weights in a format that can be read.
        LimitExceededError: More than ``limits.SHARDS`` files.
    """
    sizes = dict(paths)
    if len(sizes) != len(paths):
        raise MalformedIndexError("a file is listed twice")
    folders: dict[str, list[str]] = {}
    for path in sorted(sizes):
        if not is_inside(path):
            raise MalformedIndexError("a path that leaves the repo", file=path)
        if not any(part.startswith(".") for part in path.split("/")):
            folders.setdefault(posixpath.dirname(path), []).append(path)
    found = {folder: grouped for folder, files in folders.items() if (grouped := _units(files))}
    kept = _without_copies(found, is_pipeline="model_index.json" in sizes)
    units = [unit for folder in kept for unit in _preferred(found[folder], sizes)]
    if not units:
        raise _nothing_readable(sizes)
    chosen = tuple(item for unit in units for item in _files_of(unit, sizes))
    if len(chosen) > limits.SHARDS:
        raise LimitExceededError(f"more than {limits.SHARDS:,} weight files")
    used = {path for unit in units for path in unit.paths()}
    left_out = [
        Skipped(path, "another copy or variant" if folder in kept else f"a copy in {folder!r}")
        for folder in sorted(found)
        for unit in found[folder].values()
        for path in unit.paths()
        if path not in used
    ]
    return Layout(chosen, tuple(left_out))


def shard_files(
    index: ShardIndex, weight_map: Mapping[str, str], sizes: Mapping[str, int]
) -> tuple[WeightFile, ...]:
    """Return the shards that an index names, in order of path.

    Raises:
        MalformedIndexError: A shard is missing, or is spelt so that it leaves the index's folder
            or could be a second name of another shard.
        LimitExceededError: More than ``limits.SHARDS`` shards.
    """
    shards = sorted(set(weight_map.values()))
    if not shards:
        raise MalformedIndexError("the index names no shard", file=index.path)
    if len(shards) > limits.SHARDS:
        raise LimitExceededError(f"more than {limits.SHARDS:,} shards", file=index.path)
    files = []
    for shard in shards:
        if not is_inside(shard):
            raise MalformedIndexError(f"shard {shard!r} is outside its folder", file=index.path)
        path = posixpath.join(posixpath.dirname(index.path), shard)
        if path not in sizes:
            raise MalformedIndexError(f"shard {shard!r} is missing", file=index.path)
        files.append(WeightFile(path, sizes[path]))
    return tuple(files)


def is_inside(path: str) -> bool:
    """Say whether a relative path is in its one plain spelling and stays inside the root."""
    return (
        bool(path)
        and "\\" not in path
        and "\0" not in path
        and not path.startswith(("/", "../"))
        and path not in {".", ".."}
        and posixpath.normpath(path) == path
    )


def _units(files: Iterable[str]) -> _Units:
    """Group the weight files of one folder into what is loaded together."""
    units: _Units = {}
    for path in files:
        name = posixpath.basename(path)
        stem, suffix = posixpath.splitext(name)
        index = _INDEX.fullmatch(name)
        if index is not None:
            stem, variant = _variant(index["stem"])
            key = (index["format"] != "safetensors", stem, index["variant"] or variant)
            units.setdefault(key, _Unit()).index = path
            continue
        is_torch = suffix in TORCH_SUFFIXES and _NOT_WEIGHTS.match(name) is None
        if suffix != SAFETENSORS_SUFFIX and not is_torch:
            continue
        stem, variant = _variant(stem)
        numbered = _NUMBERED.fullmatch(stem)
        if numbered is None:
            # Two suffixes of one stem (a.bin, a.pt) are two models.
            label = stem + suffix if is_torch and stem not in _CANONICAL_STEMS else stem
            units.setdefault((is_torch, label, variant), _Unit()).single = path
        else:
            stem, inner = _variant(numbered["stem"])
            unit = units.setdefault((is_torch, stem, variant or inner), _Unit())
            unit.shards.append((int(numbered["number"]), int(numbered["total"]), path))
    return units


def _variant(stem: str) -> tuple[str, str]:
    """Split ``model.fp16`` into stem and variant ('' where there is none)."""
    head, dot, tail = stem.rpartition(".")
    if dot and (head in _CANONICAL_STEMS or _PRECISION.fullmatch(tail)):
        return head, tail
    return stem, ""


def _without_copies(found: Mapping[str, _Units], *, is_pipeline: bool) -> list[str]:
    """Return the folders that are the model, not a copy of it or an earlier training step."""
    primary = sorted(folder for folder in found if not _is_copy(folder))
    if is_pipeline and primary != [""]:
        # The root of a diffusers repo holds its components once more, as one file.
        primary = [folder for folder in primary if folder]
    if primary:
        return primary
    steps = {folder: int(step[1]) for folder in found if (step := _STEP.fullmatch(folder))}
    return [max(steps, key=steps.__getitem__)] if steps else sorted(found)


def _is_copy(folder: str) -> bool:
    return any(part in _COPIES or _STEP.fullmatch(part) for part in folder.split("/"))


def _preferred(units: _Units, sizes: Mapping[str, int]) -> list[_Unit]:
    """Choose one format, the canonical names if there are any, and one variant of each name."""
    is_torch = all(key[0] for key in units)
    stems = {stem for torch, stem, _ in units if torch == is_torch}
    preferred = []
    for stem in sorted(stems & _CANONICAL_STEMS or stems):
        variants = {
            variant: unit
            for (torch, name, variant), unit in units.items()
            if torch == is_torch and name == stem
        }
        largest = max(variants.values(), key=lambda unit: sum(sizes[p] for p in unit.paths()))
        preferred.append(variants.get("", largest))
    return preferred


def _files_of(unit: _Unit, sizes: Mapping[str, int]) -> tuple[WeightFile | ShardIndex, ...]:
    """Return what to read of a unit: the file that loaders would take first."""
    if unit.single is not None:
        return (WeightFile(unit.single, sizes[unit.single]),)
    if unit.index is not None:
        return (ShardIndex(unit.index, sizes[unit.index]),)
    shards = sorted(unit.shards)
    total = shards[0][1]
    if [(number, of) for number, of, _ in shards] != [(n + 1, total) for n in range(total)]:
        raise MalformedIndexError(
            f"{len(shards)} numbered shards where {total} are expected, and no index",
            file=shards[0][2],
        )
    return tuple(WeightFile(path, sizes[path]) for _, _, path in shards)


def _nothing_readable(sizes: Mapping[str, int]) -> UnsupportedFormatError:
    others = sorted(
        {suffix for path in sizes if (suffix := posixpath.splitext(path)[1]) in _OTHER_FORMATS}
    )
    found = f"; found {', '.join(others)}" if others else ""
    return UnsupportedFormatError(f"no weights among {len(sizes):,} files{found}")
