"""Do they agree: every answer of a case against the oracle, value and gradient apart, and backends pairwise.

The oracle sees exactly the inputs that the backends saw, once per case and definition however many cells share it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from hashlib import blake2b
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from lossbench.judge import classes, definitions, nearby
from lossbench.judge.elements import STABLE_OWED, TIGHT_EPS, Comparison, Known, compare
from lossbench.judge.pairs import pairwise
from lossbench.judge.reference import Reference
from lossbench.judge.verdict import Class, Level, Quantity, Verdict
from lossbench.lanes.measurement import Answer
from lossbench.spec.errors import BadInput
from lossbench.spec.formats import FORMATS
from lossbench.spec.loss import Binding, Loss

DERIVATIVES: Final = ("grad_target", "jvp")
NOT_OFFERED: Final = ("absent", "unsupported", "skipped")


def judge(
    loss: Loss,
    params: Mapping[str, Any],
    arrays: Mapping[str, npt.NDArray[Any]],
    dtype: str,
    answers: Mapping[str, Answer],
    *,
    bindings: Mapping[str, Binding] | None = None,
    digest: str = "",
    reference: Reference | None = None,
) -> list[Verdict]:
    """Judge all answers to one case: cell id -> Answer (an id ending in `:grad` owes a gradient too).

    bindings: cell id -> Binding, for the definition that its documentation states. digest: of `arrays`;
    an answer computed on other inputs is invalid. reference: reuse one for several calls on the same case.
    """
    grad = any({"grad", "jvp"} & {*quantities(cell, answer)} for cell, answer in answers.items())
    shared = reference or Reference(loss=loss, params=params, arrays=arrays, dtype=dtype, digest=digest, grad=grad)
    found: list[Verdict] = []
    same: dict[tuple[object, ...], Verdict] = {}
    for cell, answer in answers.items():
        binding = (bindings or {}).get(cell)
        for quantity in quantities(cell, answer):
            key = (quantity, *_bits(answer), *(() if binding is None else (binding.backend, binding.definition)))
            if key not in same:
                same[key] = judge_one(shared, cell, answer, quantity, binding)
            found.append(replace(same[key], cell=cell))
    return found + pairwise(answers, dtype)


def _bits(answer: Answer) -> tuple[object, ...]:
    """What a verdict depends on: modes and spellings of a framework often give the same bits, which are judged once."""
    arrays = tuple(
        None if array is None else (array.dtype.str, array.shape, blake2b(array.tobytes()).digest())
        for array in (answer.value, answer.grad)
    )
    return (*arrays, answer.status, answer.reason, answer.digest, answer.result_dtype)


def quantities(cell: str, answer: Answer) -> tuple[Quantity, ...]:
    """What a cell owes, from its operation."""
    operation = cell.rpartition(":")[2]
    if operation in DERIVATIVES:
        return ("jvp",) if operation == "jvp" else ("grad_target",)
    return ("value", "grad") if cell.endswith(":grad") or answer.grad is not None else ("value",)


def judge_one(
    reference: Reference, cell: str, answer: Answer, quantity: Quantity, binding: Binding | None = None
) -> Verdict:
    """One quantity of one answer against the oracle."""
    computed = definitions.of(answer, quantity)
    fault = _unusable(reference, answer, quantity, computed)
    if fault is not None:
        verdict, klass, reason = fault
        return Verdict(cell=cell, quantity=quantity, verdict=verdict, klass=klass, reason=reason)
    assert computed is not None
    try:
        known = reference.quantity(quantity)
    except BadInput as undecided:
        return Verdict(cell=cell, quantity=quantity, verdict="undefined", klass="", reason=str(undecided))
    if np.shape(computed) != known.exact.shape:
        reason = f"{quantity} has shape {np.shape(computed)} where {known.exact.shape} is due"
        return Verdict(cell=cell, quantity=quantity, verdict="invalid", klass="api", reason=reason)
    seen = compare(computed, known, nan_inputs=reference.nan_inputs)
    verdict, klass, convention, why = _class_of(reference, answer, seen, quantity, binding)
    if (foreign := _foreign_dtype(answer, reference.dtype)) and (quantity == "value" or not seen.right):
        verdict, klass, why = "differs", "api", f"{foreign}; {why}"
    return _numbers(reference, seen, known, Verdict(
        cell=cell, quantity=quantity, verdict=verdict, klass=klass, convention=convention, reason=why,
    ))  # fmt: skip


def _unusable(
    reference: Reference, answer: Answer, quantity: Quantity, computed: npt.NDArray[Any] | None
) -> tuple[Level, Class, str] | None:
    if answer.status in NOT_OFFERED:
        return "absent", "", answer.reason or answer.status
    if answer.status != "ok":
        return "invalid", "api", f"{answer.status}: {answer.reason or 'no reason given'}"
    if reference.digest and answer.digest and reference.digest != answer.digest:
        return "invalid", "api", f"computed on other inputs: digest {answer.digest[:12]}, not {reference.digest[:12]}"
    if computed is None:
        return "invalid", "api", f"{quantity} is None: nothing connects the result with the prediction"
    if computed.dtype.kind not in "fiu":
        return "invalid", "api", f"{quantity} holds {computed.dtype}, which are no real numbers"
    return None


def _foreign_dtype(answer: Answer, dtype: str) -> str:
    named = answer.result_dtype
    known = [name for name in FORMATS if name in named and (name == "bfloat16" or f"b{name}" not in named)]
    if not known or dtype in known:
        return ""
    return f"returns {known[0]} for inputs of {dtype}"


def _class_of(
    reference: Reference, answer: Answer, seen: Comparison, quantity: Quantity, binding: Binding | None
) -> tuple[Level, Class, str, str]:
    """Verdict, class, convention and cause."""
    computed = definitions.of(answer, quantity)
    assert computed is not None, "an answer without it is judged before"
    if seen.right:
        if quantity != "value" and seen.kink.any():
            chosen = subgradient(computed, reference.quantity(quantity))
            return "kink", "kink", chosen, f"{int(seen.kink.sum())} elements at a kink, chosen: {chosen}"
        if seen.all_tight:
            return "tight", "rounding", "", f"within {TIGHT_EPS:g} eps of the exact result"
        return "stable", "rounding", "", f"beyond {TIGHT_EPS:g} eps, within {STABLE_OWED:g} times what the formula owes"
    level: Level = "digits_lost" if not (seen.wrong & ~seen.lost).any() else "differs"
    if fitting := definitions.fitting(reference, answer, seen, quantity, binding):
        return level, "convention", fitting, f"is the definition {fitting}"
    if bool((seen.undefined & np.isnan(seen.got))[seen.wrong].all()):
        return "undefined", "domain", "", "NaN where the exact result is undefined"
    if level == "digits_lost":
        return level, "accuracy", "", "within what the formula owes, yet more than 1% off"
    own = binding.definition if binding is not None else "exact"
    for name, left in definitions.nearest(reference, computed, seen, quantity, own):
        klass, why = classes.explain(left, reference.loss, reference.arrays, reference.dtype, reference.params)
        if klass != "defect":
            return level, klass, "", why if name == "exact" else f"beside the definition {name}, {why}"
        if beside := nearby.explain(reference, computed, quantity, left, name):
            return beside
    klass, why = classes.explain(seen, reference.loss, reference.arrays, reference.dtype, reference.params)
    return level, klass, "", why


def subgradient(computed: npt.NDArray[Any], known: Known) -> str:
    """Which subgradient was chosen at the kinks: zero, low, high, middle, a fraction between, or mixed."""
    low, high = known.low[known.kink], known.high[known.kink]
    got = np.asarray(computed, np.float64)[known.kink]
    if (got == 0).all():
        return "subgradient zero"
    with np.errstate(all="ignore"):
        part = np.nan_to_num((got - low) / (high - low), nan=0.5)
    if np.ptp(part) > 0.01:
        return "subgradient mixed"
    names = {0.0: "low", 0.5: "middle", 1.0: "high"}
    mean = float(np.mean(part))
    near = min(names, key=lambda known: abs(known - mean))
    return f"subgradient {names[near]}" if abs(near - mean) < 0.01 else f"subgradient {mean:.3g} of the way"


def _numbers(reference: Reference, seen: Comparison, known: Known, verdict: Verdict) -> Verdict:
    """The verdict with its numbers and the sentence that holds them."""
    if not seen.got.size:
        return replace(verdict, max_ulp=0.0, median_ulp=0.0, max_rel=0.0, reason="nothing to compare: empty result")
    suspects = np.where(seen.wrong, seen.ulp, -1.0) if seen.wrong.any() else seen.ulp
    worst = np.unravel_index(int(suspects.argmax()), seen.got.shape)
    with np.errstate(all="ignore"):
        error = np.abs(seen.got - known.exact)
        factor = np.where(seen.ulp == 0, 0.0, error / (STABLE_OWED * known.owed))
    got, expected = float(seen.got[worst]), float(seen.expected[worst])
    ulp, index = float(seen.ulp[worst]), ",".join(map(str, worst))
    place = f" at [{index}]" if index else ""
    wrong = f"{int(seen.wrong.sum())} of {seen.got.size} elements; " if seen.wrong.any() and seen.got.size > 1 else ""
    reason = f"{verdict.reason}: {wrong}worst{place} {got:.9g}, exact {expected:.9g}, {ulp:.3g} ulp"
    return replace(
        verdict,
        max_ulp=float(seen.ulp.max()), median_ulp=float(np.median(seen.ulp)), max_rel=float(seen.relative.max()),
        worst_index=index, worst_y_true=_input(reference, "y_true", worst, seen.got.shape),
        worst_y_pred=_input(reference, "y_pred", worst, seen.got.shape),
        got=got, expected=expected, owed_factor=float(np.nanmax(factor)) if not np.isnan(factor).all() else np.inf,
        reason=reason,
    )  # fmt: skip


def _input(reference: Reference, name: str, index: tuple[Any, ...], shape: tuple[int, ...]) -> float:
    values = np.asarray(reference.arrays[name])
    if values.shape == shape:
        return float(values[index])
    if values.size == 1:
        return float(values.flat[0])
    if values.shape == shape[:-1]:
        return float(values[index[:-1]])
    return float("nan")
