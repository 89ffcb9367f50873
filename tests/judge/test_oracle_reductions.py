"""Reductions, weights and definitions of the oracle against fractions by hand."""

# ruff: noqa: ARG005  every formula has the signature of a reference, whatever it uses
from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from oracle_fractions import evaluate, loss_of, nearest

from lossbench.judge import oracle
from lossbench.spec.errors import BadInput
from lossbench.spec.loss import Definition

Y = np.zeros((3, 2))
P = np.array([[1.0, 2.0], [3.0, 5.0], [7.0, 11.0]])
ROW = np.array([0.5, 0.0, 0.1])
SQUARES = [Fraction(v) ** 2 for v in P.ravel().tolist()]
TENTH = Fraction(0.1)


def squared(x: Any, y: Any, p: Any) -> Any:
    return x.square(p - y)


def by_rows(x: Any, y: Any, p: Any) -> Any:
    return x.sum(x.square(p - y), axis=-1)


def reduced(reference: Any, **params: Any) -> tuple[float, list[list[float]]]:
    exact = evaluate(reference, Y, P, params=params)
    assert exact.grad is not None
    return float(exact.value.rounded()), exact.grad.rounded().tolist()


@pytest.mark.parametrize(
    ("reduction", "weight", "value"),
    [
        ("sum", None, sum(SQUARES)),
        ("mean", None, sum(SQUARES) / 6),
        ("batchmean", None, sum(SQUARES) / 3),
        ("sum", ROW, Fraction(5, 2) + TENTH * 170),
        ("mean", ROW, (Fraction(5, 2) + TENTH * 170) / 6),
        ("mean_with_sample_weight", ROW, (Fraction(5, 2) + TENTH * 170) / (2 * (Fraction(1, 2) + TENTH))),
        ("sum_by_nonzero_weights", ROW, (Fraction(5, 2) + TENTH * 170) / 4),
        ("mean_with_sample_weight", None, sum(SQUARES) / 6),
        ("sum", 0.1, TENTH * sum(SQUARES)),
        ("mean_with_sample_weight", 0.1, sum(SQUARES) / 6),
        ("sum", P, sum(Fraction(v) ** 3 for v in P.ravel().tolist())),
    ],
)
def test_value(reduction: str, weight: Any, value: Fraction) -> None:
    assert reduced(squared, reduction=reduction, sample_weight=weight)[0] == nearest(value, "float64")


def test_gradient_of_a_weighted_mean() -> None:
    gradient = reduced(squared, reduction="mean", sample_weight=ROW)[1]
    want = [
        [nearest(2 * Fraction(p) * Fraction(w) / 6, "float64") for p in row]
        for row, w in zip(P.tolist(), ROW.tolist(), strict=True)
    ]
    assert gradient == want


def test_mean_over_the_last_axis_comes_before_weights_and_reduction() -> None:
    value, _ = reduced(squared, per_sample="mean_last", reduction="mean", sample_weight=ROW)
    assert value == nearest((Fraction(5, 4) + TENTH * 85) / 3, "float64")
    value, _ = reduced(squared, per_sample="mean_last", reduction="sum_by_nonzero_weights", sample_weight=ROW)
    assert value == nearest((Fraction(5, 4) + TENTH * 85) / 2, "float64")


def test_none_leaves_one_number_a_loss() -> None:
    exact = evaluate(by_rows, Y, P)
    assert exact.value.rounded().tolist() == [5.0, 34.0, 170.0]


def test_sample_weights_may_come_among_the_arrays() -> None:
    arrays = {"y_true": Y, "y_pred": P, "sample_weight": ROW}
    exact = oracle.evaluate(loss_of(by_rows), {"reduction": "sum"}, arrays, "float64")
    assert float(exact.value.rounded()) == nearest(Fraction(5, 2) + TENTH * 170, "float64")


