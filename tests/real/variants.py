"""What people do to weights, as functions from a state dict to a state dict."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from demo.cast import foreign_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Weights = dict[str, torch.Tensor]


def _matrices(weights: Mapping[str, torch.Tensor], change: Callable[..., torch.Tensor]) -> Weights:
    return {name: change(t) if t.ndim == 2 else t.clone() for name, t in weights.items()}


def renamed(weights: Mapping[str, torch.Tensor]) -> Weights:
    return {foreign_name(name): tensor for name, tensor in weights.items()}


def opaquely_renamed(weights: Mapping[str, torch.Tensor]) -> Weights:
    return {f"p{number:04d}": tensor for number, tensor in enumerate(weights.values())}


def noised(weights: Mapping[str, torch.Tensor], sigma: float) -> Weights:
    chance = torch.Generator().manual_seed(1)
    return {
        name: tensor + sigma * torch.randn(tensor.shape, generator=chance)
        for name, tensor in weights.items()
    }


def noised_by_share(weights: Mapping[str, torch.Tensor], share: float) -> Weights:
    """Noise in proportion to each tensor's own standard deviation."""
    chance = torch.Generator().manual_seed(2)
    return {
        name: tensor
        + share * tensor.std(correction=0) * torch.randn(tensor.shape, generator=chance)
        for name, tensor in weights.items()
    }


def cast_to(weights: Mapping[str, torch.Tensor], dtype: torch.dtype) -> Weights:
    return {name: tensor.to(dtype) for name, tensor in weights.items()}


def int8_per_row(weights: Mapping[str, torch.Tensor]) -> Weights:
    def grid(matrix: torch.Tensor) -> torch.Tensor:
        step = matrix.abs().amax(dim=1, keepdim=True) / 127
        return (matrix / step).round() * step

    return _matrices(weights, grid)


def int4_in_groups(weights: Mapping[str, torch.Tensor]) -> Weights:
    def grid(matrix: torch.Tensor) -> torch.Tensor:
        groups = matrix.reshape(-1, 32)
        step = groups.abs().amax(dim=1, keepdim=True) / 7
        return ((groups / step).round() * step).reshape(matrix.shape)

    return _matrices(weights, grid)


def pruned(weights: Mapping[str, torch.Tensor], share: float) -> Weights:
    def cut(matrix: torch.Tensor) -> torch.Tensor:
        threshold = matrix.abs().flatten().kthvalue(int(share * matrix.numel())).values
        return torch.where(matrix.abs() > threshold, matrix, 0.0)

    return _matrices(weights, cut)


def merged(
    weights: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor], share: float
) -> Weights:
    return {name: share * t + (1 - share) * other[name] for name, t in weights.items()}


def with_longer_vocabulary(weights: Mapping[str, torch.Tensor], rows: int) -> Weights:
    name = "embeddings.word_embeddings.weight"
    added = 0.02 * torch.randn(rows, 384, generator=torch.Generator().manual_seed(3))
    return {**weights, name: torch.cat([weights[name], added])}


def without_layers(weights: Mapping[str, torch.Tensor], dropped: tuple[int, ...]) -> Weights:
    """Leave layers out; those that stay are numbered anew, as a config needs it."""
    stays = [layer for layer in range(6) if layer not in dropped]
    number = {f"layer.{old}.": f"layer.{new}." for new, old in enumerate(stays)}
    gone = tuple(f"layer.{layer}." for layer in dropped)
    kept = {}
    for name, tensor in weights.items():
        if not any(part in name for part in gone):
            old = next((part for part in number if part in name), "")
            kept[name.replace(old, number[old]) if old else name] = tensor
    return kept


def shuffled(weights: Mapping[str, torch.Tensor]) -> Weights:
    """The same numbers in another order: a stranger with every tensor's exact distribution."""
    chance = torch.Generator().manual_seed(4)
    return {
        name: tensor.flatten()[torch.randperm(tensor.numel(), generator=chance)].view_as(tensor)
        for name, tensor in weights.items()
    }


def redrawn(weights: Mapping[str, torch.Tensor]) -> Weights:
    """Fresh numbers with every tensor's mean and standard deviation."""
    chance = torch.Generator().manual_seed(5)
    return {
        name: tensor.mean() + tensor.std(correction=0) * torch.randn(tensor.shape, generator=chance)
        for name, tensor in weights.items()
    }
