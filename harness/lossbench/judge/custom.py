"""Somebody's own function: judged against the loss it says it is like, or else on what can be seen of itself.

Exit status 1: a function marked `like` is not that loss on ordinary inputs, or differs unexplained anywhere in
its domain; or a gradient is not that of its own function. 2: it raises, has no gradient, or no possible shape.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from lossbench.judge import differences
from lossbench.judge.agreement import judge_one
from lossbench.judge.claims import LaneLike
from lossbench.judge.reference import Evaluate, Reference, from_oracle
from lossbench.judge.relatives import Relative, nearest
from lossbench.judge.verdict import Class, Level, Verdict
from lossbench.lanes.measurement import Answer
from lossbench.spec import inputs
from lossbench.spec.case import Case, Operation
from lossbench.spec.errors import BadInput
from lossbench.spec.formats import FORMATS
from lossbench.spec.loss import Loss
from lossbench.spec.regimes import REGIMES

SHAPE: Final = (4, 3)
MOST_LOST: Final = 3
"""Answers at which the function ended its process or hung: it is not asked further, each costs a start or its limit."""
ALWAYS_FATAL: Final = ("defect", "api")
UNUSABLE: Final = ("runs", "shape", "connected")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing looked at. check: value, grad, runs, shape, dtype, finite, connected, differences or relative."""

    loss: str
    lane: str
    check: str
    dtype: str = ""
    regime: str = ""
    verdict: Level
    klass: Class
    convention: str = ""
    max_ulp: float = np.nan
    max_rel: float = np.nan
    fatal: bool = False
    reason: str

    def row(self) -> dict[str, Any]:
        """As a JSON object; the class is called `class`."""
        found = asdict(self)
        found["class"] = found.pop("klass")
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomResult:
    """What is known of one function in one lane. relatives: the documented losses nearest to it, closest first."""

    checks: tuple[Check, ...]
    relatives: tuple[Relative, ...]

    @property
    def exit_status(self) -> int:
        """0, 1 or 2: see the module."""
        fatal = [c for c in self.checks if c.fatal]
        return 0 if not fatal else 2 if any(c.check in UNUSABLE for c in fatal) else 1

    def rows(self) -> list[dict[str, Any]]:
        """All checks as JSON objects."""
        return [check.row() for check in self.checks]


def judge_custom(
    loss: Loss,
    lane_id: str,
    lane: LaneLike,
    *,
    catalogue: Iterable[Loss],
    dtypes: Iterable[str] = ("float64", "float32"),
    regimes: Iterable[str] | None = None,
    like: str = "",
    limit_seconds: float = 60.0,
    evaluate: Evaluate = from_oracle,
) -> CustomResult:
    """Judge one function (as a Loss with one binding per backend) in one lane.

    catalogue: the losses among which its nearest relative is looked for. like: the name of the loss it is marked
    to be; empty means it has no reference of its own. regimes: all that apply, unless named.
    """
    binding = loss.bindings_of(lane_id.partition("-")[0])[0].name

    lost: list[Answer] = []

    def ask(arrays: Mapping[str, npt.NDArray[Any]], dtype: str, grad: bool, reduction: str = "") -> Answer:
        if len(lost) >= MOST_LOST:
            return lost[-1]
        params = {**loss.params, **({"reduction": reduction} if reduction else {})}
        operation: Operation = "grad" if grad else "value"
        answer = lane.answer_given(loss.name, binding, params, arrays, dtype, operation, limit_seconds)
        if answer.status in ("crashed", "timeout"):
            lost.append(answer)
        return answer

    if like:
        names = tuple(regimes) if regimes is not None else tuple(REGIMES)
        checks = list(_against(loss, lane_id, ask, dtypes, names, evaluate))
    else:
        checks = list(_alone(loss, lane_id, ask, dtypes))

    def value(arrays: Mapping[str, npt.NDArray[Any]]) -> float | None:
        answer = ask(arrays, "float64", grad=False)
        return (
            float(answer.value)
            if answer.status == "ok" and answer.value is not None and not answer.value.ndim
            else None
        )

    others = [other for other in catalogue if other.name != loss.name and not getattr(other, "file", "")]
    others = [replace(o, params={**o.params, **loss.params}) if o.name == like else o for o in others]
    relatives = tuple(nearest(value, others, like=like, evaluate=evaluate))
    if relatives:
        checks.append(_check(loss, lane_id, "relative", relatives[0].sentence, max_rel=relatives[0].max_rel))
    return CustomResult(checks=tuple(checks), relatives=relatives)


Ask = Callable[..., Answer]


def _against(
    loss: Loss, lane: str, ask: Ask, dtypes: Iterable[str], regimes: Iterable[str], evaluate: Evaluate
) -> Iterable[Check]:
    """Value and gradient against the oracle, in every dtype and regime that has a meaning for the loss."""
    params = tuple(sorted(loss.params.items()))
    for dtype in dtypes:
        for name in regimes:
            regime = REGIMES[name]
            case = Case(loss=loss.name, params=params, shape=regime.shape(SHAPE), dtype=dtype, regime=name)
            try:
                arrays = inputs.build(loss, case).arrays
            except BadInput:  # the regime has no meaning for this loss
                continue
            reference = Reference(loss=loss, params=dict(loss.params), arrays=arrays, dtype=dtype, evaluate=evaluate)
            answer = ask(arrays, dtype, grad=True)
            for quantity in ("value", "grad"):
                seen = judge_one(reference, f"{case.id}@{lane}:grad", answer, quantity)
                ordinary = name == "typical" and not seen.right
                fatal = ordinary or (seen.klass in ALWAYS_FATAL and not regime.leaves_domain)
                yield _judged(loss, lane, seen, dtype=dtype, regime=name, fatal=fatal)


