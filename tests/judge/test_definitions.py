"""Which definition is named: one that says something else than the exact one, the same for value and gradient."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from lossbench import Binding, Definition, Loss
from lossbench.judge.agreement import judge, judge_one
from lossbench.judge.reference import Reference
from lossbench.judge.verdict import Quantity, Verdict
from lossbench.lanes.measurement import Answer
from lossbench.spec import catalogue

KNOWN = catalogue.load().losses
QUANTITIES: tuple[Quantity, ...] = ("value", "grad")


def judged(
    loss: Loss, y_true: Any, y_pred: Any, *, value: Any, grad: Any = None, dtype: str = "float32", backend: str = "",
    **params: Any,
) -> list[Verdict]:  # fmt: skip
    carrier = np.float64 if dtype == "float64" else np.float32
    arrays = {"y_true": np.asarray(y_true, carrier), "y_pred": np.asarray(y_pred, carrier)}
    reference = Reference(loss=loss, params={**loss.params, **params}, arrays=arrays, dtype=dtype)
    answer = Answer(
        status="ok",
        value=np.asarray(value, carrier),
        grad=None if grad is None else np.asarray(grad, carrier),
    )
    binding = loss.bindings_of(backend)[0] if backend else None
    asked = QUANTITIES if grad is not None else ("value",)
    return [judge_one(reference, "case@lane:grad", answer, quantity, binding) for quantity in asked]


@pytest.mark.parametrize(("dtype", "error"), [("float32", 2e19), ("float64", 1.5e154)])
def test_an_overflow_is_no_convention_that_overflows_too(dtype: str, error: float) -> None:
    """Half the square fits, the square does not: `unhalved` is infinite as well, and says nothing by it."""
    value, grad = judged(KNOWN["half_mse"], [0.0], [error], value=math.inf, grad=[error], dtype=dtype)
    assert (value.klass, value.convention) == ("range", "")
    assert grad.right


def test_a_definition_that_is_truly_infinite_is_named() -> None:
    """Keras clips at 1e-7; without the clip a certain mistake costs infinity, which is no overflow."""
    (value,) = judged(KNOWN["binary_crossentropy_keras"], [1.0], [0.0], value=[math.inf], reduction="none")
    assert (value.klass, value.convention) == ("convention", "unclipped")


def test_a_fit_that_the_exact_definition_shares_is_not_named() -> None:
    """A probability of 1/2 is never clipped: an error of 6 ulp there is an error, whatever a definition allows."""

    def square(x: Any, y_true: Any, y_pred: Any) -> Any:
        return x.square(y_pred - y_true)

    def cancelling(x: Any, y_true: Any, y_pred: Any) -> Any:
        return square(x, y_true, y_pred) + 16.0 - x.sqrt(x.constant(256.0))

    loss = Loss(
        name="probe", title="Probe", summary="For a test.", formula="l", source="this test",
        inputs=dict(KNOWN["mse"].inputs), reference=square,
        definitions=(Definition(name="cancelling", reference=cancelling, where="this test"),),
        bindings=(Binding(backend="torch", name="functional", call=square, docs=()),),
    )  # fmt: skip
    (value,) = judged(loss, [0.0], [0.5], value=[0.25 + 40 * 2.0**-24], reduction="none")
    assert (value.klass, value.convention) == ("accuracy", "")


def test_the_frameworks_own_definition_is_named_of_two_that_fit() -> None:
    """torch divides the slope (p - y) by p (1 - p) of 1e-12 at least: 0 on the right label, as a clip gives."""
    loss = KNOWN["binary_crossentropy"]
    labels, predictions = [0.0, 1.0, 0.0], [0.0, 1.0, 0.5]
    value, grad = judged(loss, labels, predictions, value=math.log(2) / 3, grad=[0.0, 0.0, 2 / 3], backend="torch")
    assert value.right
    assert (grad.klass, grad.convention) == ("convention", "grad_floor=1e-12")
    (_, keras) = judged(loss, labels, predictions, value=math.log(2) / 3, grad=[0.0, 0.0, 2 / 3], backend="tensorflow")
    assert (keras.klass, keras.convention) == ("convention", "eps_clip=1e-7")


def test_value_and_gradient_get_one_name_where_one_fits_both() -> None:
    """Both definitions give this value; only the second gives this slope as well."""

    def exact(x: Any, y_true: Any, y_pred: Any) -> Any:
        return x.square(y_pred - y_true)

    def first(x: Any, y_true: Any, y_pred: Any) -> Any:
        return 2.0 * y_pred * y_pred + 0.0 * x.square(y_true)

    def second(x: Any, y_true: Any, y_pred: Any) -> Any:
        return x.square(y_pred - y_true) + y_pred

    loss = Loss(
        name="probe", title="Probe", summary="For a test.", formula="l", source="this test",
        inputs=dict(KNOWN["mse"].inputs), reference=exact,
        definitions=tuple(Definition(name=f.__name__, reference=f, where="this test") for f in (first, second)),
        bindings=(Binding(backend="torch", name="functional", call=exact, docs=()),),
    )  # fmt: skip
    value, grad = judged(loss, [0.0], [1.0], value=[2.0], grad=[3.0], reduction="none")
    assert (value.convention, grad.convention) == ("second", "second")
    (alone,) = judged(loss, [0.0], [1.0], value=[2.0], reduction="none")
    assert alone.convention == "first"


@pytest.mark.parametrize("name", ["mse", "mae", "log_cosh", "unsupervised_mse"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_twice_a_loss_on_tiny_inputs_is_a_factor_and_no_float32(name: str, dtype: str) -> None:
    """Rounded to float32 the inputs are equal, and every result near 0 would do."""
    carrier = np.float64 if dtype == "float64" else np.float32
    y_true = np.array([1.0, 2.0, 3.0], carrier)
    ulps = np.array([3, -5, 7]) * np.finfo(carrier).eps * (2 if dtype == "float32" else 2.0**24)
    error = (y_true + ulps.astype(carrier)).astype(np.float64) - y_true.astype(np.float64)
    size = {"mae": abs(error), "log_cosh": error**2 / 2 - error**4 / 12}.get(name, error**2)
    slope = {"mae": np.sign(error), "log_cosh": np.tanh(error)}.get(name, 2 * error)
    rows = judged(
        KNOWN[name], y_true, y_true + ulps, value=2 * size.mean(), grad=2 * slope / 3, dtype=dtype
    )  # fmt: skip
    for row in rows:
        assert row.klass == "defect", row.reason
        assert "2 times" in row.reason


def test_float32_inside_is_still_recognised() -> None:
    """The squares of float32 differences, added in float64: what a layer that casts its inputs returns."""
    y_true, y_pred = np.array([1.0, 0.1, 0.7]), np.array([1.0 + 1e-9, 0.3501, 0.2003])
    error = (y_pred.astype(np.float32) - y_true.astype(np.float32)).astype(np.float64)
    rows = judged(
        KNOWN["mse"], y_true, y_pred, value=np.mean(error**2), grad=2 * error / 3, dtype="float64"
    )  # fmt: skip
    assert [row.klass for row in rows] == ["accuracy", "accuracy"]
    assert "is computed in float32" in rows[1].reason


def test_classes_on_another_axis_are_inside_their_domain() -> None:
    """Columns that sum to 1: a wrong loss of them is a defect, not an input outside the domain."""
    y_true, y_pred = np.eye(2, 3).T, np.array([[0.5, 0.25], [0.25, 0.5], [0.25, 0.25]])
    right = np.log([2.0, 2.0])
    loss = KNOWN["categorical_crossentropy"]
    (value,) = judged(loss, y_true, y_pred, value=right, reduction="none", axis=0)
    assert value.right
    (value,) = judged(loss, y_true, y_pred, value=right + np.array([0.25, 0.5]), reduction="none", axis=0)
    assert value.klass == "defect"


def test_smooth_that_counts_twice_is_named() -> None:
    """Overlap 9/4, sizes 11/2: (9/2 + 1) / (11/2 + 1) leaves 2/13; of halves, (9/4 + 1) / (11/4 + 1) leaves 2/15."""
    dice = catalogue.load().losses["dice"]
    arrays = {"y_true": np.array([[1.0, 0.0], [1.0, 1.0]]), "y_pred": np.array([[0.75, 0.25], [0.5, 1.0]])}
    for value, klass, convention in ((2 / 13, "rounding", ""), (2 / 15, "convention", "smooth_twice")):
        answer = Answer(status="ok", value=np.array(value))
        (row,) = judge(dice, {"smooth": 1.0}, arrays, "float64", {"c@jax-cpu-eager/optax:value": answer})
        assert (row.klass, row.convention) == (klass, convention)


def test_a_constant_as_16_bits_hold_it_explains_nothing_in_32() -> None:
    """Keras' 1e-7 is 1.00117e-7 in bfloat16 alone: a float32 loss that has -log of just that at 0 has it by chance."""
    held = 1.0011717677116394e-07
    value, grad = -math.log(held), 0.0
    (single, _) = judged(KNOWN["binary_crossentropy"], [1.0], [0.0], value=[value], grad=[grad], reduction="none")
    assert "bfloat16" not in single.convention
    small = [2.0**-40]  # below every clip
    (half, _) = judged(
        KNOWN["binary_crossentropy"], [1.0], small, value=[16.125], grad=[grad], dtype="bfloat16", reduction="none"
    )
    assert "eps_clip" in half.convention
    names = [d.name for d in KNOWN["binary_crossentropy"].definitions_in("float16")]
    assert "eps_clip=float16(1e-7)" in names
    assert "eps_clip=bfloat16(1e-7)" not in names
