"""Rounding against exact rational arithmetic: any number, ties, subnormals, and the edge of overflow."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lossbench.spec.formats import FORMATS, round_to, step

# IEEE 754-2019 table 3.5 and, for bfloat16, its 8 exponent and 7 fraction bits: (precision, emax, largest, smallest)
TABLE = {
    "float64": (53, 1023, 1.7976931348623157e308, 5e-324),
    "float32": (24, 127, 3.4028234663852886e38, 1.401298464324817e-45),
    "bfloat16": (8, 127, 3.3895313892515355e38, 9.183549615799121e-41),
    "float16": (11, 15, 65504.0, 5.960464477539063e-08),
}
dtypes = st.sampled_from(sorted(TABLE))
finite = st.floats(allow_nan=False, allow_infinity=False)


def nearest(value: float, dtype: str) -> float:
    """By integers alone: the multiple of the spacing at |value| that is nearest, even on a tie."""
    precision, emax, _, _ = TABLE[dtype]
    exact = abs(Fraction(value))
    if exact == 0:
        return value
    exponent = exact.numerator.bit_length() - exact.denominator.bit_length()
    exponent -= exact < Fraction(2) ** exponent
    quantum = Fraction(2) ** (max(exponent, 1 - emax) - precision + 1)
    multiple = round(exact / quantum)  # Python rounds a Fraction half to even
    rounded = multiple * quantum
    if rounded >= Fraction(2) ** (emax + 1):
        return math.copysign(math.inf, value)
    return math.copysign(float(rounded), value)


def same(a: float, b: float) -> bool:
    return a == b and math.copysign(1, a) == math.copysign(1, b)


@pytest.mark.parametrize("dtype", TABLE)
def test_a_format_has_the_numbers_of_its_standard(dtype: str) -> None:
    fmt = FORMATS[dtype]
    assert (fmt.precision, fmt.emax, fmt.max, fmt.smallest) == TABLE[dtype]
    assert fmt.emin == 1 - fmt.emax
    assert fmt.eps == 2.0 ** (1 - TABLE[dtype][0])


@given(finite, dtypes)
def test_any_number_rounds_to_the_nearest(value: float, dtype: str) -> None:
    assert same(float(round_to(value, dtype)), nearest(value, dtype))


@given(dtypes, st.integers(min_value=0), st.sampled_from([-1, 0, 1]), st.integers(-1100, 1100), st.booleans())
def test_ties_and_their_neighbours(dtype: str, digits: int, beside: int, exponent: int, negative: bool) -> None:
    precision, emax, _, _ = TABLE[dtype]
    if dtype == "float64":
        beside = 0
    exponent = max(min(exponent, emax - precision), 2 - emax - precision)
    significand = 2 ** (precision - 1) + digits % 2 ** (precision - 1)
    tie = float((Fraction(significand) + Fraction(1, 2)) * Fraction(2) ** exponent)
    tie = float(np.nextafter(tie, math.copysign(math.inf, beside))) if beside else tie
    tie = -tie if negative else tie
    assert same(float(round_to(tie, dtype)), nearest(tie, dtype))


@given(dtypes, st.integers(0, 2**12), st.booleans())
def test_subnormals(dtype: str, halves: int, negative: bool) -> None:
    smallest = TABLE[dtype][3]
    value = halves * smallest if dtype == "float64" else halves * smallest / 2
    value = -value if negative else value
    assert same(float(round_to(value, dtype)), nearest(value, dtype))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_overflow_begins_half_a_step_beyond_the_largest(dtype: str, sign: float) -> None:
    precision, emax, largest, _ = TABLE[dtype]
    threshold = largest + 2.0 ** (emax - precision)
    below = math.nextafter(threshold, 0.0)
    assert float(round_to(sign * threshold, dtype)) == sign * math.inf
    assert float(round_to(sign * below, dtype)) == sign * largest


@pytest.mark.parametrize("dtype", TABLE)
def test_specials_zeros_shapes_and_carriers_pass_through(dtype: str) -> None:
    rounded = round_to(np.array([[np.nan, np.inf, -np.inf, 0.0, -0.0]]), dtype)
    assert rounded.dtype == FORMATS[dtype].carrier
    assert rounded.shape == (1, 5)
    assert np.isnan(rounded[0, 0])
    assert rounded[0, 1:].tolist() == [np.inf, -np.inf, 0.0, 0.0]
    assert np.signbit(rounded[0, 3:]).tolist() == [False, True]
    assert isinstance(round_to(1.0, dtype), np.ndarray)
    assert round_to(np.zeros((0, 3)), dtype).shape == (0, 3)


@given(finite, dtypes)
def test_a_number_of_the_format_is_kept(value: float, dtype: str) -> None:
    once = round_to(value, dtype)
    assert round_to(once, dtype).tobytes() == once.tobytes()


@given(finite, dtypes, st.sampled_from([-1, 1]))
def test_a_step_leads_to_the_neighbour(value: float, dtype: str, way: int) -> None:
    start = float(round_to(value, dtype))
    if not math.isfinite(start):
        return
    there = float(step(start, dtype, way))
    assert there > start if way > 0 else there < start
    if math.isfinite(there):
        middle = (Fraction(start) + Fraction(there)) / 2
        # nothing lies between: even the middle rounds to one of the two
        if Fraction(float(middle)) == middle:
            assert float(round_to(float(middle), dtype)) in (start, there)
        assert float(round_to(there, dtype)) == there
    else:
        assert abs(start) == TABLE[dtype][2]
