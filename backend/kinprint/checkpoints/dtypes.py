"""The safetensors dtypes: their sizes, their decoding to floats, and what their rounding costs."""

from __future__ import annotations

from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

ITEM_BITS: Mapping[str, int] = MappingProxyType(
    {
        "BOOL": 8,
        "U8": 8,
        "I8": 8,
        "U16": 16,
        "I16": 16,
        "U32": 32,
        "I32": 32,
        "U64": 64,
        "I64": 64,
        "F4": 4,
        "F6_E2M3": 6,
        "F6_E3M2": 6,
        "F8_E5M2": 8,
        "F8_E4M3": 8,
        "F8_E4M3FNUZ": 8,
        "F8_E5M2FNUZ": 8,
        "F8_E8M0": 8,
        "F16": 16,
        "BF16": 16,
        "F32": 32,
        "F64": 64,
        "C64": 64,
    }
)
"""Bits of one element, for every dtype that safetensors 0.8 knows."""

_NUMPY: Mapping[str, Any] = {
    "F4": ml_dtypes.float4_e2m1fn,
    "F6_E2M3": ml_dtypes.float6_e2m3fn,
    "F6_E3M2": ml_dtypes.float6_e3m2fn,
    "F8_E5M2": ml_dtypes.float8_e5m2,
    "F8_E4M3": ml_dtypes.float8_e4m3fn,
    "F8_E4M3FNUZ": ml_dtypes.float8_e4m3fnuz,
    "F8_E5M2FNUZ": ml_dtypes.float8_e5m2fnuz,
    "F8_E8M0": ml_dtypes.float8_e8m0fnu,
    "F16": np.float16,
    "BF16": ml_dtypes.bfloat16,
    "F32": np.float32,
    "F64": np.float64,
}

PACKED = frozenset({"F4", "F6_E2M3", "F6_E3M2"})
"""Dtypes of less than a byte, which mean nothing without their block scales."""

SCALE_BLOCKS: Mapping[str, int] = MappingProxyType({"F8_E8M0": 32, "F8_E4M3": 16})
"""Dtype of a block-scale tensor → columns that share one scale.

The OCP Microscaling formats v1.0 scale 32 columns by a power of two; NVFP4 scales 16 by an E4M3.
"""

_FLOAT32_BIAS = 127
_EXPONENT_BITS = np.uint32(0x7F80_0000)
_WIDE_EXPONENT = frozenset({"BF16", "F32"})
_RUN = 512
_LONGEST_RUN = 8_192
_SAFE_SQUARES = (1e-20, 1e37)
"""Sums of float32 squares within these neither overflowed nor lost what matters to underflow."""
_SCALE_ONLY = "F8_E8M0"


def is_weight(dtype: str) -> bool:
    """Say whether a dtype holds weights: floats do; integers, bools, complex and scales do not."""
    return dtype in _NUMPY and dtype != _SCALE_ONLY


def numpy_dtype(dtype: str) -> Any:
    """Return the numpy dtype of a float dtype of at least eight bits.

    Raises:
        ValueError: The dtype is packed or holds no floats.
    """
    if dtype in PACKED or not is_weight(dtype):
        raise ValueError(f"dtype {dtype} does not decode to floats by itself")
    return np.dtype(_NUMPY[dtype])


def decode(raw: bytes, dtype: str) -> NDArray[np.floating[Any]]:
    """Turn stored little-endian bytes into floats.

    Args:
        raw: A whole number of elements.
        dtype: A float dtype of at least eight bits (`decode_packed` takes the narrower ones).

    Returns:
        Flat float32, float64 for ``F64``. Read-only where it shares memory with ``raw``.

    Raises:
        ValueError: The dtype is packed or holds no floats, or the bytes end inside an element.
    """
    if dtype == "BF16":
        # A bfloat16 is the upper half of a float32.
        widened: NDArray[np.uint32] = np.left_shift(np.frombuffer(raw, "<u2"), 16, dtype=np.uint32)
        return widened.view(np.float32)
    if dtype == "F32":
        return np.frombuffer(raw, "<f4")
    if dtype == "F16":
        return _widen_float16(raw)
    if dtype == "F64":
        return np.frombuffer(raw, "<f8")
    if ITEM_BITS.get(dtype) == 8 and dtype in _NUMPY:
        return _code_values(dtype).take(np.frombuffer(raw, np.uint8), mode="clip")
    raise ValueError(f"dtype {dtype} does not decode to floats by itself")


