"""Arithmetic on traced arrays: operators, and the differentiation rule of each operation.

The running error follows one pattern: carried over from the arguments by |slope|, plus |result| for
the operation's own rounding. Exact operations (minus, abs, selection, scaling by a power of two) add nothing.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import numpy.typing as npt

from lossbench.judge.oracle import elementary as el
from lossbench.judge.oracle import reals
from lossbench.judge.oracle.primitives import EXP, LOG, Primitive
from lossbench.judge.oracle.reals import NOT_A_NUMBER, Floats, Mask, Reals
from lossbench.judge.oracle.tape import Cotangent, Pull, Slope, Traced, bounded

Operand = Any
"""An Array, a number, or a numpy array of numbers or booleans."""


class Array(Traced):
    """A traced array with Python's operators. Comparisons give numpy boolean arrays."""

    __slots__ = ()
    __array_ufunc__ = None  # numpy arrays on the left defer to the reflected operators here

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape

    @property
    def ndim(self) -> int:
        return len(self.value.shape)

    def __repr__(self) -> str:
        return f"Array({np.array2string(self.value.floats, precision=6)})"

    def __bool__(self) -> bool:
        if self.value.balls.size != 1:
            raise TypeError(f"the truth of an array of shape {self.shape} is ambiguous; compare and use x.where")
        return not bool(self.value.is_zero().all())

    def __add__(self, other: Operand) -> Array:
        return add(self, lift(other))

    __radd__ = __add__

    def __sub__(self, other: Operand) -> Array:
        return subtract(self, lift(other))

    def __rsub__(self, other: Operand) -> Array:
        return subtract(lift(other), self)

    def __mul__(self, other: Operand) -> Array:
        return multiply(self, lift(other))

    __rmul__ = __mul__

    def __truediv__(self, other: Operand) -> Array:
        return divide(self, lift(other))

    def __rtruediv__(self, other: Operand) -> Array:
        return divide(lift(other), self)

    def __neg__(self) -> Array:
        return Array(el.negative(self.value), self.owed, (self,), lambda bar: (bar.negative(),))

    def __pos__(self) -> Array:
        return self

    def __abs__(self) -> Array:
        return absolute(self)

    def __pow__(self, other: Operand) -> Array:
        return power(self, lift(other))

    def __rpow__(self, other: Operand) -> Array:
        return power(lift(other), self)

    def __lt__(self, other: Operand) -> Mask:
        return reals.less(self.value, lift(other).value)

    def __gt__(self, other: Operand) -> Mask:
        return reals.less(lift(other).value, self.value)

    def __le__(self, other: Operand) -> Mask:
        return np.asarray((self < other) | (self == other))

    def __ge__(self, other: Operand) -> Mask:
        return np.asarray((self > other) | (self == other))

    def __eq__(self, other: object) -> Mask:  # type: ignore[override]
        return reals.equal(self.value, lift(other).value)

    def __ne__(self, other: object) -> Mask:  # type: ignore[override]
        return ~(self == other)

    __hash__ = None  # type: ignore[assignment]


def lift(value: Operand) -> Array:
    """An operand as an array; numbers enter exactly as they are stored."""
    if isinstance(value, Array):
        return value
    return Array(Reals.of(np.asarray(value)))


def scales_exactly(a: Array) -> Mask:
    """Where multiplying by a constant rounds nothing: 0 and powers of two."""
    if a.active or a.owed.any():
        return np.zeros(a.shape, bool)
    mantissa = np.abs(np.frexp(a.value.floats)[0])
    return np.asarray((mantissa == 0.5) | (mantissa == 0.0))


def _absent(factor: Array) -> Mask | None:
    """Where a constant factor is 0, so that the product does not depend on the other one."""
    if factor.active:
        return None
    zero = np.asarray(factor.value.balls == reals.ZERO, dtype=bool)
    return zero if zero.any() else None


def make(value: Reals, owed: npt.ArrayLike, parents: tuple[Array, ...], pull: Pull) -> Array:
    return Array(value, bounded(owed), parents, pull)


def apply(f: Primitive, a: Array) -> Array:
    """A function of one number."""
    out = f.value(a.value)
    rate = np.abs(f.rate(a.value.floats, out.floats))
    bend = np.abs(f.bend(a.value.floats, out.floats))
    owed = bounded(rate * a.owed) + np.abs(out.floats)
    slope_owed = bounded(bounded(bend * a.owed) + rate)
    return make(out, owed, (a,), lambda bar: (bar.times(Slope(low=f.slope(a.value, out), owed=slope_owed)),))


def add(a: Array, b: Array) -> Array:
    out = el.add(a.value, b.value)
    return make(out, a.owed + b.owed + np.abs(out.floats), (a, b), lambda bar: (bar, bar))


def subtract(a: Array, b: Array) -> Array:
    out = el.subtract(a.value, b.value)
    return make(out, a.owed + b.owed + np.abs(out.floats), (a, b), lambda bar: (bar, bar.negative()))


