"""The rules of the extended reals, apart from every formula: what a function is where a ball cannot say.

A finite result comes from balls. At an infinite or nan argument, and at a singular point (log 0, 1/0),
the result is the IEEE one on stand-ins with the same sign, so inf - inf = nan, exp(-inf) = 0, log 0 = -inf,
1/0 = +inf (zeros are taken from above). Beyond IEEE: 0 log b = 0 for every b; 0 in a `weigh` removes
what it weighs, infinities too.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import log_expit, xlog1py, xlogy

from lossbench.judge.oracle.attempt import doubt
from lossbench.judge.oracle.reals import (
    FINITE,
    NEGATIVE,
    NOT_A_NUMBER,
    POSITIVE,
    ZERO,
    Balls,
    Floats,
    Kinds,
    Mask,
    Reals,
    as_balls,
    finite_balls,
)
from lossbench.judge.oracle.wide import Wide

Rule = Callable[..., Floats]


def kinds_of(values: Floats) -> Kinds:
    """The kind of each float."""
    kind = np.zeros(np.shape(values), np.int8)
    kind[np.isposinf(values)] = POSITIVE
    kind[np.isneginf(values)] = NEGATIVE
    kind[np.isnan(values)] = NOT_A_NUMBER
    return kind


def settle(balls: object, rule: Rule, *arguments: Reals, singular: bool = True) -> Reals:
    """The array of computed balls with `rule(*stand-ins)` wherever an argument is special or no finite ball came out.

    singular=False: the function is finite at finite arguments, so a ball that is not finite asks for more bits.
    """
    out: Balls = as_balls(balls)
    finite = finite_balls(out)
    special = np.zeros(out.shape, bool)
    for argument in arguments:
        if argument.kind is not None:
            special = special | (argument.kind != FINITE)
    if finite.all() and not special.any():
        return Reals(out)
    if not singular:
        doubt(~(finite | special))
    elif isinstance(out, Wide):  # which also overflows: only a zero makes a singular point there
        zero = np.zeros(out.shape, bool)
        for argument in arguments:
            zero = zero | np.asarray(argument.balls == ZERO, dtype=bool)
        doubt(~(finite | special | zero))
    here = special | ~finite
    limit = np.broadcast_to(rule(*(_fitting(argument, here, out.shape) for argument in arguments)), out.shape)
    doubt(~finite & ~special & np.isfinite(limit))  # the ball touches a singular point that the number avoids
    known = Reals.of(np.where(here, limit, 0.0))
    chosen = as_balls(np.where(here, known.balls, out))
    return Reals(chosen, np.where(here, kinds_of(limit), FINITE).astype(np.int8))


def _fitting(argument: Reals, here: Mask, shape: tuple[int, ...]) -> Floats:
    return argument.reshaped(lambda part: np.broadcast_to(part, shape)).proxy(here)


def total(values: Reals, axis: tuple[int, ...]) -> Kinds | None:
    """The kind of a sum: nan wins, opposite infinities are nan."""
    if values.kind is None:
        return None
    stand_ins = np.choose(values.kind, [0.0, np.inf, -np.inf, np.nan])
    return kinds_of(np.asarray(np.sum(stand_ins, axis=axis)))


def softplus(a: Floats) -> Floats:
    return np.asarray(-log_expit(-a))


def sigmoid(a: Floats) -> Floats:
    return np.asarray(1.0 / (1.0 + np.exp(-a)))


def logcosh(a: Floats) -> Floats:
    return np.asarray(np.abs(a) + np.log1p(np.exp(-2.0 * np.abs(a))) - np.log(2.0))


def sech_squared(a: Floats) -> Floats:
    return np.asarray(1.0 / np.cosh(a) ** 2)


def lgamma(a: Floats) -> Floats:
    """Log of Gamma for a >= 0; nan below, where no loss lives."""
    return np.where(a < 0, np.nan, np.where((a == 0) | np.isposinf(a), np.inf, a))


def digamma(a: Floats) -> Floats:
    return np.where(a < 0, np.nan, np.where(a == 0, -np.inf, a))


def reciprocal(a: Floats) -> Floats:
    """1/a with zeros taken from above."""
    return np.asarray(1.0 / (a + 0.0))


def quotient(a: Floats, b: Floats) -> Floats:
    """a/b with zeros taken from above."""
    return np.asarray(a / (b + 0.0))


def half_reciprocal_root(a: Floats) -> Floats:
    return np.asarray(0.5 / np.sqrt(a + 0.0))


def absorbing_product(a: Floats, b: Floats) -> Floats:
    """a b, and 0 where a is 0 and b is not nan."""
    return np.where((a == 0) & ~np.isnan(b), 0.0, a * b)


def logarithm_product(a: Floats, b: Floats) -> Floats:
    """a log b with 0 log b = 0."""
    return np.asarray(xlogy(a, b + 0.0))


def logarithm1p_product(a: Floats, b: Floats) -> Floats:
    """a log(1 + b) with 0 log(1 + b) = 0."""
    return np.asarray(xlog1py(a, b))


def absorbing_quotient(a: Floats, b: Floats) -> Floats:
    """The derivative a/b of a log b: 0 where a is 0, since 0 log b is 0 for every b."""
    return np.where((a == 0) & ~np.isnan(b), 0.0, a / (b + 0.0))
