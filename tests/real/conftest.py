"""Real weights: the demo's cast, and variants of its original made on the spot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from demo import cast as casting
from safetensors.torch import load_file, save_file

from real.reading import Read, fingerprint_of_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import torch

    from kinprint.fingerprint.record import Fingerprint


@pytest.fixture(scope="session")
def cast() -> casting.Cast:
    return casting.make_cast()


@pytest.fixture(scope="session")
def original() -> dict[str, torch.Tensor]:
    return casting.original_weights()


@pytest.fixture(scope="session")
def original_print(cast: casting.Cast) -> Fingerprint:
    return fingerprint_of_folder(cast.original)


@pytest.fixture(scope="session")
def child_print(cast: casting.Cast) -> Fingerprint:
    return fingerprint_of_folder(cast.child)


@pytest.fixture(scope="session")
def stranger(cast: casting.Cast) -> dict[str, torch.Tensor]:
    return load_file(cast.stranger / "model.safetensors")


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def write_and_read(weights: Mapping[str, torch.Tensor]) -> Fingerprint:
        folder = tmp_path / f"checkpoint-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        whole = {name: tensor.contiguous() for name, tensor in weights.items()}
        save_file(whole, folder / "model.safetensors")
        return fingerprint_of_folder(folder)

    return write_and_read