def class_weighted(x: Any, y: Any, p: Any, class_weight: Any) -> Any:
    """Rows of class y weigh class_weight[y]; -1 is ignored."""
    valid = y != -1
    at = x.where(valid, y, 0)
    weight = x.where(valid, x.take_class(x.broadcast_to(class_weight, p.shape), at), 0)
    return x.weighted(x.weigh(weight, x.take_class(p, at)), weights=weight)


@pytest.mark.parametrize(
    ("reduction", "value"),
    [
        ("weighted_mean", (2 * Fraction(1, 4) + 7 * TENTH) / (Fraction(1, 4) + TENTH)),
        ("mean_over_valid", (2 * Fraction(1, 4) + 7 * TENTH) / 2),
        ("mean", (2 * Fraction(1, 4) + 7 * TENTH) / 3),
        ("sum", 2 * Fraction(1, 4) + 7 * TENTH),
    ],
)
def test_weights_of_the_loss_itself(reduction: str, value: Fraction) -> None:
    labels = np.array([1, -1, 0], dtype=np.int32)
    exact = evaluate(class_weighted, labels, P, params={"reduction": reduction, "class_weight": [0.1, 0.25]})
    assert float(exact.value.rounded()) == nearest(value, "float64")
    assert exact.grad is not None
    assert exact.grad.rounded()[1].tolist() == [0.0, 0.0]


def test_nothing_divided_by_nothing_is_nan() -> None:
    empty = evaluate(squared, np.zeros((0, 2)), np.zeros((0, 2)), params={"reduction": "mean"})
    assert np.isnan(empty.value.rounded())
    assert empty.grad is not None
    assert empty.grad.shape == (0, 2)
    zeros = evaluate(squared, Y, P, params={"reduction": "mean_with_sample_weight", "sample_weight": [0.0, 0.0, 0.0]})
    assert np.isnan(zeros.value.rounded())
    assert evaluate(squared, np.zeros((0, 2)), np.zeros((0, 2)), params={"reduction": "sum"}).value.rounded() == 0


def test_a_zero_weight_removes_an_infinite_loss() -> None:
    exact = evaluate(
        lambda x, _, p: -x.log(p), [0.0, 0.0], [0.0, 1.0], params={"reduction": "sum", "sample_weight": [0.0, 1.0]}
    )
    assert float(exact.value.rounded()) == 0.0
    assert exact.grad is not None
    assert exact.grad.rounded().tolist() == [0.0, -1.0]


def test_float_parameters_are_exact_in_the_formula() -> None:
    exact = evaluate(lambda x, y, p, s: (1 - s) * p / 3, [0.0], [3.0], defaults={"s": 0.0}, params={"s": 0.1})
    assert float(exact.value.rounded()[0]) == nearest(1 - TENTH, "float64")
    whole = evaluate(lambda x, y, p, d: p * (d / 3) * 3 - p, [0.0], [1.0], defaults={"d": 1.0}, params={"d": 1})
    assert float(whole.value.rounded()[0]) == 0.0


def test_another_definition_is_evaluated_by_name() -> None:
    half = Definition(name="half", reference=lambda x, y, p: x.square(p - y) / 2, where="elsewhere")
    loss = loss_of(squared, definitions=(half,))
    arrays = {"y_true": Y, "y_pred": P}
    exact = oracle.evaluate(loss, {"reduction": "sum"}, arrays, "float64", definition="half", grad=False)
    assert float(exact.value.rounded()) == float(sum(SQUARES) / 2)
    assert exact.grad is None
    with pytest.raises(KeyError):
        oracle.evaluate(loss, {}, arrays, "float64", definition="other")


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"reduction": "average"}, "reduction"),
        ({"reduction": "sum", "sample_weight": [1.0, 2.0, 3.0, 4.0]}, "sample_weight"),
    ],
)
def test_bad_requests_are_one_sentence(params: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        evaluate(squared, Y, P, params=params)
    with pytest.raises(BadInput, match="gradient"):
        evaluate(squared, Y, P, wrt="elsewhere")
