"""The exact answer: an array of certified numbers, and everything a verdict wants to know of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from flint import arb

from lossbench.judge.oracle.attempt import PRECISIONS_BITS, Attempt, working
from lossbench.judge.oracle.reals import FINITE, NEGATIVE, NOT_A_NUMBER, POSITIVE, Floats, Mask, Reals
from lossbench.judge.oracle.rounding import is_certified, is_nothing, quantum_exponent, round_ball
from lossbench.spec.formats import FORMATS, Format

Distance = Callable[[float, arb], float]

_SPECIAL = {POSITIVE: math.inf, NEGATIVE: -math.inf, NOT_A_NUMBER: math.nan}
_JUDGING = Attempt(bits=PRECISIONS_BITS[-1], last=True)  # differences with a result lose none of its digits


class ExactArray:
    """Exact numbers; at kinks (gradients only) the hull [low, high] of the subgradients."""

    def __init__(self, low: Reals, high: Reals | None, owed: Floats, dtype: str) -> None:
        self._low, self._high, self._owed, self.dtype = low, high, owed, dtype

    @property
    def shape(self) -> tuple[int, ...]:
        return self._low.shape

    def is_certified(self) -> bool:
        """Whether the rounding to the dtype it was evaluated for is proven in every element."""
        fmt = FORMATS[self.dtype]
        ends = (self._low,) if self._high is None else (self._low, self._high)
        with working(_JUDGING):
            return all(is_certified(ball, fmt) for end in ends for ball in end.balls[end.kinds == FINITE])

    def low(self, dtype: str | None = None) -> npt.NDArray[np.floating]:
        """The least subgradient, rounded."""
        return self._round(self._low, dtype)

    def high(self, dtype: str | None = None) -> npt.NDArray[np.floating]:
        """The greatest subgradient, rounded."""
        return self._round(self._low if self._high is None else self._high, dtype)

    def rounded(self, dtype: str | None = None) -> npt.NDArray[np.floating]:
        """Correctly rounded to the dtype it was evaluated for (or to another), in its carrier type.

        At a kink, the middle of the hull."""
        out = self.low(dtype)
        if self.kink.any():
            with np.errstate(all="ignore"):
                middle = (self.low("float64") + self.high("float64")) / 2.0
            out = np.where(self.kink, self._round(Reals.of(middle), dtype), out)
        return out

    def reported(self, dtype: str | None = None) -> npt.NDArray[np.floating]:
        """Rounded, with nan where the derivative does not exist."""
        return np.where(self.undefined, np.array(np.nan, dtype=self.low(dtype).dtype), self.rounded(dtype))

    @property
    def kink(self) -> Mask:
        """Where the derivative is a set of more than one number."""
        if self._high is None:
            return np.zeros(self.shape, bool)
        with working(_JUDGING):
            apart = np.asarray(self._low.balls < self._high.balls, dtype=bool)
        return np.asarray(apart & (self._low.kinds != NOT_A_NUMBER) & (self._high.kinds != NOT_A_NUMBER))

    @property
    def undefined(self) -> Mask:
        """Where there is no number: nan, or a derivative at a kink."""
        return np.asarray(self.kink | (self._low.kinds == NOT_A_NUMBER))

    def finite(self, dtype: str | None = None) -> Mask:
        """Masks are of the rounded numbers: a finite exact number may overflow the dtype."""
        return np.asarray(np.isfinite(self.rounded(dtype)))

    def posinf(self, dtype: str | None = None) -> Mask:
        return np.asarray(np.isposinf(self.rounded(dtype)))

    def neginf(self, dtype: str | None = None) -> Mask:
        return np.asarray(np.isneginf(self.rounded(dtype)))

    def nan(self, dtype: str | None = None) -> Mask:
        return np.asarray(np.isnan(self.rounded(dtype)))

    def overflows(self, dtype: str | None = None) -> Mask:
        """Where the exact number is finite and its rounding is not: the one right infinity."""
        return np.asarray((self._low.kinds == FINITE) & np.isinf(self.rounded(dtype)))

    def owed(self, dtype: str | None = None) -> Floats:
        """What evaluating the formula in floating point owes to rounding, to first order: in units of one
        eps, or, given a dtype, in absolute terms at that dtype's eps."""
        with np.errstate(over="ignore"):
            return self._owed * (1.0 if dtype is None else FORMATS[dtype].eps)

    def ulp(self, computed: npt.ArrayLike, dtype: str | None = None) -> Floats:
        """|computed - exact| in units in the last place of the format at the exact number (of the subnormals
        below the normal ones). At a kink, the distance to the hull. 0 for equal specials and for an infinity
        where the exact number overflows; inf where the masks differ."""
        fmt = FORMATS[dtype or self.dtype]
        return self._measured(computed, lambda c, ball: _ulps(c, ball, fmt), fmt)

    def relative(self, computed: npt.ArrayLike) -> Floats:
        """|computed - exact| / |exact|; of an exact 0, 0 if it is met and inf if not."""
        return self._measured(computed, _relative, FORMATS[self.dtype])

    def _measured(self, computed: npt.ArrayLike, distance: Distance, fmt: Format) -> Floats:
        given = np.broadcast_to(np.asarray(computed, dtype=np.float64), self.shape).ravel().tolist()
        target, kink = self.rounded(fmt.name).ravel().tolist(), self.kink.ravel().tolist()
        low = self._low.balls.ravel().tolist()
        high = low if self._high is None else self._high.balls.ravel().tolist()
        with working(_JUDGING):
            rows = zip(given, target, low, high, kink, strict=True)
            out = [_one(c, t, lo, hi, kink=at_kink, distance=distance) for c, t, lo, hi, at_kink in rows]
        return np.array(out, dtype=np.float64).reshape(self.shape)

    def _round(self, values: Reals, dtype: str | None) -> npt.NDArray[np.floating]:
        fmt, own = FORMATS[dtype or self.dtype], FORMATS[self.dtype]
        with working(_JUDGING):
            pairs = zip(values.balls.ravel().tolist(), values.kinds.ravel().tolist(), strict=True)
            out = [_SPECIAL[kind] if kind != FINITE else _nearest(ball, fmt, own) for ball, kind in pairs]
        with np.errstate(all="ignore"):
            return np.array(out, dtype=np.float64).reshape(values.shape).astype(fmt.carrier)


