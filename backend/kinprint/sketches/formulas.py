"""The one list of matrices that code computes rather than training finds, with parameter grids.

Each formula gives the value at row i, column j of a rows x cols matrix, so that any block of it can
be evaluated alone. Constants and sums of a row and a column term (position ids, ranges, mesh
grids) need no entry: they vanish under double centring, and ``generated`` tests for that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Index = NDArray[np.int64]
    Matrix = NDArray[np.float64]
    Cell = Callable[..., Matrix]


@dataclass(frozen=True)
class Formula:
    """A generator of matrices.

    Attributes:
        name: What a fingerprint says of a view that it generates.
        cell: Called as ``cell(i, j, rows, cols, *parameters)`` with int64 (n, 1) and (1, m);
            returns float (n, m).
        grid: Values tried of each parameter.
        diagonal: At most a few cells of each row are not zero, so it is tested cell by cell.
    """

    name: str
    cell: Cell
    grid: tuple[tuple[Any, ...], ...] = ()
    diagonal: bool = False

    def entries(self) -> Iterator[tuple[Any, ...]]:
        """Yield every combination of parameters."""
        return product(*self.grid)


def identity(i: Index, j: Index, _rows: int, _cols: int) -> Matrix:
    """``torch.nn.init.eye_``: 1 where i = j."""
    return np.asarray(i == j, np.float64)


def dirac(i: Index, j: Index, _rows: int, _cols: int, taps: int) -> Matrix:
    """``torch.nn.init.dirac_``: a convolution kernel of ``taps`` cells that copies its input."""
    return np.asarray(j == i * taps + taps // 2, np.float64)


def bilinear(i: Index, j: Index, _rows: int, _cols: int, width: int) -> Matrix:
    """Bilinear upsampling kernel of a transposed convolution, as FCN initialises it."""
    tap, half = j % width**2, (width + 1) // 2
    middle = half - 1 if width % 2 else half - 0.5
    across = 1 - np.abs(tap % width - middle) / half
    down = 1 - np.abs(tap // width - middle) / half
    return np.asarray((i == j // width**2) * across * down)


def causal(i: Index, j: Index, _rows: int, _cols: int, diagonal: int) -> Matrix:
    """``torch.tril``; its complement and additive masks differ by a factor and a constant."""
    return np.asarray(j <= i + diagonal, np.float64)


def band(i: Index, j: Index, _rows: int, _cols: int, width: int, both_sides: bool) -> Matrix:
    """Sliding-window mask: j within ``width`` cells of i, before it or on both sides."""
    return np.asarray((i - j < width) & (j - i < (width if both_sides else 1)), np.float64)


def distance(i: Index, j: Index, _rows: int, _cols: int) -> Matrix:
    """|i − j|, the ALiBi bias of one head (Press et al., 2022)."""
    return np.asarray(np.abs(i - j), np.float64)


def alibi(i: Index, j: Index, rows: int, _cols: int) -> Matrix:
    """ALiBi biases of all heads (rows): slope of the head times position."""
    return np.asarray(np.exp2(-8.0 * (i + 1) / rows) * j)


def _angle(position: Index | Matrix, pair: Index | Matrix, pairs: float, base: float) -> Matrix:
    return np.asarray(position * base ** (-pair / pairs))


def sinusoid(
    i: Index, j: Index, _rows: int, cols: int, halves: bool, shift: int, base: float, offset: int
) -> Matrix:
    """Sinusoidal positions (Vaswani et al., 2017), interleaved or sines before cosines."""
    half = max(cols // 2, 2)
    pair, second = (j % half, j >= half) if halves else (j // 2, j % 2 == 1)
    angle = _angle(i + offset, pair, half - shift, base)
    return np.where(second, np.cos(angle), np.sin(angle))


def sinusoid_cosine_first(
    i: Index, j: Index, rows: int, cols: int, halves: bool, shift: int, base: float
) -> Matrix:
    """The same with cosines first, as diffusion models have it."""
    swapped = (j + cols // 2) % cols if halves else j ^ 1
    return sinusoid(i, swapped, rows, cols, halves, shift, base, 0)


def sinusoid_2d(
    i: Index, j: Index, rows: int, cols: int, extra: int, base: float, down_first: bool
) -> Matrix:
    """Positions of a square grid of patches, half the columns an axis (He et al., MAE, 2022)."""
    side = max(round((rows - extra) ** 0.5), 1)
    quarter = max(cols // 4, 1)
    across, down = (i - extra) % side, (i - extra) // side
    first_half = j < 2 * quarter
    place = np.where(first_half == down_first, down, across)
    angle = _angle(place, j % quarter, quarter, base)
    return np.where(i < extra, 0.0, np.where(j // quarter % 2 == 1, np.cos(angle), np.sin(angle)))


def rotary(
    i: Index, j: Index, _rows: int, cols: int, layout: str, is_sine: bool, base: float
) -> Matrix:
    """Tables of rotary positions (Su et al., 2021): each frequency once or twice."""
    half = max(cols // 2, 1)
    pair, pairs = {"halves": (j % half, half), "pairs": (j // 2, half), "once": (j, cols)}[layout]
    angle = _angle(i, pair, pairs, base)
    return np.asarray(np.sin(angle) if is_sine else np.cos(angle))


def dct(i: Index, j: Index, _rows: int, cols: int) -> Matrix:
    """Orthonormal DCT of type II, cols points."""
    return np.asarray(np.where(i == 0, 0.5**0.5, 1.0) * np.cos(np.pi / cols * (j + 0.5) * i))


def fourier(i: Index, j: Index, _rows: int, cols: int, window: str) -> Matrix:
    """Fourier basis of a spectrogram layer: cosines, then sines, under a window."""
    cut = cols // 2 + 1
    angle = 2 * np.pi / cols * (i % cut) * j
    hann = 0.5 - 0.5 * np.cos(2 * np.pi / cols * j) if window == "hann" else 1.0
    return np.asarray(np.where(i < cut, np.cos(angle), -np.sin(angle)) * hann)


def hadamard(i: Index, j: Index, _rows: int, _cols: int) -> Matrix:
    """Sylvester's Hadamard matrix."""
    return np.asarray(1.0 - 2.0 * (np.bitwise_count(i & j) % 2))


