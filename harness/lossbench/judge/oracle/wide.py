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

FUNCTION_ULPS: Final = 4.0
"""Allowed error of a library function in units of the last place: several times what libm and numpy document."""


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
        return _product(self, self._coerced(other))

    __radd__, __rmul__ = __add__, __mul__

    def __truediv__(self, other: Any) -> Wide:
        return _quotient(self, self._coerced(other))

    def __rtruediv__(self, other: Any) -> Wide:
        return _quotient(self._coerced(other), self)

    def __neg__(self) -> Wide:
        return Wide(-self.mid, self.rad)

    def __abs__(self) -> Wide:
        return Wide(np.abs(self.mid), self.rad)

    def __pow__(self, exponent: int) -> Wide:
        if exponent == 1:
            return self
        if exponent == 2:
            return _product(self, self)
        return real_power(self, float(exponent))

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


def _size(mid: Floats) -> Radii:
    """Magnitudes in float64; infinite beyond it, which gives an infinite radius."""
    return np.asarray(np.abs(mid).astype(np.float64, copy=False))


def _sum(a: Wide, b: Wide) -> Wide:
    """The rounding error of a sum is itself a number of the format (Knuth, TAOCP 2, 4.2.2)."""
    mid = np.asarray(a.mid + b.mid)
    part = mid - a.mid
    lost = (a.mid - (mid - part)) + (b.mid - part)
    error = _size(lost)
    if mid.dtype != np.float64:  # an error below float64's range is none that may be forgotten
        error = np.where(lost == 0, 0.0, np.maximum(error, FLOOR))
    return Wide(mid, np.asarray(a.rad + b.rad + error))


def _product(a: Wide, b: Wide) -> Wide:
    mid = np.asarray(a.mid * b.mid)
    size_a, size_b, size = _size(a.mid), _size(b.mid), _size(mid)
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


def _quotient(a: Wide, b: Wide) -> Wide:
    mid = np.asarray(a.mid / b.mid)
    size, divisor = _size(mid), _size(b.mid)
    room = divisor - b.rad
    exact = (a.mid == 0) | ((size > 2.0**-900) & _scales(b.mid))
    own = np.where(exact, 0.0, unit(mid.dtype) * size + FLOOR)
    rad = np.asarray((a.rad + size * b.rad) / room + own)
    return Wide(mid, np.where(room > 0, rad, np.inf))


def _below(a: Wide, b: Wide) -> Mask:
    distance = _size(b.mid - a.mid)
    return np.asarray((a.mid < b.mid) & ((distance * 0.99 > a.rad + b.rad) | (a.exact() & b.exact())))


def total(a: Wide, axis: tuple[int, ...]) -> Wide:
    """numpy adds in pairs along a contiguous last axis, in blocks of 128, and one after another along others."""
    count = math.prod(a.shape[i] for i in axis)
    mid = np.asarray(np.sum(a.mid, axis=axis))
    rad = np.sum(a.rad, axis=axis)
    if count > 1:
        pairs = tuple(axis) == tuple(range(a.ndim - len(axis), a.ndim)) and a.mid.flags.c_contiguous
        steps = min(count, 32 + count.bit_length()) if pairs else count
        rad = rad + steps * unit(mid.dtype) * np.sum(_size(a.mid), axis=axis)
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


def matmul(a: Wide, b: Any) -> Wide:
    """Products and sums in whatever order the machine's library chooses."""
    b = coerced(b, a.mid.dtype)
    size_a, size_b = _size(a.mid), _size(b.mid)
    own = (a.shape[-1] + 1) * unit(a.mid.dtype) * (size_a @ size_b) + a.shape[-1] * FLOOR
    return Wide(np.asarray(a.mid @ b.mid), size_a @ b.rad + a.rad @ (size_b + b.rad) + own)


def function(
    compute: Callable[[Floats], Floats],
    carried: Callable[..., Radii],
    *,
    ulps: float = FUNCTION_ULPS,
    zero_at: float = 0.0,
) -> Any:
    """A kernel: `carried(mid, rad, out)` bounds what the argument's radius does to the result, in float64.
    A result of 0 is exact at `zero_at`."""

    def kernel(a: Wide) -> Wide:
        out = np.asarray(compute(a.mid))
        own = 2.0 * ulps * unit(out.dtype) * _size(out) + FLOOR
        known = (a.mid == zero_at) & (out == 0) & a.exact()
        rad = np.where(a.exact(), 0.0, carried(a.mid.astype(np.float64, copy=False), a.rad, _size(out))) + own
        return Wide(out, np.where(known, 0.0, np.where(rad >= 0.0, rad, np.inf)))

    return kernel


def _softplus(z: Floats) -> Floats:
    return np.asarray(np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z))))


def _sigmoid(z: Floats) -> Floats:
    e = np.exp(-np.abs(z))
    return np.asarray(np.where(z > 0, 1, e) / (1 + e))


