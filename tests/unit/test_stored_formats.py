"""Every float format of safetensors, from a file on disk to the same hash as in float32."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import ml_dtypes
import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from hostile_files import entry, safetensors_file
from kinprint.checkpoints.local import LocalCheckpoint
from kinprint.fingerprint.take import take

if TYPE_CHECKING:
    from pathlib import Path

    from kinprint.fingerprint.record import Fingerprint

SHAPE = (96, 384)
VALUES = np.random.default_rng(0).standard_normal(SHAPE).astype(np.float32)
WHOLE = {
    "F8_E5M2": ml_dtypes.float8_e5m2,
    "F8_E4M3": ml_dtypes.float8_e4m3fn,
    "F8_E4M3FNUZ": ml_dtypes.float8_e4m3fnuz,
    "F8_E5M2FNUZ": ml_dtypes.float8_e5m2fnuz,
    "F16": np.float16,
    "BF16": ml_dtypes.bfloat16,
    "F32": np.float32,
    "F64": np.float64,
}
PACKED = {
    "F4": (ml_dtypes.float4_e2m1fn, 4),
    "F6_E2M3": (ml_dtypes.float6_e2m3fn, 6),
    "F6_E3M2": (ml_dtypes.float6_e3m2fn, 6),
}


def read(folder: Path, header: dict, body: bytes) -> Fingerprint:
    path = folder / f"{len(list(folder.iterdir()))}.safetensors"
    path.write_bytes(safetensors_file(header, body))
    with closing(LocalCheckpoint(path)) as checkpoint:
        return take(checkpoint)


def in_float32(folder: Path, values: np.ndarray) -> Fingerprint:
    body = values.astype(np.float32).tobytes()
    return read(folder, {"w": entry("F32", list(SHAPE), 0, len(body))}, body)


def packed_bits(codes: np.ndarray, width: int) -> bytes:
    """Lay codes out from the low bits up."""
    bits = (codes.reshape(-1, 1) >> np.arange(width)) & 1
    return np.packbits(bits.astype(np.uint8), bitorder="little").tobytes()


@pytest.mark.parametrize("dtype", WHOLE)
def test_a_float_format_hashes_as_its_values_do(dtype: str, tmp_path: Path) -> None:
    stored = VALUES.astype(WHOLE[dtype])
    body = stored.tobytes()
    found = read(tmp_path, {"w": entry(dtype, list(SHAPE), 0, len(body))}, body)
    assert found.views[0].dtype == dtype
    same = in_float32(tmp_path, stored.astype(np.float32))
    np.testing.assert_array_equal(found.blocks.phash, same.blocks.phash)


@pytest.mark.parametrize("dtype", PACKED)
def test_a_packed_format_hashes_as_its_values_times_their_scales(
    dtype: str, tmp_path: Path
) -> None:
    element, width = PACKED[dtype]
    stored = VALUES.astype(element)
    exponents = np.random.default_rng(1).integers(-3, 4, (SHAPE[0], SHAPE[1] // 32))
    body = packed_bits(stored.view(np.uint8), width)
    scales = (exponents + 127).astype(np.uint8).tobytes()
    header = {
        "m.weight": entry(dtype, list(SHAPE), 0, len(body)),
        "m.weight_scale": entry(
            "F8_E8M0", list(exponents.shape), len(body), len(body) + len(scales)
        ),
    }
    found = read(tmp_path, header, body + scales)
    values = stored.astype(np.float32) * np.repeat(np.exp2(exponents), 32, axis=1)
    np.testing.assert_array_equal(found.blocks.phash, in_float32(tmp_path, values).blocks.phash)


def test_the_number_of_threads_changes_nothing(tmp_path: Path) -> None:
    found = []
    for threads in (1, 2, 4):
        with threadpool_limits(threads):
            found.append(in_float32(tmp_path, VALUES).blocks)
    for name, column in vars(found[0]).items():
        for other in found[1:]:
            np.testing.assert_array_equal(getattr(other, name), column, err_msg=name)