def _judged(loss: Loss, lane: str, seen: Verdict, *, dtype: str, regime: str, fatal: bool) -> Check:
    return Check(
        loss=loss.name, lane=lane, check=seen.quantity, dtype=dtype, regime=regime, verdict=seen.verdict,
        klass=seen.klass, convention=seen.convention, max_ulp=seen.max_ulp, max_rel=seen.max_rel, fatal=fatal,
        reason=seen.reason,
    )  # fmt: skip


def _alone(loss: Loss, lane: str, ask: Ask, dtypes: Iterable[str]) -> Iterable[Check]:
    """What can be seen without a reference: that it runs, keeps shape and dtype, stays finite, has its own gradient."""
    arrays = _probe(loss, "float64")
    raw = ask(arrays, "float64", grad=False, reduction="none")
    if raw.status != "ok" or raw.value is None:
        yield _check(loss, lane, "runs", f"{raw.status}: {raw.reason}", klass="api", fatal=True)
        return
    possible = ((), SHAPE[:-1], SHAPE)
    fits = raw.value.shape in possible
    said = f"its output has shape {raw.value.shape} for a prediction of {SHAPE}"
    yield _check(loss, lane, "shape", said, klass="rounding" if fits else "api", fatal=not fits)
    answer = ask(arrays, "float64", grad=True)
    if answer.grad is None:
        reason = answer.reason or "its gradient by the prediction is None: nothing connects them"
        yield _check(loss, lane, "connected", reason, klass="api", fatal=True)
        return
    yield _gradient(loss, lane, ask, arrays, answer)
    for dtype in dtypes:
        yield from _in_dtype(loss, lane, ask(_probe(loss, dtype), dtype, grad=True), dtype)


def _in_dtype(loss: Loss, lane: str, answer: Answer, dtype: str) -> Iterable[Check]:
    if answer.status != "ok" or answer.value is None:
        yield _check(loss, lane, "dtype", f"{answer.status}: {answer.reason}", klass="api", dtype=dtype)
        return
    known = [name for name in FORMATS if answer.result_dtype.endswith(name) or f"'{name}'" in answer.result_dtype]
    kept = not known or dtype in known or (dtype == "float16" and known == ["float16"])
    said = f"returns {answer.result_dtype or 'an unnamed type'} for {dtype}"
    yield _check(loss, lane, "dtype", said, klass="rounding" if kept else "api", dtype=dtype)
    finite = bool(np.isfinite(answer.value).all()) and (answer.grad is None or bool(np.isfinite(answer.grad).all()))
    said = "finite on finite inputs" if finite else "NaN or infinite on finite inputs"
    yield _check(loss, lane, "finite", said, klass="rounding" if finite else "range", dtype=dtype)


def _gradient(loss: Loss, lane: str, ask: Ask, arrays: Mapping[str, npt.NDArray[Any]], answer: Answer) -> Check:
    def total(point: npt.NDArray[np.float64]) -> float:
        moved = ask({**arrays, "y_pred": point}, "float64", grad=False)
        return float(np.sum(moved.value)) if moved.status == "ok" and moved.value is not None else float("nan")

    assert answer.grad is not None
    wide = "float64" in answer.result_dtype or not answer.result_dtype
    slopes = differences.check(total, arrays["y_pred"], answer.grad, wide=wide)
    at = slopes.worst_index
    reason = "its gradient agrees with central differences" if slopes.right else (
        f"its gradient is {float(answer.grad[at]):.6g} at {list(at)} where differences give "
        f"{slopes.backward[at]:.6g} to {slopes.forward[at]:.6g}"
    )  # fmt: skip
    right = slopes.right
    return _check(loss, lane, "differences", reason, klass="rounding" if right else "defect", fatal=not right)


def _probe(loss: Loss, dtype: str) -> dict[str, npt.NDArray[Any]]:
    """Inputs that suit real-valued predictions and probabilities alike: both strictly between 0 and 1, apart."""
    case = Case(loss=loss.name, shape=SHAPE, dtype=dtype)
    rows = np.arange(1.0, 1.0 + np.prod(SHAPE)).reshape(SHAPE) / (2.0 + np.prod(SHAPE))
    plain = {"y_true": (np.arange(np.prod(SHAPE)).reshape(SHAPE) % 3 == 0).astype(np.float64), "y_pred": rows}
    given = plain if set(loss.inputs) == {"y_true", "y_pred"} else inputs.build(loss, case).arrays
    return {n: inputs.settle(np.asarray(a, np.float64), loss.inputs[n], dtype) for n, a in given.items()}


def _check(
    loss: Loss, lane: str, check: str, reason: str, *, klass: Class = "", fatal: bool = False, dtype: str = "float64",
    max_rel: float = np.nan,
) -> Check:  # fmt: skip
    verdict: Level = "tight" if klass == "rounding" else "differs" if klass else "absent"
    return Check(
        loss=loss.name, lane=lane, check=check, dtype=dtype, verdict=verdict, klass=klass, max_rel=max_rel, fatal=fatal,
        reason=reason,
    )  # fmt: skip
