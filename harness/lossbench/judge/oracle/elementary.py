"""Elementary functions of extended-real arrays: balls for finite numbers, `limits` for the rest.

Each is written so that it keeps its digits for tiny and for huge arguments; where it cannot, the
precision is raised, so this is a matter of speed and not of truth.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from flint import arb

from lossbench.judge.oracle import kernels, limits, wide
from lossbench.judge.oracle.reals import NEGATIVE, NOT_A_NUMBER, POSITIVE, Reals, as_balls, largest_along


def _each(function: Callable[..., arb], kernel: Callable[..., wide.Wide], arguments: int = 1) -> Callable[..., object]:
    """A function of balls for whole arrays, with the kernel that serves Wide arrays in its place."""
    ufunc: Callable[..., object] = np.frompyfunc(function, arguments, 1)
    wide.KERNELS[ufunc] = kernel
    return ufunc


def _log2() -> arb:
    return arb.const_log2()


def _softplus(z: arb) -> arb:
    return z + (-z).exp().log1p() if z > 0 else z.exp().log1p()


def _sigmoid(z: arb) -> arb:
    if z > -1:
        return 1 / (1 + (-z).exp())
    e = z.exp()
    return e / (1 + e)


def _logcosh(z: arb) -> arb:
    size = abs(z)
    if size < 1:
        return (z.sinh() ** 2).log1p() / 2
    return size - _log2() + (-2 * size).exp().log1p()


def _sech_squared(z: arb) -> arb:
    e = (-2 * abs(z)).exp()
    return 4 * e / (1 + e) ** 2


def _xlogy(a: arb, b: arb) -> arb:
    return a if a.is_zero() else a * b.log()


def _xlog1py(a: arb, b: arb) -> arb:
    return a if a.is_zero() else a * b.log1p()


def _absorbing(a: arb, b: arb) -> arb:
    return a if a.is_zero() else a * b


def _absorbing_quotient(a: arb, b: arb) -> arb:
    return a if a.is_zero() else a / b


def _positive(function: Callable[[arb], arb]) -> Callable[[arb], arb]:
    return lambda z: function(z) if z > 0 else arb.nan()


_EXP, _EXPM1 = _each(arb.exp, kernels.exp), _each(arb.expm1, kernels.expm1)
_LOG, _LOG1P = _each(arb.log, kernels.log), _each(arb.log1p, kernels.log1p)
_SQRT, _HALF_RSQRT = _each(arb.sqrt, kernels.sqrt), _each(lambda z: z.rsqrt() / 2, kernels.half_rsqrt)
_COSH, _SINH, _TANH = _each(arb.cosh, kernels.cosh), _each(arb.sinh, kernels.sinh), _each(arb.tanh, kernels.tanh)
_SOFTPLUS, _SIGMOID = _each(_softplus, kernels.softplus), _each(_sigmoid, kernels.sigmoid)
_LOGCOSH, _SECH2 = _each(_logcosh, kernels.logcosh), _each(_sech_squared, kernels.sech_squared)
_LGAMMA, _DIGAMMA = (_each(f, kernels.one_by_one(f)) for f in (_positive(arb.lgamma), _positive(arb.digamma)))
_RECIPROCAL = _each(lambda z: 1 / z, kernels.reciprocal)
_XLOGY, _XLOG1PY = _each(_xlogy, kernels.xlogy, 2), _each(_xlog1py, kernels.xlog1py, 2)
_ABSORBING = _each(_absorbing, kernels.absorbing, 2)
_ABSORBING_QUOTIENT = _each(_absorbing_quotient, kernels.absorbing_quotient, 2)


def add(a: Reals, b: Reals) -> Reals:
    if a.kind is None and b.kind is None:
        return Reals(as_balls(a.balls + b.balls))
    return limits.settle(a.balls + b.balls, np.add, a, b)


def subtract(a: Reals, b: Reals) -> Reals:
    if a.kind is None and b.kind is None:
        return Reals(as_balls(a.balls - b.balls))
    return limits.settle(a.balls - b.balls, np.subtract, a, b)


def multiply(a: Reals, b: Reals) -> Reals:
    if a.kind is None and b.kind is None:
        return Reals(as_balls(a.balls * b.balls))
    return limits.settle(a.balls * b.balls, np.multiply, a, b)


def divide(a: Reals, b: Reals) -> Reals:
    return limits.settle(a.balls / b.balls, limits.quotient, a, b)


def negative(a: Reals) -> Reals:
    kind = None if a.kind is None else np.choose(a.kind, [0, NEGATIVE, POSITIVE, NOT_A_NUMBER]).astype(np.int8)
    return Reals(as_balls(-a.balls), kind)


def absolute(a: Reals) -> Reals:
    kind = None if a.kind is None else np.choose(a.kind, [0, POSITIVE, POSITIVE, NOT_A_NUMBER]).astype(np.int8)
    return Reals(as_balls(abs(a.balls)), kind)


def weigh(a: Reals, b: Reals) -> Reals:
    """a b where a = 0 gives 0 even for an infinite b."""
    return limits.settle(_ABSORBING(a.balls, b.balls), limits.absorbing_product, a, b)


def absorbing_quotient(a: Reals, b: Reals) -> Reals:
    return limits.settle(_ABSORBING_QUOTIENT(a.balls, b.balls), limits.absorbing_quotient, a, b)


def xlogy(a: Reals, b: Reals) -> Reals:
    return limits.settle(_XLOGY(a.balls, b.balls), limits.logarithm_product, a, b)


def xlog1py(a: Reals, b: Reals) -> Reals:
    return limits.settle(_XLOG1PY(a.balls, b.balls), limits.logarithm1p_product, a, b)


def exp(a: Reals) -> Reals:
    return limits.settle(_EXP(a.balls), np.exp, a, singular=False)


def expm1(a: Reals) -> Reals:
    return limits.settle(_EXPM1(a.balls), np.expm1, a, singular=False)


def log(a: Reals) -> Reals:
    return limits.settle(_LOG(a.balls), lambda p: np.log(p + 0.0), a)


def log1p(a: Reals) -> Reals:
    return limits.settle(_LOG1P(a.balls), lambda p: np.log(p + 0.0), add(a, Reals.of(1.0)))


def sqrt(a: Reals) -> Reals:
    return limits.settle(_SQRT(a.balls), np.sqrt, a)


def reciprocal(a: Reals) -> Reals:
    return limits.settle(_RECIPROCAL(a.balls), limits.reciprocal, a)


def half_reciprocal_root(a: Reals) -> Reals:
    """The derivative of the square root."""
    return limits.settle(_HALF_RSQRT(a.balls), limits.half_reciprocal_root, a)


def cosh(a: Reals) -> Reals:
    return limits.settle(_COSH(a.balls), np.cosh, a, singular=False)


def sinh(a: Reals) -> Reals:
    return limits.settle(_SINH(a.balls), np.sinh, a, singular=False)


def tanh(a: Reals) -> Reals:
    return limits.settle(_TANH(a.balls), np.tanh, a, singular=False)


def sech_squared(a: Reals) -> Reals:
    return limits.settle(_SECH2(a.balls), limits.sech_squared, a, singular=False)


def sigmoid(a: Reals) -> Reals:
    return limits.settle(_SIGMOID(a.balls), limits.sigmoid, a, singular=False)


def softplus(a: Reals) -> Reals:
    return limits.settle(_SOFTPLUS(a.balls), limits.softplus, a, singular=False)


def logcosh(a: Reals) -> Reals:
    return limits.settle(_LOGCOSH(a.balls), limits.logcosh, a, singular=False)


def lgamma(a: Reals) -> Reals:
    return limits.settle(_LGAMMA(a.balls), limits.lgamma, a)


def digamma(a: Reals) -> Reals:
    return limits.settle(_DIGAMMA(a.balls), limits.digamma, a)


def log2_constant() -> Reals:
    return Reals(as_balls(_log2()))


def pi_constant() -> Reals:
    return Reals(as_balls(arb.pi()))


def power(a: Reals, exponent: arb) -> Reals:
    """a**exponent for one finite exponent; 0**0 = 1, negative bases for whole exponents."""
    whole = exponent.unique_fmpz() if exponent.is_integer() else None
    if whole is not None and abs(whole) < 2**20:
        n = int(whole)
        if n and isinstance(a.balls, wide.Wide):
            powers: object = kernels.real_power(a.balls, float(n))
        else:
            powers = a.balls**n if n else a.balls * 0 + 1
        return limits.settle(powers, lambda p: np.power(p + 0.0, float(n)), a)
    at_zero = arb(0) if exponent > 0 else arb.nan()

    def real_power(z: arb) -> arb:
        return z**exponent if z > 0 else at_zero if z.is_zero() else arb.nan()

    if isinstance(a.balls, wide.Wide):
        balls: object = kernels.real_power(a.balls, float(exponent))
    else:
        balls = np.frompyfunc(real_power, 1, 1)(a.balls)
    return limits.settle(balls, lambda p: np.power(p + 0.0, float(exponent)), a)


def total(a: Reals, axis: tuple[int, ...]) -> Reals:
    balls = np.add.reduce(a.balls, axis=axis, initial=arb(0))
    return Reals(as_balls(balls), limits.total(a, axis))


def maximum_along(a: Reals, axis: tuple[int, ...]) -> Reals:
    """The largest element; a nan makes it nan, and of nothing it is -inf. Raises Undecided."""
    out = largest_along(a.balls, axis)
    nan = np.asarray(np.any(a.kinds == NOT_A_NUMBER, axis=axis))
    infinite = np.asarray(np.any(a.kinds == POSITIVE, axis=axis))
    empty = np.asarray(np.all(a.kinds == NEGATIVE, axis=axis))
    kind = np.select([nan, infinite, empty], [NOT_A_NUMBER, POSITIVE, NEGATIVE], 0).astype(np.int8)
    return Reals(out, np.asarray(kind))


def matmul(a: Reals, b: Reals) -> Reals:
    """Of two matrices of finite numbers, in wide arithmetic."""
    assert isinstance(a.balls, wide.Wide), "balls are multiplied one by one"
    return Reals(as_balls(kernels.matmul(a.balls, b.balls)))
