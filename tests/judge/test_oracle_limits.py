"""Extended reals: limits where they exist, infinity only where it belongs, nan only where nothing is defined."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from oracle_fractions import evaluate

INF, NAN = math.inf, math.nan


@pytest.mark.parametrize(
    ("name", "at", "value", "slope"),
    [
        ("log", 0.0, -INF, INF),
        ("log", -1.0, NAN, None),
        ("log", INF, INF, 0.0),
        ("log1p", -1.0, -INF, INF),
        ("exp", -INF, 0.0, 0.0),
        ("exp", 1e300, INF, INF),
        ("exp", -1e300, 0.0, 0.0),
        ("expm1", -INF, -1.0, 0.0),
        ("sqrt", 0.0, 0.0, INF),
        ("sqrt", INF, INF, 0.0),
        ("softplus", INF, INF, 1.0),
        ("softplus", -INF, 0.0, 0.0),
        ("sigmoid", INF, 1.0, 0.0),
        ("sigmoid", -INF, 0.0, 0.0),
        ("log_sigmoid", -INF, -INF, 1.0),
        ("log_sigmoid", -1e300, -1e300, 1.0),
        ("tanh", -INF, -1.0, 0.0),
        ("logcosh", 1e300, 1e300, 1.0),
        ("logcosh", -INF, INF, -1.0),
        ("cosh", 1e300, INF, INF),
        ("square", 1e300, INF, 2e300),
        ("abs", -INF, INF, -1.0),
        ("log2", 0.0, -INF, INF),
        ("log2", 8.0, 3.0, None),
        ("lgamma", 1.0, 0.0, None),
        ("lgamma", 0.0, INF, -INF),
        ("exp", NAN, NAN, NAN),
    ],
)
def test_limits_of_functions_and_of_their_slopes(name: str, at: float, value: float, slope: float | None) -> None:
    exact = evaluate(lambda x, _, p: getattr(x, name)(p), [0.0], [at])
    np.testing.assert_array_equal(exact.value.rounded(), [value])
    if slope is not None:
        assert exact.grad is not None
        np.testing.assert_array_equal(exact.grad.rounded(), [slope])


@pytest.mark.parametrize(
    ("formula", "y", "p", "value"),
    [
        (lambda _, y, p: p - y, INF, INF, NAN),
        (lambda _, y, p: p * y, 0.0, INF, NAN),
        (lambda _, y, p: y / p, 1.0, 0.0, INF),
        (lambda _, y, p: y / p, 0.0, 0.0, NAN),
        (lambda _, y, p: y / p, 1.0, -INF, 0.0),
        (lambda x, y, p: x.weigh(y, p), 0.0, -INF, 0.0),
        (lambda x, y, p: x.weigh(y, p), 0.0, NAN, NAN),
        (lambda x, y, p: x.xlogy(y, p), 0.0, 0.0, 0.0),
        (lambda x, y, p: x.xlogy(y, p), 0.5, 0.0, -INF),
        (lambda x, y, p: x.xlog1py(y, p), 0.0, -1.0, 0.0),
        (lambda x, y, p: x.maximum(y, p), NAN, 1.0, NAN),
        (lambda x, y, p: x.maximum(y, p), -INF, 1.0, 1.0),
        (lambda x, y, p: x.logaddexp(y, p), -INF, 2.0, 2.0),
        (lambda x, y, p: x.safe_divide(y, p, 7.0), 3.0, 0.0, 7.0),
        (lambda x, y, p: x.power(p, y), 0.0, 0.0, 1.0),
        (lambda x, _, p: x.power(p, 0.5), 0.0, 0.0, 0.0),
        (lambda x, _, p: x.power(p, -1), 0.0, 0.0, INF),
        (lambda x, _, p: x.power(p, 3), 0.0, -2.0, -8.0),
        (lambda x, _, p: x.power(p, 0.5), 0.0, -2.0, NAN),
    ],
)
def test_extended_arithmetic(formula: Any, y: float, p: float, value: float) -> None:
    np.testing.assert_array_equal(evaluate(formula, [y], [p], grad=False).value.rounded(), [value])


def test_logsumexp_leaves_masked_entries_out_and_takes_infinities_in() -> None:
    p = [[-INF, 0.0, 0.0], [-INF, -INF, -INF], [INF, 0.0, 0.0], [NAN, 0.0, 0.0]]
    exact = evaluate(lambda x, _, p: x.logsumexp(p), np.zeros(4), p, "float32")
    np.testing.assert_array_equal(exact.value.rounded(), np.array([math.log(2), -INF, INF, NAN], np.float32))
    assert exact.grad is not None
    np.testing.assert_array_equal(exact.grad.rounded()[0], [0.0, 0.5, 0.5])


def test_a_finite_intermediate_beyond_the_dtype_is_no_infinity() -> None:
    exact = evaluate(lambda x, _, p: x.log(x.exp(p) * x.exp(p)) / 2, [0.0], [80.0], "float16")
    assert exact.value.rounded().tolist() == [80.0]
    exact = evaluate(lambda x, _, p: x.log(x.exp(p)), [0.0, 0.0], [1e300, -1e300])
    assert exact.value.rounded().tolist() == [1e300, -1e300]


def test_only_an_exact_overflow_is_reported_as_such() -> None:
    exact = evaluate(lambda *a: 1 / a[2], [0.0, 0.0], [0.0, 2.0**-20], "float16")
    assert np.isinf(exact.value.rounded()).all()
    assert exact.value.overflows().tolist() == [False, True]
    assert exact.value.ulp([np.inf, np.inf]).tolist() == [0.0, 0.0]


def test_a_branch_not_taken_leaves_no_infinity_in_the_gradient() -> None:
    exact = evaluate(lambda x, _, p: x.where(p > 0, x.log(p), p), [0.0, 0.0], [0.0, 2.0])
    assert exact.grad is not None
    assert exact.grad.rounded().tolist() == [1.0, 0.5]


def test_cancellation_to_zero_is_certified_and_not_guessed() -> None:
    exact = evaluate(lambda x, _, p: x.sum(x.softmax(p)) - 1, [0.0] * 3, [0.1, 0.7, -2.0])
    assert exact.value.rounded().item() == 0.0
    assert exact.certified
    assert exact.bits > 128
    exact = evaluate(lambda _, y, p: (p + y) - y, [1.7e308], [5e-324])
    assert exact.value.rounded().tolist() == [5e-324]


def test_comparisons_of_numbers_a_hair_apart_are_decided() -> None:
    exact = evaluate(lambda x, y, p: x.where((p + y) > y, 1, 0), [1.7e308, 1.7e308], [5e-324, 0.0], grad=False)
    assert exact.value.rounded().tolist() == [1.0, 0.0]


def test_equal_numbers_computed_differently_are_equal_in_the_end() -> None:
    exact = evaluate(lambda x, y, p: x.where(x.log(p) + x.log(y) == x.log(p * y), 1, 0), [3.0], [7.0], grad=False)
    assert exact.value.rounded().tolist() == [1.0]
