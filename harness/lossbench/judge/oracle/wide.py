"""Balls side by side: midpoints in float64 or long double and radii in float64, computed by whole arrays.

Stands where an object array of flint.arb stands in `Reals`, so that every formula, every rule for infinities and every
derivative is the one that the exact arithmetic uses. The radius is a bound of the distance to the true number: each
operation carries its arguments' radii and adds its own rounding. It is kept to first order and a few percent; readers
ask for a factor to spare. Sums and differences that round nothing, and products of two float32, stay exact.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from flint import arb

Floats = npt.NDArray[Any]
Radii = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

FLOOR: Final = 2.0**-1070
"""More than a product or a function can lose to gradual underflow of a float64."""


def long_double() -> npt.DTypeLike | None:
    """numpy's long double where it is a true format wider than float64 (x87, quadruple), else None."""
    return np.longdouble if np.finfo(np.longdouble).nmant in (63, 112) else None


def unit(carrier: npt.DTypeLike) -> float:
    """Half a unit in the last place of 1."""
    return float(np.finfo(carrier).eps) / 2.0


class Wide:
    """An array of balls. Mixes with numbers, arb and small object arrays of arb."""

    __slots__ = ("mid", "rad")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, mid: Floats, rad: Radii) -> None:
        self.mid, self.rad = mid, rad

    @staticmethod
    def of(values: npt.ArrayLike, carrier: npt.DTypeLike) -> Wide:
        """Exactly the given numbers, none longer than a float64."""
        mid = np.asarray(values).astype(carrier)
        return Wide(mid, np.zeros(mid.shape))

    # the parts of numpy's array that `Reals` uses

    @property
    def shape(self) -> tuple[int, ...]:
        return self.mid.shape

    @property
    def ndim(self) -> int:
        return self.mid.ndim

    @property
    def size(self) -> int:
        return self.mid.size

    def astype(self, dtype: npt.DTypeLike) -> Floats:
        return np.asarray(self.mid.astype(dtype))

    def copy(self) -> Wide:
        return Wide(self.mid.copy(), self.rad.copy())

    def ravel(self) -> Wide:
        return Wide(self.mid.ravel(), self.rad.ravel())

    def reshape(self, *shape: Any) -> Wide:
        return Wide(self.mid.reshape(*shape), self.rad.reshape(*shape))

    def __getitem__(self, key: Any) -> Wide:
        return Wide(np.asarray(self.mid[key]), np.asarray(self.rad[key]))

    def __setitem__(self, key: Any, value: Any) -> None:
        other = self._coerced(value)
        self.mid[key], self.rad[key] = other.mid, other.rad

    def finite(self) -> Mask:
        return np.asarray(np.isfinite(self.mid) & np.isfinite(self.rad))

    def exact(self) -> Mask:
        return np.asarray(self.rad == 0.0)

    def balls(self) -> npt.NDArray[np.object_]:
        """The same as arb: for a few."""
        out = np.empty(self.shape, dtype=object)
        flat = zip(self.mid.ravel(), self.rad.ravel().tolist(), strict=True)
        out.reshape(-1)[:] = [as_ball(mid, rad) for mid, rad in flat]
        return out

    # arithmetic

    def __add__(self, other: Any) -> Wide:
        return _sum(self, self._coerced(other))

    def __sub__(self, other: Any) -> Wide:
        return _sum(self, -self._coerced(other))

    def __rsub__(self, other: Any) -> Wide:
        return _sum(self._coerced(other), -self)

    def __mul__(self, other: Any) -> Wide:
        return product(self, self._coerced(other))

    __radd__, __rmul__ = __add__, __mul__

    def __truediv__(self, other: Any) -> Wide:
        return quotient(self, self._coerced(other))

    def __rtruediv__(self, other: Any) -> Wide:
        return quotient(self._coerced(other), self)

    def __neg__(self) -> Wide:
        return Wide(-self.mid, self.rad)

    def __abs__(self) -> Wide:
        return Wide(np.abs(self.mid), self.rad)

    def __lt__(self, other: Any) -> Mask:
        return _below(self, self._coerced(other))

    def __gt__(self, other: Any) -> Mask:
        return _below(self._coerced(other), self)

    def __eq__(self, other: object) -> Mask:  # type: ignore[override]
        """Known to be equal: both exact."""
        b = self._coerced(other)
        return np.asarray((self.mid == b.mid) & self.exact() & b.exact())

    def _coerced(self, value: Any) -> Wide:
        return coerced(value, self.mid.dtype)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        if method == "reduce" and ufunc is np.add:
            return total(inputs[0], options["axis"])
        kernel = KERNELS.get(ufunc)
        if method != "__call__" or kernel is None:
            return NotImplemented
        return kernel(*(self._coerced(value) for value in inputs))

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Mapping[str, Any]) -> Any:
        """Functions that move elements about: done to midpoints and to radii."""
        if function not in MOVING:
            return NotImplemented
        mid = function(*_parts(args, "mid", self.mid.dtype), **kwargs)
        rad = function(*_parts(args, "rad", self.mid.dtype), **kwargs)
        if isinstance(mid, list):
            return [Wide(m, r) for m, r in zip(mid, rad, strict=True)]
        return Wide(mid, rad)


