"""Arrays of extended reals: a certified ball per finite number, and +inf, -inf, nan by name.

`balls` is an object array of flint.arb, or a Wide array; `kind` is None where every element is finite, else an int8
array of FINITE, POSITIVE, NEGATIVE, NOT_A_NUMBER. A finite element always has a finite ball: what
happens at singular points is settled by `limits`, nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt
from flint import arb

from lossbench.judge.oracle.attempt import NEGLIGIBLE_BITS, Undecided, carrier, doubt, is_last
from lossbench.judge.oracle.wide import KERNELS, Wide, from_balls, largest

Balls = npt.NDArray[np.object_]
Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Kinds = npt.NDArray[np.int8]

FINITE: Final = 0
POSITIVE: Final = 1
NEGATIVE: Final = 2
NOT_A_NUMBER: Final = 3

ZERO: Final = arb(0)
_OF_KIND: Final = (ZERO, arb.pos_inf(), arb.neg_inf(), arb.nan())
_MAX: Final = float(np.finfo(np.float64).max)
_SMALLEST: Final = 5e-324
_is_finite = np.frompyfunc(arb.is_finite, 1, 1)
KERNELS[_is_finite] = Wide.finite


def as_balls(value: Any) -> Balls:
    """An object array, 0-d ones included (numpy's arithmetic turns those into bare scalars)."""
    if isinstance(value, np.ndarray | Wide):
        return cast(Balls, value)
    box: Balls = np.empty((), dtype=object)
    box[()] = value
    return box


def finite_balls(balls: Balls) -> Mask:
    """Where the ball is finite."""
    return np.asarray(_is_finite(balls), dtype=bool)


class Reals:
    """An immutable array of extended reals."""

    __slots__ = ("_floats", "balls", "kind")

    def __init__(self, balls: Balls, kind: Kinds | None = None) -> None:
        self.balls = balls
        self.kind = kind if kind is not None and kind.any() else None
        self._floats: Floats | None = None

    @staticmethod
    def of(values: npt.ArrayLike) -> Reals:
        """Exactly the given binary floating-point numbers (or whole numbers)."""
        given = np.asarray(values)
        exact = given.astype(np.float64) if given.dtype.kind in "fb" else given
        kind = np.zeros(exact.shape, np.int8)
        if exact.dtype.kind == "f":
            kind[np.isposinf(exact)] = POSITIVE
            kind[np.isneginf(exact)] = NEGATIVE
            kind[np.isnan(exact)] = NOT_A_NUMBER
        if (kept := carrier()) is not None:
            return Reals(cast(Balls, Wide.of(exact, kept)), kind)
        balls: Balls = np.empty(exact.shape, dtype=object)
        balls.reshape(-1)[:] = [arb(value) for value in exact.ravel().tolist()]
        return Reals(balls, kind)

    @staticmethod
    def full(shape: tuple[int, ...], value: float) -> Reals:
        """An array that repeats one finite number."""
        if carrier() is not None:
            return Reals.of(np.full(shape, value))
        balls: Balls = np.empty(shape, dtype=object)
        balls[...] = arb(value)
        return Reals(balls)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.balls.shape

    @property
    def kinds(self) -> Kinds:
        """The kind of every element, spelled out."""
        return np.zeros(self.shape, np.int8) if self.kind is None else self.kind

    @property
    def floats(self) -> Floats:
        """Float64 nearby; a finite number beyond float64's range gives its largest one."""
        if self._floats is None:
            near = np.asarray(self.balls.astype(np.float64))
            if self.kind is None:
                self._floats = np.asarray(np.clip(near, -_MAX, _MAX))
                return self._floats
            finite = self.kinds == FINITE
            self._floats = np.where(finite, np.clip(np.nan_to_num(near), -_MAX, _MAX), near)
        return self._floats

    def proxy(self, here: Mask) -> Floats:
        """Float64 stand-ins for IEEE's limit rules: sign, zeros and infinities are right `here`. Raises Undecided."""
        if isinstance(self.balls, Wide):
            chosen = here & (self.kinds == FINITE)
            sign = self.sign(here=chosen)
            stand_in = np.where(self.floats == 0.0, sign * _SMALLEST, np.where(sign == 0.0, 0.0, self.floats))
            return np.where(chosen, stand_in, self.floats)
        balls, near = np.broadcast_arrays(self.balls, self.floats)
        out = np.array(near)
        kinds = np.broadcast_to(self.kinds, out.shape)
        chosen = np.broadcast_to(here, out.shape) & (kinds == FINITE)
        sign = Reals(balls[chosen]).sign()
        out[chosen] = np.where(out[chosen] == 0.0, sign * _SMALLEST, np.where(sign == 0.0, 0.0, out[chosen]))
        return out

    def sign(self, *, here: Mask | None = None) -> Floats:
        """-1, 0, 1 of finite numbers and infinities, nan of nan. Raises Undecided. here: where it matters."""
        out = np.zeros(self.shape)
        out[np.asarray(self.balls > ZERO, dtype=bool)] = 1.0
        out[np.asarray(self.balls < ZERO, dtype=bool)] = -1.0
        out[self.kinds == NOT_A_NUMBER] = np.nan
        if isinstance(self.balls, Wide):
            open_ = (out == 0.0) & ~(self.balls == ZERO)
            doubt(open_ if here is None else open_ & here)
            return out
        for ball in self.balls[out == 0.0]:
            if not ball.is_zero():
                require_negligible(ball)
        return out

    def is_zero(self) -> Mask:
        """Where the number is 0, decided. Raises Undecided."""
        return np.asarray(self.sign() == 0.0)

    def reshaped(self, change: Callable[[npt.NDArray[Any]], Any]) -> Reals:
        """A rearrangement of the elements: index, transpose, reshape, broadcast."""
        kind = None if self.kind is None else np.asarray(change(self.kind))
        return Reals(as_balls(change(self.balls)), kind)

    def with_kind(self, mask: Mask, kind: int) -> Reals:
        """The same with the masked elements replaced by a special (or, for FINITE, by 0)."""
        balls, kinds = self.balls.copy(), self.kinds.copy()
        balls[mask] = _OF_KIND[kind]
        kinds[mask] = kind
        return Reals(balls, kinds)


def require_negligible(ball: arb) -> None:
    """Accepts a ball around 0 as 0 on the last attempt and if it is narrow enough."""
    if not is_last() or not abs(ball).upper() < arb(2) ** -NEGLIGIBLE_BITS:
        raise Undecided


def where(mask: Mask, a: Reals, b: Reals) -> Reals:
    """Elements of a where the mask holds, else of b."""
    kind = None if a.kind is None and b.kind is None else np.where(mask, a.kinds, b.kinds)
    return Reals(as_balls(np.where(mask, a.balls, b.balls)), kind)


def less(a: Reals, b: Reals) -> Mask:
    """a < b, decided; false where either is nan. Raises Undecided."""
    below = np.asarray(a.balls < b.balls, dtype=bool)
    above = np.asarray(a.balls > b.balls, dtype=bool)
    open_ = ~(below | above)
    if open_.any() and carrier() is not None:
        same = np.asarray(a.balls == b.balls, dtype=bool)
        doubt(open_ & ~same & (np.asarray(a.kinds) == FINITE) & (np.asarray(b.kinds) == FINITE))
    elif open_.any():
        settled = (np.asarray(a.kinds) != FINITE) | (np.asarray(b.kinds) != FINITE)
        left, right = np.broadcast_arrays(a.balls, b.balls)
        for i in np.argwhere(open_ & ~settled):
            _require_equal(left[tuple(i)], right[tuple(i)])
    return below


def _require_equal(left: arb, right: arb) -> None:
    difference = left - right
    if not (left is right or difference.is_zero()):
        require_negligible(difference)


def equal(a: Reals, b: Reals) -> Mask:
    """a == b, decided; infinities equal themselves, nan nothing. Raises Undecided."""
    nan = (np.asarray(a.kinds) == NOT_A_NUMBER) | (np.asarray(b.kinds) == NOT_A_NUMBER)
    return np.asarray(~(less(a, b) | less(b, a) | nan))


def larger(a: arb, b: arb) -> arb:
    """The larger of two balls, as one of the two where that is decided. Raises Undecided."""
    if a >= b or a.is_nan():
        return a
    if b > a or b.is_nan():
        return b
    _require_equal(a, b)
    return a


larger_of = np.frompyfunc(larger, 2, 1)


def largest_along(balls: Balls, axis: tuple[int, ...]) -> Balls:
    """The largest ball along axes. Raises Undecided."""
    if isinstance(balls, Wide):
        out, open_ = largest(balls, axis)
        doubt(open_)
        return cast(Balls, out)
    for i in sorted((i % max(balls.ndim, 1) for i in axis), reverse=True):
        balls = as_balls(larger_of.reduce(balls, axis=i, initial=arb.neg_inf()))
    return as_balls(balls)


def attain(a: Reals, top: Reals) -> Mask:
    """Where an element is the `top` that was found among them. Raises Undecided."""
    if isinstance(a.balls, Wide) and isinstance(top.balls, Wide):
        return np.asarray(a.balls.mid == top.balls.mid) & (a.kinds != NOT_A_NUMBER)
    return np.asarray(~(less(a, top) | (a.kinds == NOT_A_NUMBER)))


def scalar(a: Reals) -> arb:
    """The ball of an array of one finite number."""
    ball = a.balls.balls() if isinstance(a.balls, Wide) else a.balls
    found: arb = ball.ravel()[0]
    return found


def as_wide(a: Reals, kept: npt.DTypeLike) -> Wide:
    """The finite numbers as Wide, whatever they are held in; specials as float64 has them."""
    if isinstance(a.balls, Wide):
        return a.balls
    return from_balls(a.balls, kept)
