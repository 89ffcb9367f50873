"""Somebody's own cases through every backend and the oracle: one record per case, backend and binding.

An `expected` in the file is compared with the oracle, never with a backend, and never replaces the oracle.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from lossbench.judge.agreement import judge_one
from lossbench.judge.claims import LaneLike
from lossbench.judge.oracle.exact import ExactArray
from lossbench.judge.reference import Exact, Reference
from lossbench.lanes.measurement import Answer
from lossbench.spec.case import Operation
from lossbench.spec.casefile import GivenCase, Tolerance
from lossbench.spec.catalogue import Catalogue
from lossbench.spec.errors import BadInput
from lossbench.spec.formats import round_to
from lossbench.spec.loss import Binding, Loss

HALF_ULP: Final = 0.5
LIMIT_SECONDS: Final = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A case made ready: arrays rounded to the dtype, parameters checked. operation: `value` where nothing
    can be differentiated by."""

    case: GivenCase
    loss: Loss
    params: Mapping[str, Any]
    arrays: Mapping[str, npt.NDArray[Any]]
    operation: Operation


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The oracle's results for a case, or why there are none; and whether the file's `expected` is met."""

    value: npt.NDArray[Any] | None = None
    grad: npt.NDArray[Any] | None = None
    expected_verdict: str = ""
    reason: str = ""


def prepare(case: GivenCase, catalogue: Catalogue) -> Prepared:
    """Finds the loss and checks the parameters. BadInput for an unknown loss or parameter."""
    loss = catalogue.find(case.loss)
    unknown = sorted(set(case.params) - set(loss.known_params) - set(loss.inputs))
    if unknown:
        known = sorted({*loss.known_params, *tuple(loss.inputs)[2:]})
        raise BadInput(
            subject=f"case {case.id!r}",
            expected=f"parameters of {loss.name} ({', '.join(known)})",
            received=", ".join(unknown),
            remedy="rename or drop it",
        )
    arrays: dict[str, npt.NDArray[Any]] = {}
    for name, given in (("y_true", case.y_true), ("y_pred", case.y_pred)):
        # a case may bring all its numbers in `outputs`; the formula then looks at nothing else
        values = np.zeros(1) if given is None else given
        arrays[name] = _rounded(values, loss, name, case.dtype)
    params = {}
    for name, value in case.params.items():
        if name in loss.inputs and isinstance(value, np.ndarray):
            arrays[name] = value.astype(np.float64)
        else:
            params[name] = value
    operation: Operation = "value" if case.y_pred is None else "grad"
    return Prepared(case=case, loss=loss, params={**loss.params, **params}, arrays=arrays, operation=operation)


def records(
    cases: Iterable[Prepared], lanes: Mapping[str, LaneLike], *, limit_seconds: float = LIMIT_SECONDS
) -> Iterator[dict[str, Any]]:
    """One record per case, backend (lane id -> lane, an id being backend-device-mode) and binding."""
    for prepared in cases:
        reference = Reference(
            loss=prepared.loss, params=prepared.params, arrays=prepared.arrays, dtype=prepared.case.dtype
        )
        known = _known(prepared, reference)
        for lane_id, lane in lanes.items():
            backend, _, mode = lane_id.split("-")[:3]
            for binding in prepared.loss.bindings_of(backend):
                answer = lane.answer_given(
                    prepared.loss.name, binding.name, prepared.params, prepared.arrays,
                    prepared.case.dtype, prepared.operation, limit_seconds,
                )  # fmt: skip
                yield _record(prepared, reference, known, answer, binding, backend=backend, mode=mode)


def exit_status(found: Iterable[Mapping[str, Any]]) -> int:
    """1 where anything is a defect or an `expected` is not met by the oracle, else 0."""
    wrong = any(
        "defect" in (record["value_class"], record["grad_class"])
        or record["expected_verdict"].startswith(("differs", "no oracle"))
        for record in found
    )
    return int(wrong)


def _rounded(values: npt.NDArray[Any], loss: Loss, name: str, dtype: str) -> npt.NDArray[Any]:
    if loss.inputs[name].integer and values.dtype.kind in "iu":
        return values.astype(np.int32)
    if loss.inputs[name].integer and np.all(values == np.rint(values)):
        return values.astype(np.int32)
    return round_to(values, dtype)


def _known(prepared: Prepared, reference: Reference) -> Known:
    case = prepared.case
    try:
        exact = reference.exact(grad=prepared.operation == "grad")
    except (BadInput, ValueError, IndexError, TypeError, KeyError) as error:
        given = case.expected is not None or case.expected_grad is not None
        reason = f"the oracle has no result: {error}"
        return Known(reason=reason, expected_verdict=f"no oracle: {error}" if given else "")
    return Known(
        value=exact.value.rounded(case.dtype),
        grad=None if exact.grad is None else exact.grad.reported(case.dtype),  # type: ignore[attr-defined]
        expected_verdict=_meets(case, exact),
    )


def _meets(case: GivenCase, exact: Exact) -> str:
    """`met`, or `differs: ...` with the numbers; empty where the file expects nothing."""
    said = []
    for name, expected, known in (("value", case.expected, exact.value), ("grad", case.expected_grad, exact.grad)):
        if expected is None:
            continue
        if known is None:
            said.append(f"{name} is expected, yet there is nothing to differentiate by")
        elif difference := _difference(expected, known, case.dtype, case.tolerance):  # type: ignore[arg-type]
            said.append(f"{name} {difference}")
    if case.expected is None and case.expected_grad is None:
        return ""
    return f"differs: {'; '.join(said)}" if said else "met"


def _difference(
    expected: npt.NDArray[np.float64], exact: ExactArray, dtype: str, tolerance: Tolerance | None
) -> str:
    """Empty where every element is within half an ulp, or the stated tolerance, or, at a kink, a subgradient or NaN."""
    if expected.shape != exact.shape:
        return f"is expected in shape {expected.shape}, the oracle's is {exact.shape}"
    undefined = exact.undefined
    with np.errstate(all="ignore"):
        if tolerance is None:
            near = exact.ulp(expected, dtype) <= HALF_ULP
        else:
            truth = exact.rounded("float64").astype(np.float64)
            room = np.maximum(tolerance.relative * np.abs(expected), tolerance.absolute)
            near = (np.abs(truth - expected) <= room) | (truth == expected)
    good = near | (undefined & np.isnan(expected))
    if good.all():
        return ""
    at = np.unravel_index(int(np.argmin(good)), good.shape)
    place = f" at {[int(i) for i in at]}" if at else ""
    oracle = exact.reported("float64")[at]
    return f"is expected {float(expected[at])!r}{place}, the oracle gives {float(oracle)!r}"


def _record(
    prepared: Prepared, reference: Reference, known: Known, answer: Answer, binding: Binding, *, backend: str, mode: str
) -> dict[str, Any]:
    record: dict[str, Any] = {
        "id": prepared.case.id,
        "loss": prepared.loss.name,
        "backend": backend,
        "binding": binding.name,
        "mode": mode,
        "status": answer.status,
        "value": answer.value,
        "grad": answer.grad,
        "oracle": known.value,
        "oracle_grad": known.grad,
        **dict.fromkeys(("value_verdict", "grad_verdict", "value_class", "grad_class", "convention"), ""),
        "max_ulp": None,
        "max_rel": None,
        "reason": known.reason or answer.reason,
        "expected_verdict": known.expected_verdict,
    }
    if known.value is None:
        return record
    reasons = []
    conventions = []
    for quantity in ("value", "grad") if prepared.operation == "grad" else ("value",):
        seen = judge_one(reference, f"{prepared.case.id}@{backend}:grad", answer, quantity, binding)  # type: ignore[arg-type]
        record[f"{quantity}_verdict"], record[f"{quantity}_class"] = seen.verdict, seen.klass
        reasons.append(f"{quantity}: {seen.reason}")
        if seen.convention and seen.convention not in conventions:
            conventions.append(seen.convention)
        for column, number in (("max_ulp", seen.max_ulp), ("max_rel", seen.max_rel)):
            if number == number and (record[column] is None or number > record[column]):
                record[column] = number
    return record | {"reason": "; ".join(reasons), "convention": ", ".join(conventions)}