MOVING: Final = frozenset(
    {
        np.where, np.concatenate, np.broadcast_to, np.take_along_axis, np.expand_dims, np.swapaxes, np.moveaxis,
        np.split, np.reshape, np.ravel, np.transpose, np.take,
    }
)  # fmt: skip


def _parts(args: Any, part: str, carrier: npt.DTypeLike) -> list[Any]:
    def one(value: Any) -> Any:
        if isinstance(value, list | tuple) and any(isinstance(v, Wide) for v in value):
            return type(value)(one(v) for v in value)
        if isinstance(value, arb) or (isinstance(value, np.ndarray) and value.dtype == object):
            value = coerced(value, carrier)
        return getattr(value, part) if isinstance(value, Wide) else value

    return [one(value) for value in args]


def as_ball(mid: Any, rad: float) -> arb:
    """A midpoint of either format and its radius, without rounding."""
    if not np.isfinite(mid) or not math.isfinite(rad):
        return arb(float(mid)) if rad == 0.0 else arb.nan()
    fraction, exponent = np.frexp(mid)  # long double reaches beyond float64
    high = float(fraction)
    low = float(fraction - type(fraction)(high))
    middle = (arb(high) + arb(low)) * arb(2) ** int(exponent)  # 128 bits and more hold both parts
    return middle if rad == 0.0 else middle + arb(0, rad)


def coerced(value: Any, carrier: npt.DTypeLike) -> Wide:
    """An operand as Wide: arb and object arrays of arb are converted one by one."""
    if isinstance(value, Wide):
        return value
    if isinstance(value, arb) or (isinstance(value, np.ndarray) and value.dtype == object):
        return from_balls(np.asarray(value, dtype=object), carrier)
    return Wide.of(value, carrier)


def from_balls(balls: npt.NDArray[np.object_], carrier: npt.DTypeLike) -> Wide:
    """Balls rounded to the carrier, their radii kept."""
    flat = balls.ravel().tolist()
    high = [float(ball.mid()) for ball in flat]
    low = [float(ball.mid() - h) if math.isfinite(h) else 0.0 for ball, h in zip(flat, high, strict=True)]
    mid = np.array(high).astype(carrier) + np.array(low).astype(carrier)
    # what is left of the ball, and the rounding of the two parts put together: nothing where `low` is 0
    rest = unit(carrier) * np.abs(mid).astype(np.float64)
    spread = np.array([float(ball.rad()) if ball.is_finite() else 0.0 for ball in flat])
    rad = np.where(np.array(low) == 0.0, 0.0, rest * 2.0 + FLOOR) + spread * (1.0 + 2.0**-20)
    return Wide(mid.reshape(balls.shape), rad.reshape(balls.shape))


def magnitude(mid: Floats) -> Radii:
    """Magnitudes in float64; infinite beyond it, which gives an infinite radius."""
    return np.asarray(np.abs(mid).astype(np.float64, copy=False))


