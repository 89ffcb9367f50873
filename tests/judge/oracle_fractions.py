"""A second, slow way to round and to call the oracle, for its tests: fractions and mpmath, no balls."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np

from lossbench.judge import oracle
from lossbench.spec.domains import REAL
from lossbench.spec.formats import FORMATS
from lossbench.spec.loss import Definition, Loss

MANTISSA_AND_MIN = {
    "float64": (53, -1022, 1023),
    "float32": (24, -126, 127),
    "bfloat16": (8, -126, 127),
    "float16": (11, -14, 15),
}


def nearest(value: Fraction, dtype: str) -> float:
    """Round half to even by Python's own round() on a fraction of the spacing."""
    digits, emin, emax = MANTISSA_AND_MIN[dtype]
    size = abs(value)
    guess = size.numerator.bit_length() - size.denominator.bit_length()  # right or one too large
    exponent = guess if size >= Fraction(2) ** guess else guess - 1
    exponent = max(exponent, emin)
    spacing = Fraction(2) ** (exponent - digits + 1)
    rounded = round(value / spacing) * spacing
    if abs(rounded) >= Fraction(2) ** (emax + 1):
        return math.inf if value > 0 else -math.inf
    return float(rounded)


def nearest_mp(value: Any, dtype: str) -> float:
    """The same of an mpmath number."""
    number = mpmath.mpf(value)
    if not mpmath.isfinite(number):
        return float(number)
    sign, man, exp, _ = number._mpf_
    if exp < -20000:
        return 0.0
    if exp > 20000:
        return math.inf if not sign else -math.inf
    return nearest(Fraction(-man if sign else man) * Fraction(2) ** exp, dtype)


def loss_of(reference: Callable[..., Any], *, definitions: tuple[Definition, ...] = (), **params: Any) -> Loss:
    """A loss around a reference."""
    return Loss(
        name="under_test",
        title="t",
        summary="s",
        formula="f",
        source="s",
        inputs={"y_true": REAL, "y_pred": REAL},
        reference=reference,
        bindings=(),
        params=params,
        definitions=definitions,
    )


def evaluate(
    reference: Callable[..., Any],
    y_true: Any,
    y_pred: Any,
    dtype: str = "float64",
    *,
    params: dict[str, Any] | None = None,
    defaults: dict[str, Any] | None = None,
    **options: Any,
) -> oracle.Exact:
    """Unreduced unless `params` says otherwise."""
    carrier = FORMATS[dtype].carrier
    target = np.asarray(y_true)
    arrays = {
        "y_true": target if target.dtype.kind in "iu" else target.astype(carrier),
        "y_pred": np.asarray(y_pred, dtype=carrier),
    }
    loss = loss_of(reference, **(defaults or {}))
    return oracle.evaluate(loss, {"reduction": "none", **(params or {})}, arrays, dtype, **options)
