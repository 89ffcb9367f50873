"""Somebody's own cases through every backend and the oracle: one record per case, backend and binding.

An `expected` in the file is compared with the oracle, never with a backend, and never replaces the oracle.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from lossbench.judge.agreement import judge_one
from lossbench.judge.claims import LaneLike
from lossbench.judge.given import Prepared, prepare
from lossbench.judge.oracle.exact import ExactArray
from lossbench.judge.reference import Exact, Reference
from lossbench.lanes.measurement import Answer
from lossbench.spec.casefile import GivenCase
from lossbench.spec.errors import BadInput
from lossbench.spec.formats import FORMATS
from lossbench.spec.loss import Binding
from lossbench.spec.tolerance import Tolerance

__all__ = ["Prepared", "exit_status", "prepare", "records"]

HALF_ULP: Final = 0.5
LIMIT_SECONDS: Final = 60.0
CASES_AHEAD: Final = 64
"""So many cases are under way in the lanes at a time, and held in memory with their results."""
NO_RESULT: Final = (BadInput, ValueError, ArithmeticError, LookupError, TypeError, AttributeError, AssertionError)
"""What a formula raises on inputs that it was not written for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The oracle's results for a case, or why there are none; and whether the file's `expected` is met."""

    value: npt.NDArray[Any] | None = None
    grad: npt.NDArray[Any] | None = None
    expected_verdict: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One question to a lane, and its answer when it comes."""

    backend: str
    mode: str
    binding: Binding
    answer: Future[Answer]


