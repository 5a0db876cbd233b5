"""Every dtype that holds weights decodes to the floats that were stored."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinprint.checkpoints.dtypes import (
    ITEM_BITS,
    PACKED,
    decode,
    decode_packed,
    is_weight,
    lattice_dtype,
    rounding_variance,
    rounding_variance_packed,
)

REFERENCE = {
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
LATTICES = ["F8_E5M2", "F8_E4M3", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "F16", "BF16"]


@pytest.mark.parametrize("dtype", ["F8_E5M2", "F8_E4M3", "F8_E8M0", "F16", "BF16"])
def test_every_bit_pattern_decodes_as_its_format_says(dtype):
    patterns = np.arange(2 ** ITEM_BITS[dtype], dtype=f"<u{ITEM_BITS[dtype] // 8}")
    with np.errstate(invalid="ignore"):
        expected = patterns.view(REFERENCE[dtype]).astype(np.float32)
    decoded = decode(patterns.tobytes(), dtype)
    assert decoded.dtype == np.float32
    np.testing.assert_array_equal(decoded, expected)


@pytest.mark.parametrize("dtype", sorted(REFERENCE))
@given(values=st.lists(st.floats(-400, 400), max_size=50))
def test_stored_values_come_back(dtype, values):
    with np.errstate(over="ignore", under="ignore"):
        stored = np.array(values, np.float64).astype(REFERENCE[dtype])
        expected = stored.astype(np.float64)
        np.testing.assert_array_equal(decode(stored.tobytes(), dtype), expected)


def test_float16_without_infinities_keeps_its_subnormals():
    halves = np.array([6e-8, -6e-8, 5.96e-5, 1.0, -65504.0], np.float16)
    np.testing.assert_array_equal(decode(halves.tobytes(), "F16"), halves.astype(np.float32))


def test_f64_stays_f64():
    assert decode(np.array([1e300]).tobytes(), "F64")[0] == 1e300


@pytest.mark.parametrize("dtype", ["I64", "BOOL", "U8", "C64", "F4", "F6_E2M3", "XYZ"])
def test_what_is_no_float_by_itself_is_refused(dtype):
    with pytest.raises(ValueError, match=dtype):
        decode(bytes(24), dtype)


def test_integers_bools_complex_and_scales_are_no_weights():
    weights = {dtype for dtype in ITEM_BITS if is_weight(dtype)}
    assert weights == {*LATTICES, "F32", "F64", *PACKED}
    assert not is_weight("unheard of")


def test_the_low_nibble_comes_first():
    packed = bytes([0x21] + [0] * 15)
    np.testing.assert_array_equal(
        decode_packed(packed, "F4", b"\x80", "F8_E8M0"), [1.0, 2.0] + [0.0] * 30
    )


@given(
    st.data(), st.sampled_from(sorted(PACKED)), st.sampled_from([("F8_E8M0", 32), ("F8_E4M3", 16)])
)
def test_packed_blocks_decode_to_element_times_scale(data, dtype, scaling):
    scale_dtype, block = scaling
    bits = ITEM_BITS[dtype]
    blocks = data.draw(st.integers(1, 4))
    codes = data.draw(
        st.lists(st.integers(0, 2**bits - 1), min_size=blocks * block, max_size=blocks * block)
    )
    number = sum(code << bits * place for place, code in enumerate(codes))
    raw = number.to_bytes(len(codes) * bits // 8, "little")
    scales = np.array(
        data.draw(st.lists(st.sampled_from([0.5, 1, 4]), min_size=blocks, max_size=blocks))
    )
    scale_raw = scales.astype(REFERENCE[scale_dtype]).tobytes()
    format_ = {"F4": "float4_e2m1fn", "F6_E2M3": "float6_e2m3fn", "F6_E3M2": "float6_e3m2fn"}[dtype]
    elements = np.array(codes, np.uint8).view(getattr(ml_dtypes, format_)).astype(np.float32)
    np.testing.assert_array_equal(
        decode_packed(raw, dtype, scale_raw, scale_dtype), elements * np.repeat(scales, block)
    )


def test_scales_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="do not fit"):
        decode_packed(bytes(16), "F4", b"\x7f\x7f", "F8_E8M0")


@pytest.mark.parametrize("dtype", LATTICES)
def test_rounding_variance_is_what_rounding_did(dtype):
    exact = np.random.default_rng(0).standard_normal(200_000)
    stored = decode(exact.astype(REFERENCE[dtype]).tobytes(), dtype)
    measured = np.mean((stored - exact) ** 2)
    # E5M2 has four steps an octave, so values pile up at its borders: the formula reads 16 % high.
    assert rounding_variance(stored, dtype) == pytest.approx(measured, rel=0.2)


def test_rounding_variance_below_the_smallest_normal_is_that_of_its_lattice():
    zeros = np.zeros(10, np.float32)
    assert rounding_variance(zeros, "F16") == pytest.approx((2.0**-24) ** 2 / 12)


def test_rounding_variance_of_exact_or_missing_values_is_zero():
    assert rounding_variance(np.ones(3), "F64") == 0.0
    assert rounding_variance(np.ones(0, np.float32), "BF16") == 0.0
    assert rounding_variance(np.array([np.inf, np.nan], np.float32), "F32") == 0.0


def test_rounding_variance_needs_a_dtype_of_its_own_lattice():
    with pytest.raises(ValueError, match="F4"):
        rounding_variance(np.ones(3, np.float32), "F4")


def test_rounding_variance_of_packed_elements_grows_with_the_square_of_their_scale():
    ones = bytes([0x22]) * 16
    unit = rounding_variance_packed(ones, "F4", b"\x7f", "F8_E8M0")
    assert unit == pytest.approx(0.5**2 / 12)
    assert rounding_variance_packed(ones, "F4", b"\x81", "F8_E8M0") == pytest.approx(16 * unit)
    assert rounding_variance_packed(b"", "F4", b"", "F8_E8M0") == 0.0


def test_values_that_were_rounded_before_they_were_widened_are_recognised():
    exact = np.random.default_rng(0).standard_normal(100).astype(np.float32)
    assert lattice_dtype(exact, "F32") == "F32"
    assert lattice_dtype(exact.astype(ml_dtypes.bfloat16).astype(np.float32), "F32") == "BF16"
    assert lattice_dtype(exact.astype(np.float16).astype(np.float32), "F32") == "F16"
    assert lattice_dtype(exact * 0, "BF16") == "BF16"
    assert lattice_dtype(np.array([70_016.0, 1.0009765625], np.float32), "F32") == "F32"