def _logcosh(z: Floats) -> Floats:
    size = np.abs(z)
    near = np.log1p(np.sinh(np.minimum(size, 1)) ** 2) / 2
    # for size >= 1 the result is above 0.43, so the constant costs it less than two more roundings
    return np.where(size < 1, near, size - np.log(z.dtype.type(2)) + np.log1p(np.exp(-2 * size)))


def _sech_squared(z: Floats) -> Floats:
    e = np.exp(-2 * np.abs(z))
    return np.asarray(4 * e / (1 + e) ** 2)


def _over(distance: Radii, rad: Radii) -> Radii:
    """rad / (distance - rad), infinite where the ball reaches the singular point."""
    room = distance - rad
    return np.where(room > 0, rad / room, np.inf)


exp = function(np.exp, lambda _, r, v: v * np.expm1(r))
expm1 = function(np.expm1, lambda m, r, _: np.exp(m) * np.expm1(r))
log = function(np.log, lambda m, r, _: _over(m, r), zero_at=1.0)
log1p = function(np.log1p, lambda m, r, _: _over(1.0 + m, 2.0 * r))
sqrt = function(np.sqrt, lambda m, r, v: np.where(m > r, r / v, np.inf), ulps=0.5)


def reciprocal(a: Wide) -> Wide:
    return _quotient(Wide.of(1.0, a.mid.dtype), a)


half_rsqrt = function(lambda z: 1 / (2 * np.sqrt(z)), lambda m, r, v: v * _over(m, r), ulps=2.0)
cosh = function(np.cosh, lambda _, r, v: v * np.expm1(r))
sinh = function(np.sinh, lambda m, r, _: np.cosh(m) * np.expm1(r))
tanh = function(np.tanh, lambda m, r, _: r * np.minimum(1.0, 4.0 * np.exp(-2.0 * (np.abs(m) - r))))
sech_squared = function(_sech_squared, lambda _, r, v: v * np.expm1(2.0 * r), ulps=16.0)
sigmoid = function(_sigmoid, lambda _, r, v: v * np.expm1(r), ulps=12.0)
softplus = function(_softplus, lambda m, r, _: r * np.minimum(1.0, np.exp(m + r)), ulps=16.0)
logcosh = function(_logcosh, lambda m, r, _: r * np.minimum(1.0, np.abs(m) + r), ulps=24.0)


def real_power(a: Wide, exponent: float) -> Wide:
    """a**exponent; bases of either sign for whole exponents."""
    e = a.mid.dtype.type(exponent)
    kernel = function(
        lambda z: np.power(z, e),
        lambda m, r, v: v * np.expm1(abs(exponent) * np.log1p(_over(np.abs(m), r))),
    )
    found: Wide = kernel(a)
    if exponent > 0:
        return found
    return Wide(found.mid, np.where(a.mid == 0, np.inf, found.rad))


def xlogy(a: Wide, b: Wide) -> Wide:
    return absorbing(a, log(b))


def xlog1py(a: Wide, b: Wide) -> Wide:
    return absorbing(a, log1p(b))


def absorbing(a: Wide, b: Wide) -> Wide:
    """a b, and 0 where a is 0."""
    return _absorbed(a, _product(a, b))


def absorbing_quotient(a: Wide, b: Wide) -> Wide:
    return _absorbed(a, _quotient(a, b))


def _absorbed(a: Wide, out: Wide) -> Wide:
    nothing = (a.mid == 0) & a.exact()
    if not nothing.any():
        return out
    return Wide(np.where(nothing, out.mid.dtype.type(0), out.mid), np.where(nothing, 0.0, out.rad))


def hull_max(a: Wide, b: Wide) -> Wide:
    return Wide(np.maximum(a.mid, b.mid), np.maximum(a.rad, b.rad))


def one_by_one(ball_function: Callable[[arb], arb]) -> Callable[[Wide], Wide]:
    """For functions without a wide form: balls for every different argument (targets have few); a doubt elsewhere."""

    def kernel(a: Wide) -> Wide:
        distinct, where = np.unique(np.where(a.exact(), a.mid.astype(np.float64), np.nan), return_inverse=True)
        if distinct.size > DISTINCT:
            return Wide(a.mid, np.full(a.shape, np.inf))
        known = from_balls(np.array([*(ball_function(arb(v)) for v in distinct.tolist()), None])[:-1], a.mid.dtype)
        found = known[where.reshape(a.shape)]
        return Wide(found.mid, np.where(a.exact(), found.rad, np.inf))

    return kernel


DISTINCT: Final = 100_000

KERNELS: dict[Any, Callable[..., Any]] = {
    np.add: _sum,
    np.subtract: lambda a, b: _sum(a, -b),
    np.multiply: _product,
    np.true_divide: _quotient,
    np.less: _below,
    np.greater: lambda a, b: _below(b, a),
    np.equal: lambda a, b: a == b,
}
"""What each ufunc does to Wide arrays; the elementary functions enter theirs where they are defined."""
