"""Elementary functions of Wide arrays: a value from numpy, and a bound for what the argument's radius does to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from flint import arb

from lossbench.judge.oracle.wide import (
    FLOOR,
    Floats,
    Radii,
    Wide,
    coerced,
    from_balls,
    magnitude,
    product,
    quotient,
    unit,
)

FUNCTION_ULPS: Final = 4.0
"""Allowed error of a library function in units of the last place: several times what libm and numpy document."""

DISTINCT: Final = 100_000
"""Different arguments that are evaluated one by one."""


def matmul(a: Wide, b: Any) -> Wide:
    """Products and sums in whatever order the machine's library chooses."""
    b = coerced(b, a.mid.dtype)
    size_a, size_b = magnitude(a.mid), magnitude(b.mid)
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
        own = 2.0 * ulps * unit(out.dtype) * magnitude(out) + FLOOR
        known = (a.mid == zero_at) & (out == 0) & a.exact()
        rad = np.where(a.exact(), 0.0, carried(a.mid.astype(np.float64, copy=False), a.rad, magnitude(out))) + own
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
    return np.asarray(np.where(size < 1, near, size - np.log(z.dtype.type(2)) + np.log1p(np.exp(-2 * size))))


def _sech_squared(z: Floats) -> Floats:
    e = np.exp(-2 * np.abs(z))
    return np.asarray(4 * e / (1 + e) ** 2)


def _over(distance: Radii, rad: Radii) -> Radii:
    """rad / (distance - rad), infinite where the ball reaches the singular point."""
    room = distance - rad
    return np.asarray(np.where(room > 0, rad / room, np.inf))


exp = function(np.exp, lambda _, r, v: v * np.expm1(r))
expm1 = function(np.expm1, lambda m, r, _: np.exp(m) * np.expm1(r))
log = function(np.log, lambda m, r, _: _over(m, r), zero_at=1.0)
log1p = function(np.log1p, lambda m, r, _: _over(1.0 + m, 2.0 * r))
sqrt = function(np.sqrt, lambda m, r, v: np.where(m > r, r / v, np.inf), ulps=0.5)


def reciprocal(a: Wide) -> Wide:
    return quotient(Wide.of(1.0, a.mid.dtype), a)


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
    if exponent == 1.0:
        return a
    if exponent == 2.0:
        return product(a, a)
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
    return _absorbed(a, product(a, b))


def absorbing_quotient(a: Wide, b: Wide) -> Wide:
    return _absorbed(a, quotient(a, b))


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
