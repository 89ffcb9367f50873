"""One binding on one set of inputs: which parameters it is handed, and what its output must look like.

A parameter that a binding does not take is applied around it where it is generic (reduction, weights),
left out where it has the loss's default, and otherwise makes the cell unsupported. An output of another
shape than the binding's unit says is a failure, not something to broadcast away.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from lossbench.lanes.backends.base import Backend, Function, Tensor, UnsupportedError
from lossbench.lanes.wire import pack, unpack
from lossbench.spec.errors import BadInput
from lossbench.spec.formats import round_to
from lossbench.spec.loss import GENERIC_PARAMETERS, Binding, Loss
from lossbench.spec.reduction import reduce
from lossbench.spec.userloss import BINDING as USER_BINDING

Arrays = Mapping[str, npt.NDArray[Any]]
NATIVE: Final = ("none", "mean", "sum")
"""Reductions that a binding which accepts `reduction` applies itself; of others it may return the unreduced losses."""
NUMPY: Final = (np.ndarray, np.generic)
"""A tuple: PyTorch's compiler cannot trace a union of types, and breaks every graph at one."""
DIVISORS: Final = ("class_weight", "ignore_index")
"""Parameters that the weighted reductions read as well, whoever applies them to the losses."""


class WrongOutput(Exception):  # noqa: N818 - reads as the reason it is
    """The binding returned something that is not the loss it says it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """handed: what the binding's call is given. around: what `reduce` is given. reads: of those, y_true's divisors."""

    handed: Mapping[str, Any]
    around: Mapping[str, Any]
    reduction: str
    native_reduction: bool


def plan(loss: Loss, binding: Binding, named: Mapping[str, Any]) -> Plan:
    """Who applies which parameter. `named`: parameters of the case and further inputs, by name.

    Raises UnsupportedError for a parameter that is set and that nobody applies.
    """
    values = {**loss.params, **named}
    reduction = str(values.pop("reduction", None) or loss.reduction)
    handed = {name: value for name, value in values.items() if name in binding.accepts}
    around = {
        name: values[name]
        for name in ("per_sample", "sample_weight")
        if name not in binding.accepts and values.get(name) is not None
    }
    native = "reduction" in binding.accepts and not around
    for name, value in values.items():
        if name in binding.accepts or name in GENERIC_PARAMETERS or value is None:
            continue
        if name not in loss.params and name not in loss.accepts and name not in loss.inputs:
            raise BadInput(
                subject=f"parameter of {loss.name}",
                expected=f"one of {', '.join(loss.known_params)}",
                received=repr(name),
                remedy="correct the name",
            )
        if not _is_default(loss, name, value):
            raise UnsupportedError(f"{binding.backend}/{binding.name} of {loss.name} takes no parameter {name!r}")
    if "reduction" in binding.accepts:
        handed["reduction"] = reduction if native else "none"
    divisors = {name: values[name] for name in DIVISORS if values.get(name) is not None}
    return Plan(handed=handed, around={**around, **divisors}, reduction=reduction, native_reduction=native)


def _is_default(loss: Loss, name: str, value: Any) -> bool:
    if name not in loss.params:
        return value is False  # an option that is switched off
    default = loss.params[name]
    return not isinstance(value, np.ndarray) and bool(value == default)


class Program:
    """The reduced loss as functions of tensors: y_true, y_pred, then the further arrays that it hands over.

    Arrays are arguments, never constants of the function: a compiler would fold constants away.
    """

    def __init__(self, loss: Loss, binding: Binding, m: Any, plan: Plan, y_true: Any, y_pred: Any) -> None:
        self._m, self._binding, self._plan = m, binding, plan
        self._tree, further = pack({"handed": dict(plan.handed), "around": dict(plan.around)})
        self._user = binding.name == USER_BINDING
        self._axis = plan.handed.get("axis", loss.params.get("axis"))
        self._shape = tuple(np.shape(y_pred))
        self._observed = ""
        self._arguments = [y_true, y_pred, *further]
        self._further = len(further)

    def handed_over(self) -> list[Any]:
        """The arrays that the functions take, once: what is compiled outlives them."""
        arguments, self._arguments = self._arguments, []
        return arguments

    def checked(self, *, remember: bool) -> Function:
        """The loss with its shape checked: what compilers trace, and what an eager first call runs.

        remember: keep what the output stood for, for `lean` (a side effect that a compiler must not see).
        """
        call, m, around, losses_of = self._binding.call, self._m, self._plan.around, self._stands_for
        user = self._user

        def run(y_true: Tensor, y_pred: Tensor, *arrays: Tensor) -> Any:
            handed, around_now = self._plan.handed, around
            if arrays:
                named = unpack(self._tree, arrays)
                handed, around_now = named["handed"], named["around"]
            output = call(m, y_true, y_pred, **handed)
            losses, added = (output, None) if user else _parts(output)
            left = isinstance(losses, NUMPY) and not isinstance(y_pred, np.ndarray)
            if left or not hasattr(losses, "shape"):  # numpy's where the framework has tensors of its own
                kind = type(losses)
                said = f"{kind.__module__}.{kind.__name__}".removeprefix("builtins.")
                raise WrongOutput(f"the loss returned a {said}; expected a tensor of its framework")
            found = losses_of(tuple(losses.shape), free=added is not None)
            if remember:
                self._observed = found if added is None else "parts"
            if found != "batch":
                losses = reduce(m, losses, unit=found, reduction=self._plan.reduction, y_true=y_true, **around_now)
            return losses if added is None else losses + added

        return run

    def lean(self) -> Function:
        """The same without checks, after a remembered first call: what is timed where Python runs every call."""
        call, m, plan = self._binding.call, self._m, self._plan
        finish = {"mean": m.mean, "sum": m.sum}.get(plan.reduction)
        finished = self._observed == "batch" or (plan.reduction == "none" and not plan.around)
        if self._further or self._observed == "parts" or not (finished or (finish is not None and not plan.around)):
            return self.checked(remember=False)
        handed = dict(plan.handed)
        if finished or finish is None:
            return _spelled_out(call, m, handed)
        return lambda y_true, y_pred: finish(call(m, y_true, y_pred, **handed))

    def _stands_for(self, actual: tuple[int, ...], *, free: bool) -> str:
        """What one number of the output is: element, row, or batch where it is reduced already.

        free: a loss around another has the unit of that one.
        """
        reduction = self._plan.reduction
        reduces = self._plan.native_reduction and reduction != "none"
        if actual == () and (reduces or (self._user and reduction != "none")):
            return "batch"
        if self._binding.unit == "batch" and self._plan.native_reduction and self._axis is not None and not reduces:
            return "batch"  # over given axes there are several losses, which nothing reduces
        return unit_of(actual, self._shape, unit=self._binding.unit, axis=self._axis, free=self._user or free)


def _spelled_out(call: Function, m: Any, handed: Mapping[str, Any]) -> Function:
    """The call with its keywords written out: to unpack them from a dict costs 0.15 microseconds, each time."""
    words = ", ".join(f"{name}=given_{name}" for name in handed)
    known = {"call": call, "m": m, **{f"given_{name}": value for name, value in handed.items()}}
    spelled: Function = eval(f"lambda y_true, y_pred: call(m, y_true, y_pred, {words})", known)  # names of parameters
    return spelled


def _parts(output: Any) -> tuple[Any, Any]:
    """The losses, and what a binding that returns a pair wants added once to the reduced losses (a penalty)."""
    if isinstance(output, tuple) and len(output) == 2:
        return output
    return output, None


def unit_of(
    actual: tuple[int, ...], predicted: tuple[int, ...], *, unit: str, axis: Any = None, free: bool = False
) -> str:
    """Checks the shape of unreduced losses against the unit that the binding states. WrongOutput if it is another.

    A row loss has y_pred's shape without the class axis, or one number a sample. free: a plain function
    states no unit, so any of the three will do.
    """
    where = int(axis) if isinstance(axis, int) and not isinstance(axis, bool) else -1
    without = tuple(n for i, n in enumerate(predicted) if i != where % max(len(predicted), 1))
    allowed: dict[str, list[tuple[int, ...]]] = {"element": [predicted], "row": [without, predicted[:1]], "batch": [()]}
    for name in (unit, *allowed) if free else (unit,):
        if actual in allowed[name]:
            return name
    expected = " or ".join(str(shape) for shape in dict.fromkeys(allowed[unit]))
    raise WrongOutput(f"losses have shape {actual}; expected {expected}, one number per {unit} of y_pred {predicted}")


def settled(loss: Loss, arrays: Arrays, dtype: str) -> dict[str, npt.NDArray[Any]]:
    """Given arrays as the lane uses them: indices int32, everything else rounded to the dtype in its carrier."""
    return {
        name: values.astype(np.int32)
        if name in loss.inputs and loss.inputs[name].integer
        else np.asarray(round_to(values, dtype))
        for name, values in arrays.items()
    }


def placed(backend: Backend, arrays: list[Any], dtype: str, *, grad: bool) -> tuple[Tensor, ...]:
    """The arrays as tensors, the second (y_pred) differentiable, each read back and compared.

    Raises WrongOutput where a tensor does not hold exactly the numbers it was given.
    """
    tensors = []
    for position, given in enumerate(arrays):
        values = np.asarray(given)
        values = values if values.dtype.kind in "biu" else np.asarray(round_to(values, dtype))
        tensor = backend.array(values, dtype, differentiable=grad and position == 1)
        held = backend.numpy(tensor)
        if held.shape != values.shape or not _same(held, values):
            raise WrongOutput(f"input {position} did not survive the conversion to {backend.name}'s {dtype}")
        tensors.append(tensor)
    return tuple(tensors)


def _same(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> bool:
    if b.dtype.kind != "f":
        return bool(np.array_equal(a, b))
    return prod(a.shape) == 0 or bool(
        np.array_equal(a, b, equal_nan=True)
        and np.array_equal(np.signbit(a) | np.isnan(a), np.signbit(b) | np.isnan(b))
    )
