"""How a numerical defect is planted into a binding: around its call, never in a copy of the loss.

A mutant keeps the loss, and so the inputs; it is one more binding of it, called `base~defect`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from lossbench import Binding

Call = Callable[..., Any]
Plant = Callable[[Binding], Binding]
Losses = Callable[[Any, Any, Any, Any], Any]
"""(m, y_true, y_pred, unreduced losses) -> other ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """kind: the family of defects it belongs to. plant: the binding with the defect in it."""

    loss: str
    backend: str
    base: str
    name: str
    kind: str
    plant: Plant

    @property
    def binding(self) -> str:
        return f"{self.base}~{self.name}"


def planted(mutant: Mutant, binding: Binding) -> Binding:
    """The mutated binding under its own name."""
    return replace(mutant.plant(binding), name=mutant.binding)


def unreduced(binding: Binding) -> Call:
    """The binding's call without its own reduction."""

    def call(m: Any, y_true: Any, y_pred: Any, **params: Any) -> Any:
        if "reduction" in binding.accepts:
            params["reduction"] = "none"
        return binding.call(m, y_true, y_pred, **params)

    return call


def _accepts(binding: Binding, *, reduction: bool) -> tuple[str, ...]:
    kept = tuple(name for name in binding.accepts if name != "reduction")
    return (*kept, "reduction") if reduction else kept


def losses(change: Losses) -> Plant:
    """A defect in the unreduced losses."""

    def plant(binding: Binding) -> Binding:
        inner = unreduced(binding)

        def call(m: Any, y_true: Any, y_pred: Any, **params: Any) -> Any:
            return change(m, y_true, y_pred, inner(m, y_true, y_pred, **params))

        return replace(binding, call=call, accepts=_accepts(binding, reduction=False))

    return plant


def mean(reduce: Callable[[Any, Any], Any]) -> Plant:
    """A defect in the mean: `reduce(m, losses)` stands in its place."""

    def plant(binding: Binding) -> Binding:
        inner = unreduced(binding)

        def call(m: Any, y_true: Any, y_pred: Any, *, reduction: str = "mean", **params: Any) -> Any:
            found = inner(m, y_true, y_pred, **params)
            return {"mean": lambda each: reduce(m, each), "sum": m.sum}.get(reduction, lambda each: each)(found)

        return replace(binding, call=call, accepts=_accepts(binding, reduction=True))

    return plant


def arguments(change: Callable[[Any, Any, Any], tuple[Any, Any]]) -> Plant:
    """A defect in what the binding is handed: (m, y_true, y_pred) -> (y_true, y_pred)."""

    def plant(binding: Binding) -> Binding:
        def call(m: Any, y_true: Any, y_pred: Any, **params: Any) -> Any:
            return binding.call(m, *change(m, y_true, y_pred), **params)

        return replace(binding, call=call)

    return plant


def forced(**values: Any) -> Plant:
    """Parameters that are accepted and then not heeded; None leaves the parameter out."""

    def plant(binding: Binding) -> Binding:
        def call(m: Any, y_true: Any, y_pred: Any, **params: Any) -> Any:
            together = {**params, **values}
            return binding.call(m, y_true, y_pred, **{k: v for k, v in together.items() if v is not None})

        return replace(binding, call=call)

    return plant


def params(change: Callable[[dict[str, Any]], Mapping[str, Any]]) -> Plant:
    """Parameters confused with each other."""

    def plant(binding: Binding) -> Binding:
        def call(m: Any, y_true: Any, y_pred: Any, **given: Any) -> Any:
            return binding.call(m, y_true, y_pred, **change(given))

        return replace(binding, call=call)

    return plant


def instead(call: Call) -> Plant:
    """Another formula of unreduced losses (or of the whole batch) altogether."""
    return lambda binding: replace(binding, call=call, accepts=_accepts(binding, reduction=False))


def reduced_instead(call: Call) -> Plant:
    """Another formula that takes every parameter the binding takes."""
    return lambda binding: replace(binding, call=call)


# --- pieces that need a framework's own operations -------------------------------------------------


def stop(m: Any, a: Any) -> Any:
    """The same numbers, without a gradient."""
    if hasattr(m, "torch"):
        return a.detach()
    return m.tf.stop_gradient(a) if hasattr(m, "tf") else m.jax.lax.stop_gradient(a)


def narrow(m: Any, a: Any, dtype: str) -> Any:
    """To a narrower format and back."""
    if hasattr(m, "torch"):
        return a.to(getattr(m.torch, dtype)).to(a.dtype)
    if hasattr(m, "tf"):
        return m.tf.cast(m.tf.cast(a, dtype), a.dtype)
    return a.astype(dtype).astype(a.dtype)


def nan_to_zero(m: Any, a: Any) -> Any:
    """NaN swallowed."""
    return m.where(a == a, a, 0.0)


def scaled_gradient(m: Any, each: Any, factor: Any) -> Any:
    """The same value with a gradient of `factor` times the right one."""
    return factor * each + stop(m, each - factor * each)


def frozen_where(m: Any, condition: Any, each: Any) -> Any:
    """The same value, with no gradient where the condition holds."""
    return m.where(condition, stop(m, each), each)


def straight_through(m: Any, seen: Any, behind: Any) -> Any:
    """The value of one, the gradient of the other."""
    return behind + stop(m, seen - behind)


def naive_logsumexp(m: Any, a: Any) -> Any:
    """Without the shift by the largest."""
    return m.log(m.sum(m.exp(a), axis=-1))


def elements(a: Any) -> float:
    """How many numbers an array holds."""
    count = 1.0
    for length in a.shape:
        count *= float(length)
    return count
