"""What the sources say their examples print, against the oracle and every backend.

A claim holds when its decimal is the oracle's value rounded to as many digits. It is never an expected value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from lossbench.judge.reference import Evaluate, Reference, from_oracle
from lossbench.judge.snippets import Ran
from lossbench.lanes.measurement import Answer
from lossbench.spec.case import Operation
from lossbench.spec.errors import BadInput
from lossbench.spec.example import Example
from lossbench.spec.formats import round_to
from lossbench.spec.loss import Binding, Loss

DTYPE: Final = "float32"
"""What the sources' calls compute in: Keras casts Python lists and float64 arrays to it."""

ORACLE_ROW: Final = ("oracle", "exact", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One place where an example was tried."""

    backend: str
    binding: str
    lane: str
    answer: Answer


Run = Callable[[Loss, Example, Mapping[str, Any], Mapping[str, npt.NDArray[Any]]], Iterable[Tried]]


class LaneLike(Protocol):
    """What is needed of a lane process."""

    def answer_given(
        self,
        loss: str,
        binding: str,
        params: Mapping[str, Any],
        arrays: Mapping[str, npt.NDArray[Any]],
        dtype: str,
        operation: Operation,
        limit_seconds: float,
    ) -> Answer: ...


def through(lanes: Mapping[str, LaneLike], *, limit_seconds: float = 60.0) -> Run:
    """Try examples in lanes (lane id -> lane; an id begins with its backend), in every binding of that backend."""

    def run(
        loss: Loss, _: Example, params: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]
    ) -> Iterable[Tried]:
        for lane_id, lane in lanes.items():
            backend = lane_id.partition("-")[0]
            for binding in loss.bindings_of(backend):
                answer = lane.answer_given(loss.name, binding.name, params, arrays, DTYPE, "value", limit_seconds)
                yield Tried(backend=backend, binding=binding.name, lane=lane_id, answer=answer)

    return run


def check(
    examples: Iterable[Example],
    run: Run,
    *,
    find: Callable[[str], Loss],
    written: Mapping[str, Ran] | None = None,
    evaluate: Evaluate = from_oracle,
) -> list[dict[str, Any]]:
    """Rows of the claims table: one for the oracle and one per place where the example was tried.

    find: name -> Loss, as the catalogue does. written: example id -> what came of its call as written.
    evaluate: the oracle, unless another is given.
    """
    rows: list[dict[str, Any]] = []
    for example in examples:
        loss = find(example.loss)
        params = {**loss.params, **example.params}
        arrays = inputs_of(example, loss)
        reference = Reference(loss=loss, params=params, arrays=arrays, dtype=DTYPE, evaluate=evaluate)
        exact = np.asarray(reference.exact(grad=False).value.rounded("float64"), dtype=np.float64)
        holds = "" if example.claimed is None else "yes" if rounds_to(exact, example.claimed) else "no"
        shared = {
            "claim": example.id,
            "loss": loss.name,
            "source": example.source,
            "claimed": example.claimed or "",
            "oracle": text(exact),
            "holds": holds,
            "runs_as_written": _ran(example, written or {}),
        }
        backend, binding, lane = ORACLE_ROW
        rows.append({
            **shared, "backend": backend, "binding": binding, "lane": lane, "measured": text(exact),
            "reason": _finding(example, exact, exact, written or {}),
        })  # fmt: skip
        tries = run(loss, example, params, arrays)
        rows.extend({**shared, **_row(example, exact, tried, loss.bindings)} for tried in tries)
    return rows


def inputs_of(example: Example, loss: Loss) -> dict[str, npt.NDArray[Any]]:
    """An example's inputs, rounded to the dtype that its call computes in; class indices stay integers."""
    arrays: dict[str, npt.NDArray[Any]] = {}
    for name, values in (("y_true", example.y_true), ("y_pred", example.y_pred)):
        integer = loss.inputs[name].integer
        arrays[name] = (
            np.asarray(values, dtype=np.int32) if integer else round_to(np.asarray(values, np.float64), DTYPE)
        )
    return arrays


def rounds_to(value: npt.ArrayLike, claimed: str) -> bool:
    """Whether a number, rounded to the digits of a printed decimal, is that decimal (either way at a tie)."""
    number = np.asarray(value, dtype=np.float64)
    try:
        printed = Decimal(claimed.strip())
    except InvalidOperation:
        raise BadInput(
            subject="claimed output", expected="a decimal number", received=repr(claimed), remedy="write it in digits"
        ) from None
    if number.ndim or not np.isfinite(number):
        return False
    exact = Decimal(float(number))
    return any(exact.quantize(printed, rounding=mode) == printed for mode in (ROUND_HALF_EVEN, ROUND_HALF_UP))


def text(values: npt.NDArray[Any]) -> str:
    """Numbers with as many digits as tell one float32 from its neighbours: as the calls print them."""
    shown = [str(value) for value in np.asarray(values, dtype=np.float32).ravel()]
    return f"[{', '.join(shown)}]" if np.ndim(values) else shown[0]


def _row(example: Example, exact: npt.NDArray[np.float64], tried: Tried, bindings: Iterable[Binding]) -> dict[str, Any]:
    place = {"backend": tried.backend, "binding": tried.binding, "lane": tried.lane}
    answer = tried.answer
    documented = next((b.name for b in bindings if b.backend == tried.backend), "") == tried.binding
    runs = {} if tried.backend == "tensorflow" and documented else {"runs_as_written": ""}
    if answer.status != "ok" or answer.value is None:
        return {**place, **runs, "measured": "", "reason": f"{answer.status}: {answer.reason}"}
    return {**place, **runs, "measured": text(answer.value), "reason": _finding(example, exact, answer.value, {})}


def _ran(example: Example, written: Mapping[str, Ran]) -> str:
    ran = written.get(example.id)
    return "" if ran is None else "yes" if ran.ok else "no"


def _finding(
    example: Example, exact: npt.NDArray[np.float64], measured: npt.NDArray[Any], written: Mapping[str, Ran]
) -> str:
    parts = []
    if example.claimed is None:
        parts.append(f"no output is claimed; {text(measured)} measured, {text(exact)} exact")
    else:
        here = "is" if rounds_to(np.asarray(measured, np.float64), example.claimed) else "is not"
        truth = "is" if rounds_to(exact, example.claimed) else "is not"
        parts.append(f"{example.claimed} {truth} the exact {text(exact)} to its digits")
        if measured is not exact:
            parts.append(f"and {here} the measured {text(measured)}")
    if (ran := written.get(example.id)) is not None:
        parts.append(f"as written it prints {ran.printed}" if ran.ok else f"as written it raises {ran.error}")
    return "; ".join(parts) + (f" ({example.note.rstrip('.')})" if example.note else "")
