"""Torch archives on the Hub are read by ranges like anything else, and no pickle is run."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.numpy import save

from kinprint.fingerprint.file import digest_of
from kinprint.fingerprint.source import fingerprint_of
from weights import strangers

if TYPE_CHECKING:
    from hub_standin import HubStandIn

WEIGHTS = strangers(3, layers=6)


def archive(names: list[str]) -> bytes:
    content = io.BytesIO()
    torch.save({name: torch.from_numpy(WEIGHTS[name]) for name in names}, content)
    return content.getvalue()


def sharded() -> dict[str, bytes]:
    names = list(WEIGHTS)
    halves = {
        "pytorch_model-00001-of-00002.bin": names[:6],
        "pytorch_model-00002-of-00002.bin": names[6:],
    }
    weight_map = {name: file for file, part in halves.items() for name in part}
    index = {"metadata": {"total_size": 0}, "weight_map": weight_map}
    return {
        "pytorch_model.bin.index.json": json.dumps(index).encode(),
        **{file: archive(part) for file, part in halves.items()},
    }


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({"pytorch_model.bin": archive(list(WEIGHTS))}, id="one .bin"),
        pytest.param(sharded(), id="sharded .bin"),
        pytest.param({"consolidated.00.pth": archive(list(WEIGHTS))}, id=".pth"),
    ],
)
def test_an_archive_gives_the_fingerprint_of_the_same_weights_in_safetensors(
    connected_hub: HubStandIn, files: dict[str, bytes]
) -> None:
    connected_hub.repo("acme/plain").commit({"model.safetensors": save(WEIGHTS)})
    connected_hub.repo("acme/torch").commit(files)
    plain, packed = fingerprint_of("acme/plain"), fingerprint_of("acme/torch")
    assert digest_of(packed) == digest_of(plain)
    log = connected_hub.log
    small = log.bytes_sent("*/pytorch_model.bin.index.json", origin="api")
    assert packed.bytes_read == log.bytes_sent("acme/torch*", origin="cdn") + small