def _sum(a: Wide, b: Wide) -> Wide:
    """The rounding error of a sum is itself a number of the format (Knuth, TAOCP 2, 4.2.2)."""
    mid = np.asarray(a.mid + b.mid)
    part = mid - a.mid
    lost = (a.mid - (mid - part)) + (b.mid - part)
    error = magnitude(lost)
    if mid.dtype != np.float64:  # an error below float64's range is none that may be forgotten
        error = np.where(lost == 0, 0.0, np.maximum(error, FLOOR))
    return Wide(mid, np.asarray(a.rad + b.rad + error))


def product(a: Wide, b: Wide) -> Wide:
    mid = np.asarray(a.mid * b.mid)
    size_a, size_b, size = magnitude(a.mid), magnitude(b.mid), magnitude(mid)
    carried = size_a * b.rad + size_b * a.rad + a.rad * b.rad
    short = _short(a) & _short(b)  # at most 48 bits: nothing is rounded
    nothing = (a.mid == 0) | (b.mid == 0)
    exact = nothing | ((size > 2.0**-900) & (short | _scales(a.mid) | _scales(b.mid)))
    own = np.where(exact, 0.0, unit(mid.dtype) * size + FLOOR)
    return Wide(mid, np.asarray(carried + own))


def _short(a: Wide) -> Mask:
    return np.asarray((a.mid.astype(np.float32) == a.mid) & a.exact())


def _scales(mid: Floats) -> Mask:
    """Powers of two."""
    if mid.dtype == np.float64 and mid.flags.c_contiguous:
        return np.asarray((mid.view(np.uint64) & np.uint64(2**52 - 1)) == 0)
    return np.asarray(np.abs(np.frexp(mid)[0]) == 0.5)


def quotient(a: Wide, b: Wide) -> Wide:
    mid = np.asarray(a.mid / b.mid)
    size, divisor = magnitude(mid), magnitude(b.mid)
    room = divisor - b.rad
    exact = (a.mid == 0) | ((size > 2.0**-900) & _scales(b.mid))
    own = np.where(exact, 0.0, unit(mid.dtype) * size + FLOOR)
    rad = np.asarray((a.rad + size * b.rad) / room + own)
    return Wide(mid, np.where(room > 0, rad, np.inf))


def _below(a: Wide, b: Wide) -> Mask:
    distance = magnitude(b.mid - a.mid)
    return np.asarray((a.mid < b.mid) & ((distance * 0.99 > a.rad + b.rad) | (a.exact() & b.exact())))


def total(a: Wide, axis: tuple[int, ...]) -> Wide:
    """numpy adds in pairs along a contiguous last axis, in blocks of 128, and one after another along others."""
    count = math.prod(a.shape[i] for i in axis)
    mid = np.asarray(np.sum(a.mid, axis=axis))
    rad = np.sum(a.rad, axis=axis)
    if count > 1:
        pairs = tuple(axis) == tuple(range(a.ndim - len(axis), a.ndim)) and a.mid.flags.c_contiguous
        # a block of 128: eight running sums of 16, put together in three steps, and up to seven left over
        steps = min(count, min(count, 128) / 8 + 10 + max(0, (count // 128).bit_length())) if pairs else count
        rad = rad + steps * unit(mid.dtype) * np.sum(magnitude(a.mid), axis=axis)
    return Wide(mid, np.asarray(rad))


def largest(a: Wide, axis: tuple[int, ...]) -> tuple[Wide, Mask]:
    """The largest element, and where it is not certain which one that is."""
    mid = np.asarray(np.max(a.mid, axis=axis, keepdims=True, initial=-np.inf))
    wins = a.mid == mid
    rad = np.max(np.where(wins, a.rad, 0.0), axis=axis, keepdims=True, initial=0.0)
    near = ~_below(a, Wide(mid, rad))
    rivals = np.sum(near, axis=axis) > 1
    inexact = np.any(near & ~a.exact(), axis=axis)
    shape = rivals.shape
    return Wide(mid.reshape(shape), rad.reshape(shape)), np.asarray(rivals & inexact)


KERNELS: dict[Any, Callable[..., Any]] = {
    np.add: _sum,
    np.subtract: lambda a, b: _sum(a, -b),
    np.multiply: product,
    np.true_divide: quotient,
    np.less: _below,
    np.greater: lambda a, b: _below(b, a),
    np.equal: lambda a, b: a == b,
}
"""What each ufunc does to Wide arrays; the elementary functions enter theirs where they are defined."""
