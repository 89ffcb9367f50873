"""Functions of one number, as data: value and slope in exact arithmetic, slope and curvature in float64.

The float64 columns serve the running error only: |slope| carries an argument's error to the value,
|curvature| carries it to the slope.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import expit, polygamma

from lossbench.judge.oracle import elementary as el
from lossbench.judge.oracle.reals import Floats, Reals

_LN2: Final = float(np.log(2.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Primitive:
    """value(a), slope(a, value); rate(a, value), bend(a, value): |first|, |second derivative| in float64."""

    value: Callable[[Reals], Reals]
    slope: Callable[[Reals, Reals], Reals]
    rate: Callable[[Floats, Floats], Floats]
    bend: Callable[[Floats, Floats], Floats]


def _sech2(a: Floats) -> Floats:
    return np.asarray(4.0 * np.exp(-2.0 * np.abs(a)) / (1.0 + np.exp(-2.0 * np.abs(a))) ** 2)


def _bell(a: Floats) -> Floats:
    return np.asarray(expit(a) * expit(-a))


EXP = Primitive(value=el.exp, slope=lambda _, v: v, rate=lambda _, v: v, bend=lambda _, v: v)
EXPM1 = Primitive(
    value=el.expm1, slope=lambda a, _: el.exp(a), rate=lambda a, _: np.exp(a), bend=lambda a, _: np.exp(a)
)
LOG = Primitive(
    value=el.log, slope=lambda a, _: el.reciprocal(a), rate=lambda a, _: 1.0 / a, bend=lambda a, _: 1.0 / a / a
)
LOG2 = Primitive(
    value=lambda a: el.divide(el.log(a), el.log2_constant()),
    slope=lambda a, _: el.divide(el.reciprocal(a), el.log2_constant()),
    rate=lambda a, _: 1.0 / a / _LN2,
    bend=lambda a, _: 1.0 / a / a / _LN2,
)
LOG1P = Primitive(
    value=el.log1p,
    slope=lambda a, _: el.reciprocal(el.add(a, Reals.of(1.0))),
    rate=lambda a, _: 1.0 / (1.0 + a),
    bend=lambda a, _: 1.0 / (1.0 + a) ** 2,
)
SQRT = Primitive(
    value=el.sqrt,
    slope=lambda a, _: el.half_reciprocal_root(a),
    rate=lambda _, v: 0.5 / v,
    bend=lambda a, v: 0.25 / v / a,
)
COSH = Primitive(
    value=el.cosh, slope=lambda a, _: el.sinh(a), rate=lambda a, _: np.sinh(a), bend=lambda a, _: np.cosh(a)
)
TANH = Primitive(
    value=el.tanh,
    slope=lambda a, _: el.sech_squared(a),
    rate=lambda a, _: _sech2(a),
    bend=lambda a, v: 2.0 * v * _sech2(a),
)
SIGMOID = Primitive(
    value=el.sigmoid,
    slope=lambda a, v: el.multiply(v, el.sigmoid(el.negative(a))),
    rate=lambda a, _: _bell(a),
    bend=lambda a, _: _bell(a),
)
SOFTPLUS = Primitive(
    value=el.softplus, slope=lambda a, _: el.sigmoid(a), rate=lambda a, _: expit(a), bend=lambda a, _: _bell(a)
)
LOG_SIGMOID = Primitive(
    value=lambda a: el.negative(el.softplus(el.negative(a))),
    slope=lambda a, _: el.sigmoid(el.negative(a)),
    rate=lambda a, _: expit(-a),
    bend=lambda a, _: _bell(a),
)
LOGCOSH = Primitive(
    value=el.logcosh, slope=lambda a, _: el.tanh(a), rate=lambda a, _: np.tanh(a), bend=lambda a, _: _sech2(a)
)
LGAMMA = Primitive(
    value=el.lgamma,
    slope=lambda a, _: el.digamma(a),
    rate=lambda a, _: polygamma(0, a),
    bend=lambda a, _: polygamma(1, a),
)
