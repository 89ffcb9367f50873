"""Evaluates a loss's formula exactly: raises the precision until every rounding and every decision is certain."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from lossbench.judge.oracle import elementary as el
from lossbench.judge.oracle.attempt import PRECISIONS_BITS, Undecided, attempts, working
from lossbench.judge.oracle.exact import Exact, ExactArray
from lossbench.judge.oracle.namespace import x
from lossbench.judge.oracle.onesided import complete
from lossbench.judge.oracle.operations import Array
from lossbench.judge.oracle.reals import NOT_A_NUMBER, Reals
from lossbench.judge.oracle.reductions import reduce
from lossbench.judge.oracle.tape import Cotangent, gradient, variable
from lossbench.spec.errors import BadInput
from lossbench.spec.loss import GENERIC_PARAMETERS, Loss


def evaluate(
    loss: Loss,
    params: Mapping[str, Any],
    arrays: Mapping[str, npt.NDArray[Any]],
    dtype: str,
    *,
    definition: str = "exact",
    wrt: str = "y_pred",
    grad: bool = True,
) -> Exact:
    """The exact reduced loss and the gradient of its sum by `wrt`.

    params: overrides of the loss's defaults, `reduction`, `per_sample`, and arrays or lists if need be.
    arrays: the inputs, already rounded to the dtype; `sample_weight` may be among them.
    Raises BadInput if `wrt` is not a floating-point input, KeyError for an unknown definition.
    """
    reference = loss.definition(definition)
    given = dict(arrays)
    floating = [name for name, a in given.items() if np.asarray(a).dtype.kind == "f"]
    if grad and wrt not in floating:
        raise BadInput(
            subject=f"gradient of {loss.name}",
            expected=f"one of the floating-point inputs {floating}",
            received=repr(wrt),
            remedy="differentiate by one of these",
        )
    plain = {**loss.params, **params}
    generic = {name: plain.pop(name, None) for name in GENERIC_PARAMETERS}
    weight = generic["sample_weight"]
    if weight is not None and "sample_weight" not in given:
        given["sample_weight"] = np.asarray(weight, dtype=np.float64)

    def once(shift: Reals | None = None) -> tuple[Array, Cotangent | None]:
        leaves = {name: _array(a, active=grad and name == wrt) for name, a in given.items()}
        if shift is not None:
            leaves[wrt] = variable(Array, el.add(leaves[wrt].value, shift))
        by = leaves.get(wrt)
        weights = leaves.pop("sample_weight", None)
        options = {name: _option(value, loss.params.get(name)) for name, value in plain.items()}
        losses = reference(x, leaves.pop("y_true"), leaves.pop("y_pred"), **leaves, **options)
        out = reduce(
            x,
            losses,
            reduction=generic["reduction"] or loss.reduction,
            per_sample=generic["per_sample"],
            sample_weight=weights,
        )
        return out, gradient(out, by) if by is not None and grad else None

    result: Exact | None = None
    for attempt in attempts():
        with working(attempt):
            try:
                out, bar = once()
            except Undecided:
                continue
        if bar is not None:
            bar = _completed(bar, np.asarray(given[wrt]), lambda shift: _slopes(once(shift)[1]))
        value = ExactArray(out.value, None, out.owed, dtype)
        slope = None if bar is None else ExactArray(bar.low, bar.high, bar.owed, dtype)
        certified = value.is_certified() and (slope is None or slope.is_certified())
        result = Exact(value=value, grad=slope, bits=attempt.bits, certified=certified)
        if certified:
            return result
    if result is None:
        raise BadInput(
            subject=f"oracle of {loss.name}, definition {definition}",
            expected="comparisons and limits that some precision decides",
            received=f"doubt at every precision up to {PRECISIONS_BITS[-1]} bits",
            remedy="write the formula without comparing numbers that are equal but computed differently",
        )
    return result


def _completed(bar: Cotangent, at: npt.NDArray[Any], slopes: Callable[[Reals], Reals]) -> Cotangent:
    open_ = np.asarray((bar.low.kinds == NOT_A_NUMBER) & np.isfinite(at))
    return complete(bar, open_, slopes) if open_.any() else bar


def _slopes(bar: Cotangent | None) -> Reals:
    if bar is None or bar.high is not None:
        raise Undecided  # beside a kink there is another kink
    return bar.low


def _array(values: Any, *, active: bool) -> Any:
    """Integers stay numpy; floating-point inputs become exact arrays."""
    given = np.asarray(values)
    if given.dtype.kind in "iub":
        return given
    return variable(Array, Reals.of(given)) if active else Array(Reals.of(given))


def _option(value: Any, default: Any) -> Any:
    """Numbers that take part in the formula become exact; options (text, flags, axes) stay as they are."""
    if isinstance(value, bool | str) or value is None or isinstance(value, Array):
        return value
    if isinstance(value, float) or (
        isinstance(value, int) and isinstance(default, float) and not isinstance(default, bool)
    ):
        return Array(Reals.of(float(value)))
    if isinstance(value, np.ndarray):
        return Array(Reals.of(value)) if value.dtype.kind == "f" else value
    if isinstance(value, list | tuple) and _is_numeric(value):
        return Array(Reals.of(np.asarray(value, dtype=np.float64)))
    return value


def _is_numeric(values: Any) -> bool:
    """Whether a nested list holds numbers alone."""
    if isinstance(values, list | tuple):
        return all(_is_numeric(value) for value in values)
    return isinstance(values, int | float) and not isinstance(values, bool)
