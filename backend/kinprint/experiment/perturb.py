"""The noisy twin: a model with N(0, sigma) added to every float, to compare a suspect with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kinprint.checkpoints.dtypes import ITEM_BITS, decode, encode
from kinprint.checkpoints.write_safetensors import Layout, NewTensor, lay_out, write
from kinprint.errors import CheckpointError, UnsupportedFormatError
from kinprint.experiment.companions import companions_of, copy_companions, model_folder
from kinprint.experiment.noise_stream import standard_normal
from kinprint.experiment.output_folder import output_folder
from kinprint.experiment.slices import Slice

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from kinprint.checkpoints.tensors import Checkpoint, Progress, Skipped, StoredTensor

NOISED_DTYPES = ("F64", "F32", "BF16", "F16")
"""What noise is added to. F8 and packed weights count in units of scales stored elsewhere, so a
sigma in units of the weights cannot be added to them."""


@dataclass(frozen=True, slots=True)
class Twin:
    """What is to be written, before anything is.

    Attributes:
        layout: The files.
        sources: Key → the tensor it is made from.
        noise_names: Key of a float tensor → key that its noise is drawn for (tied tensors share
            one).
        copied: Keys of tensors without floats, which are copied as they are.
        left_out: Tensors that cannot be copied, with the reason.
        companions: Files that are copied beside the weights.
    """

    layout: Layout
    sources: Mapping[str, StoredTensor]
    noise_names: Mapping[str, str]
    copied: tuple[str, ...]
    left_out: tuple[Skipped, ...]
    companions: tuple[str, ...]

    @property
    def nbytes(self) -> int:
        """Bytes of the weight files."""
        return self.layout.nbytes


def plan_twin(original: Checkpoint, *, dtype: str | None = None) -> Twin:
    """Work out what a noisy twin consists of; nothing is read or written.

    Args:
        original: The model.
        dtype: ``BF16``, ``F16`` or ``F32`` for all float tensors; None keeps each one's own.

    Raises:
        UnsupportedFormatError: Its weights are quantised (F8 or packed).
        UsageError: It is several models in one.
        CheckpointError: Its tensors do not fit safetensors files.
    """
    model_folder(original)
    new: list[NewTensor] = []
    noise_names: dict[str, str] = {}
    sources: dict[str, StoredTensor] = {}
    first_at: dict[tuple[object, ...], str] = {}
    beside = [each.stored for each in original.skipped if _is_copied(each)]
    for tensor in (*original.tensors, *(each for each in beside if each is not None)):
        if tensor.dtype.startswith(("F4", "F6", "F8")):
            raise UnsupportedFormatError(
                f"{tensor.dtype} counts in units of scales stored elsewhere, so noise of a given "
                "sigma cannot be added to it",
                file=tensor.file,
                tensor=tensor.name,
                hint="Perturb the model that it was quantised from.",
            )
        sources[tensor.name] = tensor
        if tensor.dtype in NOISED_DTYPES:
            place = (tensor.file, tensor.offset, tensor.shape, tensor.dtype)
            noise_names[tensor.name] = first_at.setdefault(place, tensor.name)
            new.append(NewTensor(tensor.name, dtype or tensor.dtype, tensor.shape))
        else:
            new.append(NewTensor(tensor.name, tensor.dtype, tensor.shape))
    return Twin(
        layout=lay_out(new),
        sources=sources,
        noise_names=noise_names,
        copied=tuple(name for name in sources if name not in noise_names),
        left_out=tuple(each for each in original.skipped if not _is_copied(each)),
        companions=tuple(file.path for file in companions_of(original)),
    )


def write_twin(
    original: Checkpoint,
    twin: Twin,
    target: Path,
    *,
    sigma: float,
    seed: int = 0,
    progress: Progress | None = None,
) -> None:
    """Write a planned twin into a new folder, with the original's companions.

    The same original, sigma, seed and dtype give the same tensors bit for bit, however the
    original is sharded.

    Args:
        original: The model.
        twin: From `plan_twin` with the same model.
        target: The folder to be made.
        sigma: Standard deviation of the noise, in units of the weights; rounding to the dtype
            comes on top.
        seed: 0 to 2⁶⁴ − 1.
        progress: Told the bytes written and those expected.

    Raises:
        UsageError: The folder exists and is not empty.
        KinprintError: The disk is full or cannot be written to.
        CheckpointError: The original changed, or a value does not fit the dtype.
        HubError: The Hub failed for good.
    """
    with output_folder(target, nbytes=twin.nbytes) as folder:
        pieces = _pieces(original, twin, sigma=sigma, seed=seed)
        write(folder, twin.layout, pieces, progress=progress)
        copy_companions(original, folder)


def _is_copied(skipped: Skipped) -> bool:
    return skipped.stored is not None and skipped.stored.dtype in ITEM_BITS


def _pieces(original: Checkpoint, twin: Twin, *, sigma: float, seed: int) -> Iterator[bytes]:
    wanted = [
        (tensor, piece)
        for tensor in twin.layout.tensors
        for piece in Slice.whole(twin.sources[tensor.name]).pieces()
    ]
    read = original.read([piece.span for _, piece in wanted])
    for (tensor, piece), raw in zip(wanted, read, strict=True):
        noise_name = twin.noise_names.get(tensor.name)
        if noise_name is None:
            yield raw
            continue
        values = sigma * standard_normal(seed, noise_name, piece.first, piece.count)
        values += decode(raw, piece.tensor.dtype)
        noised = encode(values, tensor.dtype)
        # Only float16 ends below what weights may be.
        if tensor.dtype == "F16" and not np.array_equal(
            np.isfinite(values), np.isfinite(decode(noised, "F16"))
        ):
            raise CheckpointError(
                "a value does not fit F16",
                file=piece.tensor.file,
                tensor=tensor.name,
                hint="Choose --dtype bf16 or f32.",
            )
        yield noised