def mel(
    i: Index, j: Index, rows: int, cols: int, rate_hz: int, scale: str, normalised: bool
) -> Matrix:
    """Mel filter bank of ``rows`` triangles over ``cols`` = n_fft/2 + 1 frequencies.

    Slaney's scale is linear below 1 kHz and logarithmic above; HTK's is 2595·log10(1 + f/700).
    """
    frequency = j * (rate_hz / 2 / max(cols - 1, 1))
    edges = np.linspace(0.0, _to_mel(rate_hz / 2, scale), rows + 2)
    low, middle, high = (_to_hertz(edges[i + step], scale) for step in range(3))
    rising, falling = (frequency - low) / (middle - low), (high - frequency) / (high - middle)
    weight = np.maximum(0.0, np.minimum(rising, falling))
    return np.asarray(weight * (2.0 / (high - low)) if normalised else weight)


_LINEAR_HZ_PER_MEL = 200 / 3
_LOG_STEP = math.log(6.4) / 27


def _to_mel(hertz: float, scale: str) -> float:
    if scale == "htk":
        return 2595.0 * math.log10(1.0 + hertz / 700.0)
    if hertz < 1000:
        return hertz / _LINEAR_HZ_PER_MEL
    return 15.0 + math.log(hertz / 1000.0) / _LOG_STEP


def _to_hertz(mels: Matrix, scale: str) -> Matrix:
    if scale == "htk":
        return 700.0 * (10.0 ** (mels / 2595.0) - 1.0)
    above = 1000.0 * np.exp(_LOG_STEP * np.maximum(mels - 15.0, 0.0))
    return np.where(mels < 15.0, mels * _LINEAR_HZ_PER_MEL, above)


_NO_YES = (False, True)
_BASES = (100.0, 1_000.0, 10_000.0, 500_000.0, 1_000_000.0)

FORMULAS = (
    Formula("identity", identity, diagonal=True),
    Formula("dirac", dirac, ((3, 5, 7, 9, 25, 27, 49),), diagonal=True),
    Formula("bilinear", bilinear, ((3, 4, 8, 16),), diagonal=True),
    Formula("mask", causal, ((0, -1),)),
    Formula("mask", band, ((2, 4, 8, 16), _NO_YES), diagonal=True),
    Formula("mask", band, ((32, 64, 128, 256, 512), _NO_YES)),
    Formula("distance", distance),
    Formula("alibi", alibi),
    Formula("sinusoid", sinusoid, (_NO_YES, (0, 1), _BASES, (0, 1, 2))),
    Formula("sinusoid", sinusoid_cosine_first, (_NO_YES, (0, 1), _BASES)),
    Formula("sinusoid", sinusoid_2d, ((0, 1), (10_000.0,), _NO_YES)),
    Formula("rotary", rotary, (("halves", "pairs", "once"), _NO_YES, _BASES)),
    Formula("dct", dct),
    Formula("fourier", fourier, (("none", "hann"),)),
    Formula("hadamard", hadamard),
    Formula(
        "mel", mel, ((8_000, 16_000, 22_050, 24_000, 44_100, 48_000), ("slaney", "htk"), _NO_YES)
    ),
)
