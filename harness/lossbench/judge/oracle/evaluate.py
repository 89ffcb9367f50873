"""Evaluates a loss's formula exactly: raises the precision until every rounding and every decision is certain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from lossbench.judge.oracle import large
from lossbench.judge.oracle.attempt import PRECISIONS_BITS, Undecided, attempts, working
from lossbench.judge.oracle.exact import Exact, ExactArray
from lossbench.judge.oracle.namespace import x
from lossbench.judge.oracle.onesided import complete
from lossbench.judge.oracle.operations import Array
from lossbench.judge.oracle.problem import Problem, differentiable, open_elements
from lossbench.judge.oracle.reductions import divisor, reduce
from lossbench.judge.oracle.rows import has_nan
from lossbench.judge.oracle.tape import Cotangent, gradient
from lossbench.spec.errors import BadInput
from lossbench.spec.loss import Loss

LARGE_ELEMENTS: Final = 8192
"""Predictions of more elements are computed by whole arrays, see `large`."""


def evaluate(
    loss: Loss,
    params: Mapping[str, Any],
    arrays: Mapping[str, npt.NDArray[Any]],
    dtype: str,
    *,
    definition: str = "exact",
    wrt: str = "y_pred",
    grad: bool = True,
    by_arrays: bool = False,
) -> Exact:
    """The exact reduced loss and the gradient of its sum by `wrt`.

    params: overrides of the loss's defaults, `reduction`, `per_sample`, and arrays or lists if need be.
    arrays: the inputs, already rounded to the dtype; `sample_weight` may be among them.
    by_arrays: compute small predictions by whole arrays too, where these decide everything.
    Raises BadInput if `wrt` is not a floating-point input or nothing decides a number, KeyError for an
    unknown definition.
    """
    if grad and wrt not in differentiable(arrays):
        raise BadInput(
            subject=f"gradient of {loss.name}",
            expected=f"one of the floating-point inputs {differentiable(arrays)}",
            received=repr(wrt),
            remedy="differentiate by one of these",
        )
    problem = Problem.of(loss, params, arrays, definition, wrt if grad else None)
    size = problem.given["y_pred"].size
    found = large.evaluate(problem, dtype) if size > LARGE_ELEMENTS or (by_arrays and size) else None
    if found is None and size <= LARGE_ELEMENTS:
        found = certified(problem, dtype)
    if found is None:
        how = "whole arrays" if size > LARGE_ELEMENTS else f"every precision up to {PRECISIONS_BITS[-1]} bits"
        raise BadInput(
            subject=f"oracle of {loss.name}, definition {definition}",
            expected="comparisons and limits that some precision decides",
            received=f"doubt in {how}, with {size} elements",
            remedy="write the formula without comparing numbers that are equal but computed differently"
            if size <= LARGE_ELEMENTS
            else f"judge the loss at a shape of at most {LARGE_ELEMENTS} elements",
        )
    return found


def certified(problem: Problem, dtype: str) -> Exact | None:
    """By balls, one number after another; None where no precision decides."""
    result: Exact | None = None
    for attempt in attempts():
        with working(attempt):
            try:
                out, bar = _once(problem)
            except Undecided:
                continue
        value = ExactArray(out.value, None, out.owed, dtype)
        slope = None if bar is None else ExactArray(bar.low, bar.high, bar.owed, dtype)
        sure = value.is_certified() and (slope is None or slope.is_certified())
        result = Exact(value=value, grad=slope, bits=attempt.bits, certified=sure)
        if sure:
            return result
    return result


def _once(problem: Problem) -> tuple[Array, Cotangent | None]:
    summands, by = problem.forward()
    count = 1 if problem.reduction == "none" else divisor(x, summands, problem.reduction)
    out = reduce(x, summands, reduction=problem.reduction, divide_by=count)
    if by is None:
        return out, None
    bar = gradient(out, by)
    open_ = open_elements(bar, np.asarray(problem.given[str(problem.wrt)]))
    if open_.any() and any(np.isnan(a).any() for a in problem.given.values() if a.dtype.kind == "f"):
        # a NaN may be the right derivative of all that it reaches, and no limit beside it is worth looking for
        reached = np.ones(open_.shape[:1], bool) if problem.separable() == "batch" else has_nan(problem)
        open_ &= ~reached.reshape(reached.shape + (1,) * (open_.ndim - 1))
    if open_.any():
        alone = not (isinstance(count, Array) and count.active)
        bar = complete(bar, open_, problem, divide_by=count if alone else None)
    return out, bar
