"""Somebody's function in a lane of numpy: what is marked is held to its word, what is not is looked at by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from lossbench import Binding, Definition, Loss, domains
from lossbench.judge.custom import CustomResult, judge_custom
from lossbench.lanes.measurement import Answer

Pair = tuple[np.ndarray, np.ndarray]
"""Unreduced losses and their derivative, element by element."""

Function = Callable[[np.ndarray, np.ndarray], Pair]


def _absent(*_: Any, **__: Any) -> Any:
    raise AssertionError("the lane computes")


def _squared(x: Any, y_true: Any, y_pred: Any, **_: Any) -> Any:
    return x.square(y_pred - y_true)


def _absolute(x: Any, y_true: Any, y_pred: Any, **_: Any) -> Any:
    return x.abs(y_pred - y_true)


def _halved(x: Any, y_true: Any, y_pred: Any, **_: Any) -> Any:
    return 0.5 * x.square(y_pred - y_true)


def loss(name: str, reference: Any) -> Loss:
    return Loss(
        name=name,
        title=name,
        summary="A loss of the tests.",
        formula="l",
        source="these tests",
        inputs={"y_true": domains.REAL, "y_pred": domains.REAL},
        reference=reference,
        definitions=(Definition(name="half", reference=_halved, where="the tests"),),
        bindings=(Binding(backend="torch", name="user", call=_absent, docs=()),),
    )


MSE, MAE, MINE = loss("mse", _squared), loss("mae", _absolute), loss("mine", _squared)


class NumpyLane:
    """Reduces by the mean, as a worker does, in the dtype it is asked for."""

    def __init__(
        self, function: Callable[[np.ndarray, np.ndarray], Pair], *, connected: bool = True, casts: str = ""
    ) -> None:
        self.function, self.connected, self.casts = function, connected, casts

    def answer_given(
        self, loss: str, binding: str, params: Mapping[str, Any], arrays: Mapping[str, Any], dtype: str,
        operation: str, limit_seconds: float,
    ) -> Answer:  # fmt: skip
        assert (loss, binding) == ("mine", "user")
        assert limit_seconds > 0
        with np.errstate(all="ignore"):
            kept = np.dtype(self.casts or dtype)
            losses, slopes = self.function(*(arrays[n].astype(kept) for n in ("y_true", "y_pred")))
            value = losses if params.get("reduction") == "none" else losses.mean(dtype=kept)
        grad = slopes / losses.size if self.connected and operation == "grad" else None
        return Answer(status="ok", value=np.asarray(value), grad=grad, result_dtype=kept.name)


def squared(y: np.ndarray, p: np.ndarray) -> Pair:
    return (p - y) ** 2, 2 * (p - y)


def tripled(y: np.ndarray, p: np.ndarray) -> Pair:
    return 3 * (p - y) ** 2, 6 * (p - y)


def wrong_slope(y: np.ndarray, p: np.ndarray) -> Pair:
    return (p - y) ** 2, 1.4 * (p - y)


def logarithm(y: np.ndarray, p: np.ndarray) -> Pair:
    return -np.log(p - 0.2) * (1 + y), -(1 + y) / (p - 0.2)


def judged(function: Any, *, like: str = "", regimes: tuple[str, ...] = ("typical",), **lane: Any) -> CustomResult:
    return judge_custom(
        MINE, "torch-cpu-eager", NumpyLane(function, **lane), catalogue=[MSE, MAE, MINE], like=like, regimes=regimes
    )


def test_what_it_says_it_is() -> None:
    found = judged(squared, like="mse")
    assert found.exit_status == 0
    assert {(c.check, c.dtype, c.klass) for c in found.checks if c.check != "relative"} == {
        (quantity, dtype, "rounding") for quantity in ("value", "grad") for dtype in ("float64", "float32")
    }
    assert (found.relatives[0].loss, found.relatives[0].relation) == ("mse", "same")


@pytest.mark.parametrize("function", [tripled, wrong_slope])
def test_what_it_is_not(function: Any) -> None:
    found = judged(function, like="mse")
    assert found.exit_status == 1
    assert {c.klass for c in found.checks if c.fatal} == {"defect"}


def test_another_definition_is_not_what_it_says() -> None:
    def halved(y: np.ndarray, p: np.ndarray) -> Pair:
        return (p - y) ** 2 / 2, p - y

    found = judged(halved, like="mse")
    assert found.exit_status == 1
    assert {(c.klass, c.convention) for c in found.checks if c.fatal} == {("convention", "half")}


def test_an_edge_costs_nothing_but_a_row() -> None:
    """A plain square overflows where the mean of squares would fit."""
    found = judged(squared, like="mse", regimes=("typical", "huge"))
    assert found.exit_status == 0
    assert "huge" in {c.regime for c in found.checks}


def test_its_own_gradient() -> None:
    assert judged(squared).exit_status == 0
    found = judged(wrong_slope)
    assert found.exit_status == 1
    assert [c.check for c in found.checks if c.fatal] == ["differences"]


def test_a_kink_has_any_subgradient() -> None:
    def absolute(y: np.ndarray, p: np.ndarray) -> Pair:
        away = p - 3 / 14 + 0 * y  # one of the probed predictions is 3/14
        return np.abs(away), np.where(away >= 0, 1.0, -1.0)

    assert judged(absolute).exit_status == 0


def test_a_multiple_is_named() -> None:
    nearest = judged(tripled).relatives[0]
    assert (nearest.loss, nearest.relation) == ("mse", "multiple")
    assert nearest.factor == pytest.approx(3, rel=1e-12)


def test_no_gradient_is_unusable() -> None:
    found = judged(squared, connected=False)
    assert found.exit_status == 2
    assert [c.check for c in found.checks if c.fatal] == ["connected"]


def test_a_cast_is_seen() -> None:
    found = judged(squared, casts="float32")
    assert [(c.dtype, c.klass) for c in found.checks if c.check == "dtype"] == [
        ("float64", "api"),
        ("float32", "rounding"),
    ]


def test_nan_on_finite_inputs_is_seen() -> None:
    found = judged(logarithm)
    assert {c.klass for c in found.checks if c.check == "finite"} == {"range"}


def test_an_impossible_shape_is_unusable() -> None:
    def flattened(y: np.ndarray, p: np.ndarray) -> Pair:
        return ((p - y) ** 2).ravel(), 2 * (p - y)

    found = judged(flattened)
    assert found.exit_status == 2
    assert "(12,)" in next(c.reason for c in found.checks if c.check == "shape")


class DyingLane:
    """Whatever it is asked, it dies or hangs of it."""

    def __init__(self, status: str) -> None:
        self.status, self.asked = status, 0

    def answer_given(self, *_: Any, **__: Any) -> Answer:
        self.asked += 1
        return Answer(status=self.status, reason="as told")  # type: ignore[arg-type]


@pytest.mark.parametrize("status", ["crashed", "timeout"])
@pytest.mark.parametrize("like", ["", "mse"])
def test_a_function_that_ends_its_worker_is_soon_not_asked_further(status: str, like: str) -> None:
    """Each time would cost a framework's start, or the whole limit, for each of a hundred relatives."""
    lane = DyingLane(status)
    losses = [loss(f"other{n}", _squared) for n in range(10)]
    result = judge_custom(MINE, "torch-cpu-eager", lane, catalogue=[MSE, *losses], like=like)
    assert lane.asked == 3
    assert result.exit_status == (1 if like else 2)
    assert "as told" in result.checks[0].reason
