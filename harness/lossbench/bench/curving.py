"""Points of each loss's curve and gradient from every backend and the oracle: the figures of the sources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from lossbench.judge.oracle import evaluate
from lossbench.lanes.process import LaneProcess
from lossbench.show.curves import Curve
from lossbench.show.curves import inputs as curve_inputs
from lossbench.spec.formats import round_to
from lossbench.spec.loss import Loss

DTYPE = "float32"
LIMIT_SECONDS = 60.0


def points(loss: Loss, lanes: Mapping[str, LaneProcess]) -> Iterator[dict[str, Any]]:
    """Rows of the curves table: the documented spelling of each backend (backend -> lane) beside the oracle."""
    curve = curve_inputs(loss)
    if curve is None:
        return
    arrays = _arrays(loss, curve)
    params = {**loss.params, "reduction": "none"}
    exact = evaluate(loss, params, arrays, DTYPE)
    assert exact.grad is not None, "the oracle was asked for a gradient"
    truth = _column(exact.value.rounded("float64"), curve), _column(exact.grad.rounded("float64"), curve)
    for backend, lane in lanes.items():
        for binding in loss.bindings_of(backend)[:1]:
            answer = lane.answer_given(loss.name, binding.name, params, arrays, DTYPE, "grad", LIMIT_SECONDS)
            if answer.status != "ok" or answer.value is None or answer.grad is None:
                continue
            if answer.value.shape != exact.value.shape or answer.grad.shape != exact.grad.shape:
                continue
            ulps = [
                _column(np.copysign(known.ulp(got), np.nan_to_num(got - known.rounded("float64"))), curve)
                for known, got in ((exact.value, answer.value), (exact.grad, answer.grad))
            ]
            value, grad = _column(answer.value, curve), _column(answer.grad, curve)
            for n, x in enumerate(curve.x):
                yield {
                    "loss": loss.name, "backend": backend, "binding": binding.name, "dtype": DTYPE,
                    "target": curve.target, "x": float(x), "value": float(value[n]), "grad": float(grad[n]),
                    "oracle_value": float(truth[0][n]), "oracle_grad": float(truth[1][n]),
                    "value_ulp": float(ulps[0][n]), "grad_ulp": float(ulps[1][n]),
                }  # fmt: skip


def _arrays(loss: Loss, curve: Curve) -> dict[str, npt.NDArray[Any]]:
    given: dict[str, npt.NDArray[Any]] = {"y_true": curve.y_true, "y_pred": curve.y_pred}
    return {
        name: values.astype(np.int32) if loss.inputs[name].integer else round_to(values, DTYPE)
        for name, values in given.items()
    }


def _column(values: npt.NDArray[Any], curve: Curve) -> npt.NDArray[np.float64]:
    """One number a point: the moving column of a matrix, a vector as it is."""
    with np.errstate(all="ignore"):
        found = np.asarray(values, np.float64)
    return found if found.ndim == 1 else found[:, curve.column if found.shape[1] > 1 else 0]