def _nearest(ball: arb, fmt: Format, own: Format) -> float:
    if not ball.is_exact() and ball.contains(arb(0)) and is_nothing(ball, own):
        return 0.0
    return round_ball(ball, fmt)


def _one(c: float, t: float, low: arb, high: arb, *, kink: bool, distance: Distance) -> float:
    if math.isnan(c) or math.isnan(t):
        return 0.0 if math.isnan(c) and math.isnan(t) else math.inf
    if math.isinf(c):
        ends = {low.is_finite(), high.is_finite()}
        return 0.0 if c == t or (kink and False in ends and c == float(high if c > 0 else low)) else math.inf
    if kink:
        inside = not (low > c or high < c)
        return 0.0 if inside else distance(c, low if low > c else high)
    return math.inf if not low.is_finite() or math.isinf(t) else distance(c, low)


def _ulps(c: float, ball: arb, fmt: Format) -> float:
    if not ball.is_finite():
        return math.inf
    size = abs(arb(c) - ball).mid()
    return float(size * arb(2) ** -quantum_exponent(ball, fmt))


def _relative(c: float, ball: arb) -> float:
    if not ball.is_finite():
        return math.inf
    if ball.contains(arb(0)):
        return 0.0 if c == 0.0 else math.inf
    return float((abs(arb(c) - ball) / abs(ball)).mid())


@dataclass(frozen=True, slots=True, kw_only=True)
class Exact:
    """value: of the reduced loss. grad: of its sum by the input asked for, of that input's shape, or None.
    bits: the precision that certified them. certified: False if even the last precision left a rounding open."""

    value: ExactArray
    grad: ExactArray | None
    bits: int
    certified: bool