NONE: Final[Mapping[str, LaneLike]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Hand:
    """A worker and the thread that talks to it."""

    worker: LaneLike
    thread: ThreadPoolExecutor


def records(
    cases: Iterable[Prepared],
    lanes: Mapping[str, LaneLike],
    *,
    second: Mapping[str, LaneLike] = NONE,
    limit_seconds: float = LIMIT_SECONDS,
) -> Iterator[dict[str, Any]]:
    """One record per case, backend (lane id -> lane, an id being backend-device-mode) and binding.

    The lanes work side by side, each through all cases of a batch, while the oracle works here. second: another
    worker for some of the lanes, for every other loss and dtype.
    """
    with ExitStack() as stack:
        threads = {
            lane: [Hand(worker, stack.enter_context(ThreadPoolExecutor(max_workers=1))) for worker in workers]
            for lane, first in lanes.items()
            if (workers := [first, second[lane]] if lane in second else [first])
        }
        turns: dict[tuple[str, str], int] = {}
        waiting = iter(cases)
        while batch := tuple(islice(waiting, CASES_AHEAD)):
            asked = []
            for prepared in batch:
                turn = turns.setdefault((prepared.loss.name, prepared.case.dtype), len(turns))
                hands = {lane: able[turn % len(able)] for lane, able in threads.items()}
                asked.append(list(_ask(prepared, hands, limit_seconds)))
            for prepared, questions in zip(batch, asked, strict=True):
                yield from _judged(prepared, questions)


def _ask(prepared: Prepared, hands: Mapping[str, Hand], limit_seconds: float) -> Iterator[Asked]:
    for lane_id, hand in hands.items():
        backend, _, mode = lane_id.split("-")[:3]
        for binding in prepared.loss.bindings_of(backend):
            answer = hand.thread.submit(_answer, hand.worker, prepared, binding, limit_seconds)
            yield Asked(backend=backend, mode=mode, binding=binding, answer=answer)


def _answer(lane: LaneLike, prepared: Prepared, binding: Binding, limit_seconds: float) -> Answer:
    if prepared.fault:
        return Answer(status="skipped", reason=prepared.fault)
    try:
        return lane.answer_given(
            prepared.loss.name, binding.name, prepared.params, prepared.arrays,
            prepared.case.dtype, prepared.operation, limit_seconds,
        )  # fmt: skip
    except BadInput as error:  # the case cannot even travel to the lane
        return Answer(status="failed", reason=str(error))


def _judged(prepared: Prepared, questions: Iterable[Asked]) -> Iterator[dict[str, Any]]:
    reference = Reference(loss=prepared.loss, params=prepared.params, arrays=prepared.arrays, dtype=prepared.case.dtype)
    known = _known(prepared, reference)
    for asked in questions:
        yield _record(prepared, reference, known, asked)


def exit_status(found: Iterable[Mapping[str, Any]]) -> int:
    """1 where anything is a defect or an `expected` is not met by the oracle, else 0."""
    wrong = any(
        "defect" in (record["value_class"], record["grad_class"])
        or record["expected_verdict"].startswith(("differs", "no oracle"))
        for record in found
    )
    return int(wrong)


def _known(prepared: Prepared, reference: Reference) -> Known:
    case = prepared.case
    if prepared.fault:
        return Known(reason=prepared.fault, expected_verdict=f"no oracle: {prepared.fault}")
    try:
        exact = reference.exact(grad=prepared.operation == "grad")
    except NO_RESULT as error:
        said = str(error) if isinstance(error, BadInput) else f"{type(error).__name__}: {error}"
        return Known(reason=f"the oracle has no result: {said}", expected_verdict=f"no oracle: {said}")
    return Known(
        value=exact.value.rounded("float64"),
        grad=None if exact.grad is None else exact.grad.reported("float64"),  # type: ignore[attr-defined]
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


def _difference(expected: npt.NDArray[np.float64], exact: ExactArray, dtype: str, tolerance: Tolerance | None) -> str:
    """Empty where every element is within half an ulp, or the stated tolerance, or, at a kink, a subgradient or NaN."""
    if expected.size == 1 and exact.shape in ((), (1,)):
        expected = expected.reshape(exact.shape)
    if expected.shape != exact.shape:
        return f"is expected in shape {expected.shape}, the oracle's is {exact.shape}"
    undefined, kink = exact.undefined, exact.kink
    truth = exact.rounded("float64").astype(np.float64)
    low = np.where(kink, exact.low("float64"), truth)
    high = np.where(kink, exact.high("float64"), truth)
    with np.errstate(all="ignore"):
        distance = np.maximum(np.maximum(low - expected, expected - high), 0.0)
        if tolerance is None:
            near = exact.ulp(expected, dtype) <= HALF_ULP
            # an exact number beyond the dtype's range is itself a right answer, as its infinity is
            near |= distance <= 0.25 * FORMATS[dtype].eps * np.abs(truth)
        else:
            near = distance <= np.maximum(tolerance.relative * np.abs(expected), tolerance.absolute)
            near |= (truth == expected) | (exact.rounded(dtype) == expected)
    good = near | (undefined & np.isnan(expected))
    if good.all():
        return ""
    at = np.unravel_index(int(np.argmin(good)), good.shape)
    place = f" at {[int(i) for i in at]}" if at else ""
    oracle = exact.reported("float64")[at]
    return f"is expected {float(expected[at])!r}{place}, the oracle gives {float(oracle)!r}"


def _record(prepared: Prepared, reference: Reference, known: Known, asked: Asked) -> dict[str, Any]:
    answer, binding = asked.answer.result(), asked.binding
    record: dict[str, Any] = {
        "id": prepared.case.id,
        "loss": prepared.loss.name,
        "backend": asked.backend,
        "binding": binding.name,
        "mode": asked.mode,
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
        seen = judge_one(reference, f"{prepared.case.id}@{asked.backend}:grad", answer, quantity, binding)
        record[f"{quantity}_verdict"], record[f"{quantity}_class"] = seen.verdict, seen.klass
        reasons.append(f"{quantity}: {seen.reason}")
        if seen.convention and seen.convention not in conventions:
            conventions.append(seen.convention)
        for column, number in (("max_ulp", seen.max_ulp), ("max_rel", seen.max_rel)):
            if number == number and (record[column] is None or number > record[column]):
                record[column] = number
    return record | {"reason": "; ".join(reasons), "convention": ", ".join(conventions)}
