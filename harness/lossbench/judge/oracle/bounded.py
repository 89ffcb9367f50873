"""The exact answer for large arrays: numbers with more digits than the dtype, as plain arrays.

A number that is kept in float64 for a shorter dtype is rounded to odd, so that rounding it again is right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from flint import arb

from lossbench.judge.oracle.exact import ExactArray
from lossbench.judge.oracle.reals import FINITE, NEGATIVE, NOT_A_NUMBER, POSITIVE, Floats, Kinds, Mask, Reals, as_wide
from lossbench.judge.oracle.rounding import is_nothing, quantum_exponent, round_exact
from lossbench.judge.oracle.wide import Wide, long_double
from lossbench.spec.formats import FORMATS, Format, round_to

CERTAIN_ULPS: Final = 1.0 / 64.0
CERTAIN_ULPS_FLOAT64: Final = 1.0 / 4.0
"""Long double has 11 bits more than float64: room for a short formula, not for proving every rounding."""

_SAFETY: Final = 2.0
"""Radii are first-order bounds; twice the radius holds whatever they leave out."""

Middles = npt.NDArray[Any]


def spacing(middles: Middles, fmt: Format) -> Floats:
    """The format's unit in the last place at each number, that of the largest numbers above them."""
    _, exponent = np.frexp(middles)
    top = np.where(middles == 0, fmt.emin, np.clip(exponent - 1, fmt.emin, fmt.emax))
    return np.asarray(np.ldexp(1.0, top - fmt.precision + 1))


def uncertain(numbers: Reals, fmt: Format, owed: Floats | None = None) -> Mask:
    """Where the radius is not small beside the dtype's unit in the last place, or the rounding is open.

    owed: what the formula owes to rounding, in units of eps: then a radius that is small beside it will do."""
    wide = as_wide(numbers, long_double() or np.float64)
    unit = spacing(wide.mid, fmt)
    radius = _SAFETY * wide.rad / unit
    exact = fmt.precision > 50
    sure = wide.finite() & (radius <= (CERTAIN_ULPS_FLOAT64 if exact else CERTAIN_ULPS))
    if owed is not None:
        with np.errstate(over="ignore"):
            sure |= wide.finite() & (_SAFETY * wide.rad <= CERTAIN_ULPS * fmt.eps * owed)
    elif not exact:
        scaled = np.abs(wide.mid / unit)  # by a power of two
        tie = np.abs(scaled - np.floor(scaled) - 0.5).astype(np.float64)
        sure &= (wide.rad == 0.0) | (tie > radius)
    return np.asarray(~sure & (numbers.kinds == FINITE))


def is_certain(ball: arb, fmt: Format) -> bool:
    """The same of one ball, beyond float64's range too."""
    if ball.is_exact() or (ball.contains(0) and is_nothing(ball, fmt)):
        return True
    exact = fmt.precision > 50
    allowed = CERTAIN_ULPS_FLOAT64 if exact else CERTAIN_ULPS
    ends = [round_exact(end, fmt) for end in (ball.lower(), ball.upper())]
    if ends[0] == ends[1] and np.isinf(ends[0]):
        return True
    near = bool(ball.rad() * _SAFETY <= arb(2) ** quantum_exponent(ball, fmt) * allowed)
    return near and (exact or ends[0] == ends[1])


def _kept(numbers: Reals, fmt: Format) -> Middles:
    """Middles in float64 rounded to odd, or for float64 in long double."""
    if fmt.precision > 50:
        return as_wide(numbers, long_double() or np.float64).mid
    if isinstance(numbers.balls, Wide):
        mid = numbers.balls.mid
        high = np.asarray(mid.astype(np.float64))
        rest = np.zeros(high.shape) if mid.dtype == np.float64 else np.sign(mid - high).astype(np.float64)
    else:
        flat = [ball.mid() for ball in numbers.balls.ravel().tolist()]
        near = [float(ball) for ball in flat]
        sign = [0.0 if ball == h else 1.0 if ball > h else -1.0 for ball, h in zip(flat, near, strict=True)]
        high, rest = (np.array(part, dtype=np.float64).reshape(numbers.shape) for part in (near, sign))
    even = (high.view(np.int64) & 1) == 0
    return np.where((rest != 0) & even & np.isfinite(high), np.nextafter(high, rest * np.inf), high)