def encode(values: NDArray[np.floating[Any]], dtype: str) -> bytes:
    """Round floats to a dtype, float64 by way of float32 where it is narrow; little-endian.

    Args:
        values: Any shape, stored row-major. What is too large becomes infinite, or NaN where the
            dtype has no infinity.
        dtype: A float dtype of at least eight bits.

    Raises:
        ValueError: The dtype is packed or holds no floats.
    """
    if dtype in PACKED or not is_weight(dtype):
        raise ValueError(f"dtype {dtype} does not store floats by itself")
    with np.errstate(over="ignore"):
        return values.astype(_NUMPY[dtype]).tobytes()


def negated(raw: bytes, dtype: str) -> bytes:
    """Return stored floats times -1, bit for bit; twice gives the same bytes again.

    Raises:
        ValueError: The dtype is packed or holds no floats.
    """
    if dtype in PACKED or not is_weight(dtype):
        raise ValueError(f"dtype {dtype} does not store floats by itself")
    item_bytes = ITEM_BITS[dtype] // 8
    flipped = np.frombuffer(raw, np.uint8).copy()
    signs = flipped[item_bytes - 1 :: item_bytes]
    # These formats have one zero; the pattern of a negative one is their NaN.
    signs ^= np.where(signs & 0x7F, 0x80, 0).astype(np.uint8) if "FNUZ" in dtype else 0x80
    return flipped.tobytes()


def decode_packed(
    raw: bytes, dtype: str, scale_raw: bytes, scale_dtype: str
) -> NDArray[np.floating[Any]]:
    """Turn packed 4- or 6-bit floats and their block scales into floats.

    Elements are packed from the low bits up: the low nibble of a byte first, and four 6-bit
    elements in three bytes as one little-endian number. Both ranges must start at the same block
    and cover the same number of blocks, as whole rows always do.

    Args:
        raw: Packed elements, a whole number of blocks.
        dtype: ``F4``, ``F6_E2M3`` or ``F6_E3M2``.
        scale_raw: One scale for each block.
        scale_dtype: ``F8_E8M0`` or ``F8_E4M3``.

    Returns:
        Flat float32: element times scale of its block.

    Raises:
        ValueError: The numbers of elements and of scales do not fit.
    """
    codes, scales = _codes(raw, dtype), decode(scale_raw, scale_dtype)
    values = _code_values(dtype)[_by_block(codes, scales, scale_dtype)]
    values *= scales[:, None]
    return values.reshape(-1)


def rounding_variance(values: NDArray[np.floating[Any]], dtype: str) -> float:
    """Return mean ulp²/12, the variance that storing in ``dtype`` added to these values.

    Args:
        values: Decoded values (float32, or float64 for ``F64``); any shape. NaN and Inf count as
            exact.
        dtype: A float dtype of at least eight bits; ``F64`` gives 0.0.

    Returns:
        Variance in squared units of the values; 0.0 for no values.

    Raises:
        ValueError: The dtype has no ulp of its own (packed, integer, complex).
    """
    if dtype == "F64" or values.size == 0:
        return 0.0
    if dtype in PACKED or not is_weight(dtype):
        raise ValueError(f"dtype {dtype} has no ulp of its own")
    # All values of one binary exponent share an ulp.
    bits = np.ascontiguousarray(values, np.float32).reshape(-1).view(np.uint32)
    if bits.size % _RUN == 0 or bits.size <= _LONGEST_RUN:
        squares = _sum_of_squared_powers(bits, dtype)
        if _SAFE_SQUARES[0] < squares < _SAFE_SQUARES[1]:
            return squares * _squared_epsilon(dtype) / values.size / 12
    counts = np.bincount((bits >> 23) & 0xFF, minlength=256)
    return float(counts @ _squared_ulps(dtype)) / values.size / 12


def lattice_dtype(values: NDArray[np.floating[Any]], dtype: str) -> str:
    """Return the coarsest 16-bit float that holds every value, else the stored dtype.

    A copy that was rounded to 16 bits and saved as F32 keeps the coarse grid; its rounding is
    the coarse dtype's, whatever the file says.

    Args:
        values: Decoded values, any shape.
        dtype: The stored dtype.
    """
    if dtype != "F32":
        return dtype
    bits = np.ascontiguousarray(values, np.float32).reshape(-1).view(np.uint32)
    used = int(np.bitwise_or.reduce(bits)) if bits.size else 0
    if not used & 0xFFFF:
        return "BF16"
    if used & 0x1FFF:
        return dtype
    with np.errstate(over="ignore"):  # too large for float16: then it is none
        halves = np.asarray(values, np.float16)
    return "F16" if np.array_equal(halves.astype(np.float32), values) else dtype


