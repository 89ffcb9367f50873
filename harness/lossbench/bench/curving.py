"""Points of each loss's curve and gradient from every backend and the oracle: the figures of the sources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from lossbench.judge.oracle import evaluate
from lossbench.judge.oracle.exact import ExactArray
from lossbench.lanes.measurement import Answer
from lossbench.lanes.process import LaneProcess
from lossbench.show.curves import Curve
from lossbench.show.curves import inputs as curve_inputs
from lossbench.spec.formats import round_to
from lossbench.spec.loss import Loss

DTYPE: Final = "float32"
LIMIT_SECONDS: Final = 60.0


def ask(loss: Loss, lane: LaneProcess) -> Answer | None:
    """What the documented spelling of the lane's backend gives along the curve; None where there is nothing to draw."""
    curve, bindings = curve_inputs(loss), loss.bindings_of(lane.lane.backend)
    if curve is None or not bindings:
        return None
    arrays, params = arrays_of(loss, curve), {**loss.params, "reduction": "none"}
    return lane.answer_given(loss.name, bindings[0].name, params, arrays, DTYPE, "grad", LIMIT_SECONDS)


def points(loss: Loss, answers: Mapping[str, Answer]) -> Iterator[dict[str, Any]]:
    """Rows of the curves table from the answers (backend -> answer) beside the oracle."""
    curve = curve_inputs(loss)
    if curve is None:
        return
    exact = evaluate(loss, {**loss.params, "reduction": "none"}, arrays_of(loss, curve), DTYPE)
    assert exact.grad is not None, "the oracle was asked for a gradient"
    truth = _column(exact.value.rounded("float64"), curve), _column(exact.grad.rounded("float64"), curve)
    for backend, answer in answers.items():
        if answer.status != "ok" or answer.value is None or answer.grad is None:
            continue
        if answer.value.shape != exact.value.shape or answer.grad.shape != exact.grad.shape:
            continue
        binding = loss.bindings_of(backend)[0].name
        value, grad = _column(answer.value, curve), _column(answer.grad, curve)
        ulps = _signed_ulp(exact.value, answer.value, curve), _signed_ulp(exact.grad, answer.grad, curve)
        for n, x in enumerate(curve.x):
            yield {
                "loss": loss.name, "backend": backend, "binding": binding, "dtype": DTYPE,
                "target": curve.target, "x": float(x), "value": float(value[n]), "grad": float(grad[n]),
                "oracle_value": float(truth[0][n]), "oracle_grad": float(truth[1][n]),
                "value_ulp": float(ulps[0][n]), "grad_ulp": float(ulps[1][n]),
            }  # fmt: skip


def _signed_ulp(exact: ExactArray, got: npt.NDArray[Any], curve: Curve) -> npt.NDArray[np.float64]:
    distance = exact.ulp(got, DTYPE)
    with np.errstate(invalid="ignore"):  # infinity minus infinity has no sign
        side = np.nan_to_num(got - exact.rounded("float64"))
    return _column(np.copysign(distance, side), curve)


def arrays_of(loss: Loss, curve: Curve) -> dict[str, npt.NDArray[Any]]:
    """The inputs of a curve, rounded to its dtype."""
    given: dict[str, npt.NDArray[Any]] = {"y_true": curve.y_true, "y_pred": curve.y_pred}
    return {
        name: values.astype(np.int32) if loss.inputs[name].integer else round_to(values, DTYPE)
        for name, values in given.items()
    }


def _column(values: npt.NDArray[Any], curve: Curve) -> npt.NDArray[np.float64]:
    """One number a point: the moving column of a matrix, a vector as it is."""
    found = np.asarray(values, np.float64)
    return found if found.ndim == 1 else found[:, curve.column if found.shape[1] > 1 else 0]
