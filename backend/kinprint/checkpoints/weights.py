"""Tells stored tensors that hold weights from the others, and gives packed ones their scales."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kinprint.checkpoints.dtypes import ITEM_BITS, PACKED, SCALE_BLOCKS, is_weight
from kinprint.checkpoints.tensors import Inventory, Skipped, StoredTensor

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def sort_out(tensors: Sequence[StoredTensor]) -> Inventory:
    """Split the tensors of one file into weights and skipped ones, keeping their order.

    A packed tensor (F4, F6) is a weight where exactly one tensor beside it can be its block
    scales (`scales_of`); that tensor is then no weight of its own.
    """
    beside: dict[str, list[StoredTensor]] = {}
    for tensor in tensors:
        if tensor.dtype in SCALE_BLOCKS:
            beside.setdefault(_module(tensor.name), []).append(tensor)
    scales = {
        tensor.name: scale
        for tensor in tensors
        if tensor.dtype in PACKED
        and (scale := scales_of(tensor, beside.get(_module(tensor.name), ()))) is not None
    }
    weight_of = {scale.name: name for name, scale in scales.items()}
    weights: list[StoredTensor] = []
    skipped: list[Skipped] = []
    for tensor in tensors:
        if tensor.name in weight_of:
            skipped.append(_skipped(tensor, f"block scales of {weight_of[tensor.name]!r}"))
        elif tensor.name in scales:
            weights.append(replace(tensor, scale=scales[tensor.name]))
        elif (reason := _why_not(tensor)) is not None:
            skipped.append(_skipped(tensor, reason))
        else:
            weights.append(tensor)
    return Inventory(tuple(weights), tuple(skipped))


def scales_of(packed: StoredTensor, beside: Iterable[StoredTensor]) -> StoredTensor | None:
    """Return the block scales of a packed tensor among the tensors of its module.

    They have its shape, but for a last dimension divided by the block of their dtype (32 for
    ``F8_E8M0``, 16 for ``F8_E4M3``); where two fit, the one whose name continues its name.
    """
    fitting = [scale for scale in beside if _fits(packed, scale)]
    if len(fitting) > 1:
        fitting = [scale for scale in fitting if scale.name.startswith(packed.name)]
    return fitting[0] if len(fitting) == 1 else None


def _fits(packed: StoredTensor, scale: StoredTensor) -> bool:
    *rows, cols = packed.shape
    block = SCALE_BLOCKS[scale.dtype]
    return cols % block == 0 and scale.shape == (*rows, cols // block)


def _skipped(tensor: StoredTensor, reason: str) -> Skipped:
    return Skipped(tensor.name, reason, tensor)


def _why_not(tensor: StoredTensor) -> str | None:
    if tensor.dtype in PACKED:
        return f"packed {tensor.dtype} without a known scale"
    if is_weight(tensor.dtype):
        return None
    if tensor.dtype not in ITEM_BITS:
        return f"dtype {tensor.dtype} is not known"
    return f"{tensor.dtype} holds no float weights"


def _module(name: str) -> str:
    return name.rpartition(".")[0]
