"""Claims in prose, asked of the oracle and of every spelling: each place has a verdict of its own, with numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from lossbench.judge.claims import DTYPE, ORACLE_ROW, LaneLike
from lossbench.judge.reference import Evaluate, from_oracle
from lossbench.spec.claim import Ask, Claim, Measured, NotMeasured
from lossbench.spec.errors import BadInput
from lossbench.spec.formats import round_to
from lossbench.spec.loss import Binding, Loss

Find = Callable[[str], Loss]

HOLDS: Final[Mapping[bool | None, str]] = {True: "yes", False: "no", None: "unclear"}


def check(
    claims: Iterable[Claim],
    lanes: Mapping[str, LaneLike],
    *,
    find: Find,
    evaluate: Evaluate = from_oracle,
    limit_seconds: float = 60.0,
) -> list[dict[str, Any]]:
    """Rows of the claims table: one for the oracle and one for every spelling of the claim's loss in each lane.

    lanes: lane id -> lane; an id begins with its backend. find: name -> Loss.
    """
    stated = list(claims)
    with ThreadPoolExecutor() as threads:  # a lane's own process does the work
        asked = {
            lane_id: threads.submit(_asked, stated, lane_id, lane, find, limit_seconds)
            for lane_id, lane in lanes.items()
        }
        exact = [_exact_row(claim, find, evaluate) for claim in stated]
        answered = [future.result() for future in asked.values()]
    rows = []
    for place, row in enumerate(exact):
        rows.append(row)
        rows += [{**found, "oracle": row["oracle"]} for lane in answered for found in lane[place]]
    return rows


def _asked(
    claims: Sequence[Claim], lane_id: str, lane: LaneLike, find: Find, limit_seconds: float
) -> list[list[dict[str, Any]]]:
    """The rows of each claim in one lane, a row a spelling."""
    return [tried(claim, lane_id, lane, find=find, limit_seconds=limit_seconds) for claim in claims]


def tried(
    claim: Claim, lane_id: str, lane: LaneLike, *, find: Find, limit_seconds: float = 60.0
) -> list[dict[str, Any]]:
    """The rows of one claim in one lane, a row a spelling; what the oracle gives is left empty."""
    backend = lane_id.partition("-")[0]
    rows = []
    for binding in find(claim.loss).bindings_of(backend):
        ask: Ask = partial(_ask_lane, lane, backend, binding.name, find, limit_seconds)
        rows.append(_row(claim, ask, find, backend=backend, binding=binding.name, lane=lane_id, oracle=""))
    return rows


def _exact_row(claim: Claim, find: Find, evaluate: Evaluate) -> dict[str, Any]:
    ask: Ask = partial(_ask_oracle, find, evaluate)
    backend, binding, lane = ORACLE_ROW
    row = _row(claim, ask, find, backend=backend, binding=binding, lane=lane, oracle="")
    return {**row, "oracle": row["measured"]}


def _row(claim: Claim, ask: Ask, find: Find, **place: str) -> dict[str, Any]:
    try:
        unfit = claim.unfit.get(place["binding"])
        holds, measured, reason = (None, "", unfit) if unfit else claim.finds(ask)
    except NotMeasured as nothing:
        holds, measured, reason = None, "", str(nothing)
    return {
        "claim": claim.id, "loss": find(claim.loss).name, "source": claim.source, "claimed": claim.claimed,
        "runs_as_written": "", "measured": measured, "holds": HOLDS[holds], "reason": reason, **place,
    }  # fmt: skip


def _ask_oracle(find: Find, evaluate: Evaluate, name: str, y_true: Any, y_pred: Any, **params: Any) -> Measured:
    loss = find(name)
    params, arrays = _inputs(loss, y_true, y_pred, params)
    try:
        exact: Any = evaluate(loss, params, arrays, DTYPE)
    except BadInput as undecided:
        return Measured(error=str(undecided))
    if exact.grad is None:
        return Measured(numbers=exact.value.rounded(DTYPE))
    note, kink = "", exact.grad.kink
    if kink.any():
        low, high = exact.grad.low(DTYPE)[kink].min(), exact.grad.high(DTYPE)[kink].max()
        note = f"no derivative exists there, anything from {low:g} to {high:g} is a subgradient"
    return Measured(numbers=exact.value.rounded(DTYPE), slopes=exact.grad.rounded(DTYPE), note=note)


def _ask_lane(
    lane: LaneLike,
    backend: str,
    spelling: str,
    find: Find,
    limit_seconds: float,
    name: str,
    y_true: Any,
    y_pred: Any,
    **params: Any,
) -> Measured:
    loss = find(name)
    binding = _spelling(loss, backend, spelling)
    if binding is None:
        return Measured(error=f"{backend} has no spelling of {loss.name}")
    params, arrays = _inputs(loss, y_true, y_pred, params)
    answer = lane.answer_given(loss.name, binding.name, params, arrays, DTYPE, "grad", limit_seconds)
    error = "" if answer.status == "ok" else f"{loss.name}: {answer.status}: {answer.reason}"
    return Measured(numbers=answer.value, slopes=answer.grad, error=error)


def _spelling(loss: Loss, backend: str, name: str) -> Binding | None:
    of = loss.bindings_of(backend)
    return next((b for b in of if b.name == name), of[0] if of else None)


def _inputs(
    loss: Loss, y_true: Any, y_pred: Any, params: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """Parameters, and the inputs rounded to the dtype that the sources' calls compute in."""
    given = {"y_true": y_true, "y_pred": y_pred, **{k: v for k, v in params.items() if k in loss.inputs}}
    arrays = {
        name: np.asarray(values, np.int32)
        if loss.inputs[name].integer
        else round_to(np.asarray(values, np.float64), DTYPE)
        for name, values in given.items()
    }
    rest = {name: value for name, value in params.items() if name not in loss.inputs}
    return {**loss.params, "reduction": "none", **rest}, arrays