@dataclass(slots=True, kw_only=True)
class Points:
    """Numbers to be filled in row by row. high: the other ends of subgradients, once there are any."""

    low: Middles
    kind: Kinds
    owed: Floats
    fmt: Format
    high: Middles | None = None
    high_kind: Kinds | None = None

    @staticmethod
    def empty(shape: tuple[int, ...], fmt: Format) -> Points:
        carrier = np.float64 if fmt.precision <= 50 else long_double() or np.float64
        return Points(low=np.zeros(shape, carrier), kind=np.zeros(shape, np.int8), owed=np.zeros(shape), fmt=fmt)

    def put(self, rows: Any, low: Reals, high: Reals | None, owed: Floats) -> None:
        """Enters the numbers of some rows."""
        self.low[rows], self.kind[rows], self.owed[rows] = _kept(low, self.fmt), low.kinds, owed
        if high is not None and self.high is None:
            self.high, self.high_kind = self.low.copy(), self.kind.copy()
        if self.high is not None and self.high_kind is not None:
            other = high or low
            self.high[rows], self.high_kind[rows] = _kept(other, self.fmt), other.kinds

    def array(self, shape: tuple[int, ...], dtype: str) -> Bounded:
        """The finished array."""
        low = _special(self.low, self.kind).reshape(shape)
        if self.high is None or self.high_kind is None:
            return Bounded(low, None, self.kind.reshape(shape), self.owed.reshape(shape), dtype)
        high = _special(self.high, self.high_kind).reshape(shape)
        return Bounded(low, high, self.kind.reshape(shape), self.owed.reshape(shape), dtype)


def _special(middles: Middles, kind: Kinds) -> Middles:
    for name, value in ((POSITIVE, np.inf), (NEGATIVE, -np.inf), (NOT_A_NUMBER, np.nan)):
        middles[kind == name] = value
    return middles


class Bounded(ExactArray):
    """An ExactArray over plain arrays; distances are as good as the numbers."""

    def __init__(self, low: Middles, high: Middles | None, kind: Kinds, owed: Floats, dtype: str) -> None:
        self._lows, self._highs, self._kind, self._owed, self.dtype = low, high, kind, owed, dtype

    @property
    def shape(self) -> tuple[int, ...]:
        return self._lows.shape

    def is_certified(self) -> bool:
        """Roundings are proven but for float64."""
        return FORMATS[self.dtype].precision <= 50

    def low(self, dtype: str | None = None) -> npt.NDArray[np.floating]:
        return self._rounded_to(self._lows, dtype)

    def high(self, dtype: str | None = None) -> npt.NDArray[np.floating]:
        return self._rounded_to(self._lows if self._highs is None else self._highs, dtype)

    def rounded(self, dtype: str | None = None) -> npt.NDArray[np.floating]:
        if self._highs is None:
            return self.low(dtype)
        with np.errstate(all="ignore"):
            return self._rounded_to(np.where(self.kink, (self._lows + self._highs) / 2, self._lows), dtype)

    @property
    def kink(self) -> Mask:
        if self._highs is None:
            return np.zeros(self.shape, bool)
        return np.asarray(self._lows < self._highs)

    @property
    def undefined(self) -> Mask:
        return np.asarray(self.kink | (self._kind == NOT_A_NUMBER))

    def overflows(self, dtype: str | None = None) -> Mask:
        return np.asarray((self._kind == FINITE) & np.isinf(self.rounded(dtype)))

    def ulp(self, computed: npt.ArrayLike, dtype: str | None = None) -> Floats:
        fmt = FORMATS[dtype or self.dtype]
        return self._distance(computed, fmt, lambda end: spacing(end, fmt))

    def relative(self, computed: npt.ArrayLike) -> Floats:
        return self._distance(computed, FORMATS[self.dtype], np.abs)

    def _distance(self, computed: npt.ArrayLike, fmt: Format, measure: Any) -> Floats:
        given = np.broadcast_to(np.asarray(computed, dtype=np.float64), self.shape)
        high = self._lows if self._highs is None else self._highs
        with np.errstate(all="ignore"):
            end = np.where(given > high, high, self._lows)
            size = np.abs(given - end).astype(np.float64)
            out = np.where(size == 0, 0.0, size / measure(end).astype(np.float64))
            inside = (given >= self._lows) & (given <= high)
            target = self.rounded(fmt.name)
            out = np.where(np.isinf(given) & (given == target), 0.0, np.where(inside, 0.0, out))
            unlike = (np.isinf(given) | np.isinf(target)) & (given != target) & ~inside
            nan = np.isnan(given) | np.isnan(self._lows)
            out = np.where(unlike, np.inf, out)
            return np.where(nan, np.where(np.isnan(given) & np.isnan(self._lows), 0.0, np.inf), out)

    def _rounded_to(self, middles: Middles, dtype: str | None) -> npt.NDArray[np.floating]:
        with np.errstate(all="ignore"):
            return round_to(middles.astype(np.float64), dtype or self.dtype)
