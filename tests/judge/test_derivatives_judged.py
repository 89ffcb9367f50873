"""The gradient by the target and forward mode are judged by the oracle like the usual gradient."""

from __future__ import annotations

import numpy as np
import pytest

from lossbench.judge.agreement import judge, quantities
from lossbench.lanes.measurement import Answer
from lossbench.spec import catalogue, plan
from lossbench.spec.case import Lane

KNOWN = catalogue.load().losses
ARRAYS = {"y_true": np.array([1.0, 2.0]), "y_pred": np.array([1.5, 4.0])}
LANES = tuple(Lane(backend=name) for name in ("torch", "jax"))


def judged(operation: str, slope: list[float]) -> tuple[str, str, str]:
    answer = Answer(status="ok", value=np.float64(2.125) * np.ones(()), grad=np.array(slope))
    rows = judge(KNOWN["mse"], {}, ARRAYS, "float64", {f"case@torch-cpu-eager/functional:{operation}": answer})
    assert len(rows) == 1
    return rows[0].quantity, rows[0].verdict, rows[0].klass


def test_the_sign_of_the_gradient_by_the_target_is_the_other() -> None:
    """Of the mean of (p - y)^2 for two: y - p by the target, p - y by the prediction."""
    assert judged("grad_target", [-0.5, -2.0]) == ("grad_target", "tight", "rounding")
    assert judged("grad_target", [0.5, 2.0]) == ("grad_target", "differs", "defect")
    assert judged("jvp", [0.5, 2.0]) == ("jvp", "tight", "rounding")
    assert judged("jvp", [-0.5, -2.0]) == ("jvp", "differs", "defect")


def test_a_kink_is_one_for_the_target_too() -> None:
    arrays = {"y_true": np.array([1.0, 2.0]), "y_pred": np.array([1.0, 4.0])}
    answer = Answer(status="ok", value=np.array([0.0, 2.0]), grad=np.array([0.0, -1.0]))
    (row,) = judge(KNOWN["mae"], {"reduction": "none"}, arrays, "float64", {"case@x-cpu-eager/y:grad_target": answer})
    assert (row.verdict, row.convention) == ("kink", "subgradient zero")


def test_what_a_framework_lacks_is_a_row_with_the_reason() -> None:
    answer = Answer(status="unsupported", reason="the derivative for 'target' is not implemented")
    assert quantities("case@x-cpu-eager/y:grad_target", answer) == ("grad_target",)
    (row,) = judge(KNOWN["mse"], {}, ARRAYS, "float64", {"case@x-cpu-eager/y:grad_target": answer})
    assert (row.verdict, row.reason) == ("absent", "the derivative for 'target' is not implemented")


@pytest.mark.parametrize("operation", ["grad_target", "jvp"])
def test_they_are_asked_for_by_name_and_never_timed(operation: str) -> None:
    known = catalogue.load()
    for name in ("standard", "full"):
        made = plan.make(known, plan.profile_named(name), losses=["huber"], lanes=LANES, operations=(operation,))
        assert {cell.operation for cell in made.cells} == {operation}
        assert not made.timed
    usual = plan.make(known, plan.profile_named("standard"), losses=["huber"], lanes=LANES)
    assert {cell.operation for cell in usual.cells} == {"value", "grad"}
    full = plan.make(known, plan.profile_named("full"), losses=["huber"], lanes=LANES)
    assert {cell.operation for cell in full.cells} == {"value", "grad", "grad_target", "jvp"}
