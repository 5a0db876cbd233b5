"""Which of several tensors of one shape is which, by their values, then by their places."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from kinprint.checkpoints.dtypes import decode, encode
from kinprint.lineage.thresholds import (
    PAIRED_CORRELATION_IN_PLACE,
    PAIRED_LN_ODDS,
    RIVAL_RESIDUAL_RATIO,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from kinprint.experiment.places import Places

FoundBy = Literal["sketch", "values", "place", "tied"]
"""Why two tensors are taken for partners: their sketches, their values, the place among matched
tensors, or that the original holds the partner twice."""

_TINY = 1e-12
_SIGNIFICANT_SDS = 5.0


@dataclass(frozen=True, slots=True)
class Contestant:
    """A view that needs a partner.

    Attributes:
        view: Index into its fingerprint's views.
        name: State-dict key of its tensor.
        dtype: Stored dtype.
        raw: Stored bytes of the compared cells.
    """

    view: int
    name: str
    dtype: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class Found:
    """A pair: indices of the suspect's and the original's view."""

    suspect: int
    original: int
    negated: bool = False
    found_by: FoundBy = "sketch"
    is_anchor: bool = True


class Contest:
    """Tensors of one shape on both sides, and what is decided among them so far.

    Args:
        suspects: The suspect's, all of one shape.
        originals: The original's, of the same shape.
        sketched: Their sketches matched, so that equal ones on one side are one tensor, stored
            twice.

    Attributes:
        suspects: (view, key) of those of the suspect that have no partner yet.
        originals: The same of the original.
        copies: Views of the suspect that repeat another one.
    """

    def __init__(
        self,
        suspects: Sequence[Contestant],
        originals: Sequence[Contestant],
        *,
        sketched: bool,
    ) -> None:
        self._sketched = sketched
        self._found: list[Found] = []
        self._alike: list[tuple[list[int], list[int]]] = []
        self._tied: dict[int, list[int]] = {}
        self.copies: tuple[int, ...] = ()
        if sketched:
            repeated = _by_content(suspects)
            self.copies = tuple(each.view for same in repeated.values() for each in same[1:])
            suspects = [same[0] for same in repeated.values()]
            tied = list(_by_content(originals).values())
            self._tied = {same[0].view: [each.view for each in same[1:]] for same in tied}
            originals = [same[0] for same in tied]
        left, free = self._pair_equals(suspects, originals)
        self.suspects = [(each.view, each.name) for each in left]
        self.originals = [(each.view, each.name) for each in free]
        x, y = _values(left), _values(free)
        self._cells = x.shape[1]
        self._correlation = x @ y.T if left and free else np.zeros((len(left), len(free)))

    @property
    def found(self) -> tuple[Found, ...]:
        """The pairs decided, and for each the other places where the original holds the same."""
        return tuple(
            each
            for pair in self._found
            for each in (
                pair,
                *(
                    replace(pair, original=view, found_by="tied", is_anchor=False)
                    for view in self._tied.get(pair.original, ())
                ),
            )
        )

    def decide_by_values(self, *, least: float) -> None:
        """Pair what is clearly nearest both ways, at a correlation of ``least`` or more."""
        if self._correlation.size:
            self._take(self._clear(np.ones(self._correlation.shape, bool), least), "values")

    def decide_by_places(self, places: Places) -> bool:
        """Pair what its surroundings leave one partner for; say whether there was any."""
        if not self.suspects or not self.originals:
            return False
        agree = np.array(
            [
                [
                    places.agree(name, other) and (self._sketched or places.tells(name, other))
                    for _, other in self.originals
                ]
                for _, name in self.suspects
            ]
        )
        clear = self._clear(agree, PAIRED_CORRELATION_IN_PLACE)
        alone = agree & (agree.sum(1, keepdims=True) == 1) & (agree.sum(0, keepdims=True) == 1)
        chosen = clear | (alone & ~clear.any(1, keepdims=True) & ~clear.any(0, keepdims=True))
        return self._take(chosen, "place", places)

    def decide_by_order(self) -> None:
        """Pair what is equal to the bit and still open, in the order of both checkpoints.

        The last step: nothing more can be decided afterwards.
        """
        for suspects, originals in self._alike:
            left = [view for view, _ in self.suspects if view in suspects]
            free = [view for view, _ in self.originals if view in originals]
            pairs = list(zip(left, free, strict=False))
            self._found += [Found(one, other, found_by="values") for one, other in pairs]
            self.suspects = [e for e in self.suspects if e[0] not in {one for one, _ in pairs}]
            self.originals = [e for e in self.originals if e[0] not in {two for _, two in pairs}]

    def _pair_equals(
        self, suspects: Sequence[Contestant], originals: Sequence[Contestant]
    ) -> tuple[list[Contestant], list[Contestant]]:
        """Pair what is equal to the bit once the original is rounded to the suspect's dtype."""
        left: list[Contestant] = []
        free = {each.view: each for each in originals}
        for dtype in dict.fromkeys(each.dtype for each in suspects):
            rounded: dict[bytes, list[Contestant]] = {}
            for each in free.values():
                rounded.setdefault(_rounded(each, dtype), []).append(each)
            mine = [each for each in suspects if each.dtype == dtype]
            for (_, raw), equals in _by_content(mine).items():
                partners = rounded.get(raw, [])
                if len(equals) != len(partners):
                    # Which of the original's keys have none is for the places to say.
                    if partners:
                        self._alike.append(([e.view for e in equals], [e.view for e in partners]))
                    left += equals
                    continue
                # Which of several equal ones is which does not matter to what is written.
                single = len(equals) == 1
                for one, other in zip(equals, partners, strict=True):
                    self._found.append(
                        Found(one.view, other.view, found_by="values", is_anchor=single)
                    )
                    del free[other.view]
        return left, list(free.values())

    def _clear(self, allowed: NDArray[np.bool_], least: float) -> NDArray[np.bool_]:
        """Bool (suspects, originals): nearest of the row's by odds, of the column's by residual."""
        squared = np.where(allowed, np.minimum(self._correlation**2, 1.0), 0.0)
        left_over = np.maximum(1.0 - squared, _TINY)
        log_left = np.log(left_over)
        nearest = log_left.argmin(1)
        rows = np.arange(len(nearest))
        own = log_left[rows, nearest]
        others = log_left.copy()
        others[rows, nearest] = 0.0
        lead = self._cells / 2 * (others.min(1) - own)
        claims = np.zeros_like(allowed)
        claims[rows, nearest] = (
            (lead >= PAIRED_LN_ODDS) & (squared[rows, nearest] >= least**2) & allowed[rows, nearest]
        )
        for column in np.flatnonzero(claims.sum(0) > 1):
            rivals = np.flatnonzero(claims[:, column])
            in_order = rivals[np.argsort(left_over[rivals, column])]
            best, second = left_over[in_order[:2], column]
            claims[in_order[1:], column] = False
            claims[in_order[0], column] = second >= RIVAL_RESIDUAL_RATIO * best
        return claims

    def _take(
        self, chosen: NDArray[np.bool_], found_by: FoundBy, places: Places | None = None
    ) -> bool:
        pairs = [(int(i), int(j)) for i, j in np.argwhere(chosen)]
        for i, j in pairs:
            (view, name), (other, _) = self.suspects[i], self.originals[j]
            value = float(self._correlation[i, j])
            negated = value < 0
            if places is not None and abs(value) < _SIGNIFICANT_SDS / np.sqrt(self._cells):
                negated = places.negates(name)
            self._found.append(Found(view, other, negated, found_by))
        keep_s = np.setdiff1d(np.arange(len(self.suspects)), [i for i, _ in pairs])
        keep_o = np.setdiff1d(np.arange(len(self.originals)), [j for _, j in pairs])
        self.suspects = [self.suspects[i] for i in keep_s]
        self.originals = [self.originals[j] for j in keep_o]
        self._correlation = self._correlation[np.ix_(keep_s, keep_o)]
        return bool(pairs)


def _values(contestants: Sequence[Contestant]) -> NDArray[np.float64]:
    """Float64 (n, cells), each row centred and of norm 1; all zero where it is constant."""
    if not contestants:
        return np.zeros((0, 0))
    rows = np.stack([decode(each.raw, each.dtype).astype(np.float64) for each in contestants])
    rows[~np.isfinite(rows).all(1)] = 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        rows -= rows.mean(1, keepdims=True)
        scale: NDArray[np.float64] = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(scale > _TINY, scale, np.inf)


def _by_content(contestants: Sequence[Contestant]) -> dict[tuple[str, bytes], list[Contestant]]:
    same: dict[tuple[str, bytes], list[Contestant]] = {}
    for each in contestants:
        same.setdefault((each.dtype, each.raw), []).append(each)
    return same


def _rounded(original: Contestant, dtype: str) -> bytes:
    """The original's cells as the suspect's dtype would store them."""
    if original.dtype == dtype:
        return original.raw
    return encode(decode(original.raw, original.dtype), dtype)
