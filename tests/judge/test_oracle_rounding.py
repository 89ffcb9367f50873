"""Exact numbers are rounded correctly to every format, and distances are counted in its spacing."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from flint import arb
from hypothesis import example, given, settings
from hypothesis import strategies as st
from oracle_fractions import nearest

from lossbench.judge.oracle.attempt import Attempt, working
from lossbench.judge.oracle.exact import ExactArray
from lossbench.judge.oracle.reals import Reals, as_balls
from lossbench.spec.formats import FORMATS

DTYPES = tuple(FORMATS)


def exact(*balls: arb, dtype: str) -> ExactArray:
    array = np.empty(len(balls), dtype=object)
    array[:] = balls
    return ExactArray(Reals(as_balls(array)), None, np.zeros(len(balls)), dtype)


def dyadic(man: int, exp: int) -> arb:
    with working(Attempt(bits=4096, last=True)):
        return arb(man) * arb(2) ** exp


@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_dyadic_numbers_round_as_fractions_do(dtype: str, data: st.DataObject) -> None:
    fmt = FORMATS[dtype]
    bits = data.draw(st.integers(fmt.precision - 2, fmt.precision + 4))
    man = data.draw(st.integers(-(2**bits), 2**bits))
    exp = data.draw(
        st.one_of(
            st.integers(-3, 3),
            st.integers(fmt.emin - fmt.precision - 5, fmt.emin - fmt.precision + 5),
            st.integers(fmt.emax - bits - 2, fmt.emax - bits + 2),
        )
    )
    want = nearest(Fraction(man) * Fraction(2) ** exp, dtype)
    got = exact(dyadic(man, exp), dtype=dtype).rounded()
    assert got.dtype == fmt.carrier
    assert float(got[0]) == want


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("odd", [False, True])
def test_ties_go_to_even(dtype: str, odd: bool) -> None:
    p = FORMATS[dtype].precision
    man = (1 << p) + (2 if odd else 0) + 1  # half way between two neighbours just above 1
    got = exact(dyadic(man, -p), dtype=dtype).rounded()[0]
    assert float(got) == 1.0 + (2 * odd) * FORMATS[dtype].eps


@pytest.mark.parametrize("dtype", DTYPES)
def test_overflow_starts_half_an_ulp_beyond_the_largest(dtype: str) -> None:
    fmt = FORMATS[dtype]
    man = (1 << (fmt.precision + 1)) - 1
    threshold = dyadic(man, fmt.emax - fmt.precision)
    below = dyadic((man << 60) - 1, fmt.emax - fmt.precision - 60)
    assert exact(threshold, dyadic(-man, fmt.emax - fmt.precision), below, dtype=dtype).rounded().tolist() == [
        math.inf,
        -math.inf,
        fmt.max,
    ]


@pytest.mark.parametrize("dtype", DTYPES)
def test_subnormals_and_the_underflow_threshold(dtype: str) -> None:
    fmt = FORMATS[dtype]
    last = fmt.emin - fmt.precision + 1
    numbers = [dyadic(1, last), dyadic(1, last - 1), dyadic((1 << 70) + 1, last - 71), dyadic(3, last - 1)]
    assert exact(*numbers, dtype=dtype).rounded().tolist() == [fmt.smallest, 0.0, fmt.smallest, 2 * fmt.smallest]


@settings(max_examples=60, deadline=None)
@given(top=st.integers(-(10**12), 10**12), bottom=st.integers(1, 10**12), scale=st.integers(-160, 160))
@example(top=1, bottom=3, scale=-150)
def test_quotients_round_as_fractions_do(top: int, bottom: int, scale: int) -> None:
    with working(Attempt(bits=256, last=True)):
        ball = arb(top) / arb(bottom) * arb(2) ** scale
    for dtype in DTYPES:
        array = exact(ball, dtype=dtype)
        assert array.is_certified()
        assert float(array.rounded()[0]) == nearest(Fraction(top, bottom) * Fraction(2) ** scale, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_ulp_counts_spacings_of_the_format(dtype: str) -> None:
    fmt = FORMATS[dtype]
    values = exact(arb(1), arb(1), dyadic(1, fmt.emin), arb(0), dyadic(1, 2000), dyadic(1, 2000), arb(2), dtype=dtype)
    computed = [1 + fmt.eps, 1 - fmt.eps / 2, fmt.tiny - 3 * fmt.smallest, 2 * fmt.smallest, np.inf, -np.inf, np.nan]
    assert values.ulp(computed).tolist() == [1.0, 0.5, 3.0, 2.0, 0.0, math.inf, math.inf]


def test_ulp_of_an_inexact_result_is_fractional() -> None:
    with working(Attempt(bits=128, last=True)):
        third = arb(1) / 3
    for dtype in DTYPES:
        array = exact(third, dtype=dtype)
        own = nearest(Fraction(1, 3), dtype)
        spacing = Fraction(FORMATS[dtype].eps) / 4
        assert array.ulp([own])[0] == pytest.approx(float(abs(Fraction(own) - Fraction(1, 3)) / spacing), rel=1e-12)


def test_specials_agree_only_with_their_like() -> None:
    values = ExactArray(Reals.of([np.inf, -np.inf, np.nan, np.inf]), None, np.zeros(4), "float32")
    assert values.ulp([np.inf, np.inf, np.nan, 3e38]).tolist() == [0.0, math.inf, 0.0, math.inf]
    assert values.posinf().tolist() == [True, False, False, True]
    assert values.undefined.tolist() == [False, False, True, False]
    assert not values.overflows().any()


def test_relative_error() -> None:
    values = exact(arb(4), arb(0), arb(0), dtype="float64")
    assert values.relative([5.0, 0.0, 1e-300]).tolist() == [0.25, 0.0, math.inf]


def test_a_narrow_ball_is_not_certified_across_a_tie_and_a_wide_one_not_at_all() -> None:
    with working(Attempt(bits=128, last=True)):
        tie = arb(1) + arb(2) ** -24
        straddling, wide = arb(tie, 2.0**-120), arb(1.3, 1e-12)
    assert not exact(straddling, dtype="float32").is_certified()
    assert not exact(wide, dtype="float16").is_certified()
    assert exact(tie, dtype="float32").is_certified()


def test_a_ball_around_zero_is_zero_only_far_below_the_format() -> None:
    with working(Attempt(bits=128, last=True)):
        tiny, near = arb(0, "1e-80"), arb(0, "1e-46")
    assert exact(tiny, dtype="float32").is_certified()
    assert not exact(near, dtype="float32").is_certified()
    assert not exact(tiny, dtype="float64").is_certified()