def multiply(a: Array, b: Array, *, absorbing: bool = False) -> Array:
    """absorbing: a = 0 gives 0 even for an infinite b."""
    out = el.weigh(a.value, b.value) if absorbing else el.multiply(a.value, b.value)
    exact = scales_exactly(a) | scales_exactly(b)
    carried = np.abs(a.value.floats) * b.owed + np.abs(b.value.floats) * a.owed
    owed = bounded(carried) + np.where(exact, 0.0, np.abs(out.floats))

    def pull(bar: Cotangent) -> tuple[Cotangent | None, ...]:
        by_a = bar.times(Slope(low=b.value, owed=b.owed, absent=_absent(b))) if a.active else None
        by_b = bar.times(Slope(low=a.value, owed=a.owed, absent=_absent(a))) if b.active else None
        return by_a, by_b

    return make(out, owed, (a, b), pull)


def divide(a: Array, b: Array) -> Array:
    out = el.divide(a.value, b.value)
    exact = scales_exactly(b)
    inverse = np.abs(1.0 / b.value.floats)
    ratio = np.abs(out.floats)
    owed = bounded(inverse * a.owed + ratio * inverse * b.owed) + np.where(exact, 0.0, ratio)
    inverse_owed = bounded(inverse * inverse * b.owed + inverse)
    ratio_owed = bounded(inverse * owed + ratio * inverse * inverse * b.owed + ratio * inverse)

    def pull(bar: Cotangent) -> tuple[Cotangent | None, ...]:
        by_a = bar.times(Slope(low=el.reciprocal(b.value), owed=inverse_owed)) if a.active else None
        if not b.active:
            return by_a, None
        slope = el.negative(el.divide(out, b.value))
        return by_a, bar.times(Slope(low=slope, owed=ratio_owed, absent=_absent(a)))

    return make(out, owed, (a, b), pull)


def absolute(a: Array) -> Array:
    def pull(bar: Cotangent) -> tuple[Cotangent | None, ...]:
        sign = a.value.sign()
        low = Reals.of(np.where(sign == 0, -1.0, sign))
        return (
            bar.times(Slope(low=low, high=Reals.of(np.where(sign == 0, 1.0, sign)) if (sign == 0).any() else None)),
        )

    return make(el.absolute(a.value), a.owed, (a,), pull)


def choose_larger(a: Array, b: Array) -> Array:
    """The larger; at a tie each side's slope is the set [0, 1]."""
    below, above = reals.less(a.value, b.value), reals.less(b.value, a.value)
    nan = (a.value.kinds == NOT_A_NUMBER) | (b.value.kinds == NOT_A_NUMBER)
    tie = ~(below | above | nan)
    take_b = below | (np.broadcast_to(b.value.kinds, np.shape(nan)) == NOT_A_NUMBER)
    out = reals.where(take_b, b.value, a.value)
    owed = np.where(tie, np.maximum(a.owed, b.owed), np.where(take_b, b.owed, a.owed))

    def pull(bar: Cotangent) -> tuple[Cotangent | None, ...]:
        def side(wins: Mask, loses: Mask) -> Cotangent:
            slope_nan = np.where(nan, np.nan, 0.0)
            low = Reals.of(np.where(wins, 1.0, slope_nan))
            high = Reals.of(np.where(wins | tie, 1.0, slope_nan)) if np.any(tie) else None
            return bar.times(Slope(low=low, high=high, absent=np.asarray(loses)))

        return (side(above, below) if a.active else None), (side(below, above) if b.active else None)

    return make(out, owed, (a, b), pull)


def select(mask: Mask, a: Array, b: Array) -> Array:
    """a where the mask holds, else b; the derivative is that of the branch taken."""
    return make(
        reals.where(mask, a.value, b.value),
        np.where(mask, a.owed, b.owed),
        (a, b),
        lambda bar: (bar.masked(mask) if a.active else None, bar.masked(~mask) if b.active else None),
    )


def power(a: Array, exponent: Array) -> Array:
    """a**exponent: one constant finite exponent; otherwise exp(exponent log a), for a >= 0."""
    if exponent.active or exponent.value.balls.size != 1 or exponent.value.kind is not None:
        return apply(EXP, multiply(exponent, apply(LOG, a), absorbing=True))
    e = reals.scalar(exponent.value)
    e_float = float(e)
    return apply(
        Primitive(
            value=lambda v: el.power(v, e),
            slope=lambda v, _: el.weigh(exponent.value.reshaped(lambda p: p.reshape(())), el.power(v, e - 1)),
            rate=lambda v, _: e_float * np.power(v, e_float - 1.0),
            bend=lambda v, _: e_float * (e_float - 1.0) * np.power(v, e_float - 2.0),
        ),
        a,
    )


def total(a: Array, axes: tuple[int, ...], keepdims: bool) -> Array:
    out = el.total(a.value, axes)
    kept = tuple(1 if i in axes else n for i, n in enumerate(a.shape))
    terms = int(np.prod([a.shape[i] for i in axes], dtype=np.int64))
    owed = np.sum(a.owed + (np.abs(a.value.floats) if terms > 1 else 0.0), axis=axes)
    shape = kept if keepdims else out.shape

    def pull(bar: Cotangent) -> tuple[Cotangent | None, ...]:
        return (bar.rearranged(lambda part: np.broadcast_to(part.reshape(kept), a.shape)),)

    return make(out.reshaped(lambda p: p.reshape(shape)), cast(Floats, owed).reshape(shape), (a,), pull)


def rearrange(a: Array, change: Any, back: Any) -> Array:
    """Elements moved by `change`; `back` undoes it."""
    return make(a.value.reshaped(change), np.asarray(change(a.owed)), (a,), lambda bar: (bar.rearranged(back),))
