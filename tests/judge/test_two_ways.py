"""Comparing element by element: the short way, where all is finite, says what the long way says."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lossbench.judge.elements import Known, compare
from lossbench.spec.formats import FORMATS, round_to

DTYPES = ("float32", "bfloat16", "float16")
NUMBERS = st.one_of(
    st.floats(-1e30, 1e30), st.floats(-4, 4), st.sampled_from([0.0, -0.0, 1.0, 1e-40, -1e-45, 6e-8, 65504.0])
)
OFF = st.sampled_from([0.0, 1e-8, 3e-7, -1e-3, 0.02, 1.0])


def known(exact: np.ndarray, dtype: str) -> Known:
    """Exact numbers that owe one eps of their size."""
    rounded = np.asarray(round_to(exact, dtype), np.float64)
    return Known(
        dtype=dtype, rounded=rounded, exact=exact, owed=np.abs(exact) * FORMATS[dtype].eps,
        kink=np.zeros(exact.shape, bool), low=exact, high=exact,
        leaves_range=np.isinf(rounded) | ((rounded == 0) & (exact != 0)),
    )  # fmt: skip


@given(st.lists(st.tuples(NUMBERS, OFF), min_size=1, max_size=8), st.sampled_from(DTYPES), st.booleans())
def test_short_and_long_way_agree(pairs: list[tuple[float, float]], dtype: str, nan_inputs: bool) -> None:
    exact = np.array([number for number, _ in pairs])
    got = np.asarray(round_to(exact, dtype), np.float64) * (1 + np.array([off for _, off in pairs]))
    got = np.where(np.isfinite(got), got, exact)
    asked = known(exact, dtype)
    assert asked.plain, "else this compares nothing with itself"
    short = compare(got, asked, nan_inputs=nan_inputs)
    # one more number, which is NaN, forces the long way
    more = known(np.append(exact, np.nan), dtype)
    assert not more.plain
    long = compare(np.append(got, 1.0), more, nan_inputs=nan_inputs)
    for field in fields(short):
        np.testing.assert_array_equal(getattr(short, field.name), getattr(long, field.name)[:-1], err_msg=field.name)


def test_an_answer_that_is_not_finite_is_wrong_whatever_the_way() -> None:
    asked = known(np.array([1.0, 2.0]), "float32")
    for special in (np.nan, np.inf, -np.inf):
        seen = compare(np.array([special, 2.0]), asked, nan_inputs=True)
        assert seen.wrong.tolist() == [True, False]
        assert np.isinf(seen.ulp[0])


def test_numbers_at_a_kink_go_the_long_way() -> None:
    at_kink = replace(known(np.array([0.0]), "float32"), kink=np.array([True]), low=-np.ones(1), high=np.ones(1))
    assert not at_kink.plain
    assert compare(np.array([-0.5]), at_kink, nan_inputs=False).right
    assert not compare(np.array([-1.5]), at_kink, nan_inputs=False).right