def rounding_variance_packed(raw: bytes, dtype: str, scale_raw: bytes, scale_dtype: str) -> float:
    """Return mean ulp²/12 of packed elements, whose ulp grows with the scale of their block.

    Args and errors are those of `decode_packed`.
    """
    codes, scales = _codes(raw, dtype), decode(scale_raw, scale_dtype)
    if codes.size == 0:
        return 0.0
    exponents = np.frexp(_code_values(dtype).astype(np.float64))[1] - 1 + _FLOAT32_BIAS
    squared = _squared_ulps(dtype)[np.clip(exponents, 0, 254)]
    of_block = squared[_by_block(codes, scales, scale_dtype)].mean(axis=1)
    return float(np.mean(of_block * scales.astype(np.float64) ** 2)) / 12


def _sum_of_squared_powers(bits: NDArray[np.uint32], dtype: str) -> float:
    """Sum of (2^exponent)² over float32 bit patterns; many of them in whole runs of 512."""
    powers: NDArray[np.float32] = (bits & _EXPONENT_BITS).view(np.float32)
    if dtype not in _WIDE_EXPONENT:
        np.maximum(powers, _smallest_normal(dtype), out=powers)
    runs = powers[None] if powers.size % _RUN else powers.reshape(-1, _RUN)
    with np.errstate(over="ignore"):
        return float(np.vecdot(runs, runs).sum(dtype=np.float64))


@cache
def _smallest_normal(dtype: str) -> np.float32:
    info: Any = ml_dtypes.finfo(_NUMPY[dtype])  # type: ignore[no-untyped-call]
    return np.float32(info.smallest_normal)


@cache
def _squared_epsilon(dtype: str) -> float:
    info: Any = ml_dtypes.finfo(_NUMPY[dtype])  # type: ignore[no-untyped-call]
    return float(4.0**-info.nmant)


def _widen_float16(raw: bytes) -> NDArray[np.floating[Any]]:
    """Widen float16 by moving its bits, five times as fast as numpy's own conversion."""
    halves = np.frombuffer(raw, "<i2")
    if halves.size and (halves & 0x7FFF).max() >= 0x7C00:
        # Inf and NaN have an exponent of their own, which moving bits does not reach.
        return halves.view("<f2").astype("<f4")
    bits = halves.astype("<i4")
    bits <<= 13
    bits &= np.int32(-0x7000_2000)
    values = bits.view("<f4")
    values *= np.float32(2.0**112)
    return values


def _codes(raw: bytes, dtype: str) -> NDArray[np.uint8]:
    """Unpack elements of four or six bits to one byte each."""
    packed = np.frombuffer(raw, np.uint8)
    if dtype == "F4":
        return np.stack((packed & 0xF, packed >> 4), axis=1).reshape(-1)
    if dtype not in PACKED:
        raise ValueError(f"dtype {dtype} is not packed")
    triples = packed.reshape(-1, 3).astype(np.uint32)
    words = triples[:, 0] | triples[:, 1] << 8 | triples[:, 2] << 16
    shifts = np.array([0, 6, 12, 18], np.uint32)
    return ((words[:, None] >> shifts) & 0x3F).astype(np.uint8).reshape(-1)


def _by_block(
    codes: NDArray[np.uint8], scales: NDArray[np.floating[Any]], scale_dtype: str
) -> NDArray[np.uint8]:
    """Lay codes out as blocks x columns of one scale."""
    block = SCALE_BLOCKS[scale_dtype]
    if codes.size != scales.size * block:
        raise ValueError(f"{codes.size} elements do not fit {scales.size} scales of {block}")
    return codes.reshape(scales.size, block)


@cache
def _code_values(dtype: str) -> NDArray[np.float32]:
    """Float32 value of each bit pattern of a dtype of at most eight bits."""
    codes = np.arange(2 ** ITEM_BITS[dtype], dtype=np.uint8)
    values: NDArray[np.float32] = codes.view(_NUMPY[dtype]).astype(np.float32)
    return values


@cache
def _squared_ulps(dtype: str) -> NDArray[np.float64]:
    """Squared ulp of a dtype for each biased exponent of float32; 0 for NaN and Inf."""
    info: Any = ml_dtypes.finfo(_NUMPY[dtype])  # type: ignore[no-untyped-call]
    exponents = np.arange(256) - _FLOAT32_BIAS - info.nmant
    ulps: NDArray[np.float64] = np.maximum(np.ldexp(1.0, exponents), float(info.smallest_subnormal))
    ulps[255] = 0.0
    return ulps**2
