"""How the frameworks' own losses are called, so that what users call is what is compared and timed.

A binding made here has `reduction` among its `accepts`: "mean", "sum" and "none" are the framework's own
reductions, any other value gives the unreduced losses, for lossbench to reduce.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final, Literal

from lossbench import Binding

Call = Callable[..., Any]
Unit = Literal["element", "row", "batch"]

BACKENDS: Final = ("tensorflow", "torch", "jax")
NO_DOCS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({})


def native(reduction: str) -> str:
    """The reduction to ask a framework for: "mean" or "sum", "none" for every other."""
    return reduction if reduction in ("mean", "sum") else "none"


def held_in(text: str) -> tuple[str, ...]:
    """The dtypes of a definition whose constant is as a format holds it: one of 16 bits computes with its own only.

    float32 stays for every dtype: frameworks compute the 16-bit ones in it, and write constants of float64 in it.
    """
    dtype = text.partition("(")[0]
    return (dtype,) if dtype in ("bfloat16", "float16") else ()


@lru_cache(maxsize=256)
def _keras_object(loss_class: Call, reduction: str, floatx: str, options: tuple[tuple[str, Any], ...]) -> Any:  # noqa: ARG001
    """Kept, since users build the object once; it computes in the `floatx` that is set while it is built."""
    return loss_class(reduction=reduction, **dict(options))


def keras_call(class_name: str, *, unit: Unit = "element", ignore: tuple[str, ...] = ()) -> Call:
    """A class of tf.keras.losses, called as documented; `ignore` names parameters that it always honours."""

    def call(m: Any, y_true: Any, y_pred: Any, *, reduction: str = "mean", **params: Any) -> Any:
        asked = native(reduction)
        options = tuple(sorted((name, value) for name, value in params.items() if name not in ignore))
        keras_reduction = "sum_over_batch_size" if asked == "mean" else asked
        loss = _keras_object(getattr(m.keras.losses, class_name), keras_reduction, m.keras.config.floatx(), options)
        if unit == "element" and (asked != "mean" or len(y_pred.shape) == 0):
            # Keras takes the mean over the last axis first: a last axis of one keeps the elements apart
            y_true, y_pred = y_true[..., None], y_pred[..., None]
        return loss(y_true, y_pred)

    return call


def keras(
    class_name: str,
    function: str,
    *,
    unit: Unit = "element",
    aliases: tuple[str, ...] = (),
    accepts: tuple[str, ...] = (),
    ignore: tuple[str, ...] = (),
    differs: str = "",
    definition: str = "exact",
) -> Binding:
    """The Keras spelling: class and, behind it, function; `aliases` are other names of that function."""
    return Binding(
        backend="tensorflow",
        name="keras",
        call=keras_call(class_name, unit=unit, ignore=ignore),
        docs=tuple(f"tf.keras.losses.{name}" for name in (class_name, function, *aliases)),
        unit=unit,
        accepts=("reduction", *accepts),
        differs=differs,
        definition=definition,
    )


def compat(function: str, *, accepts: tuple[str, ...] = (), differs: str = "") -> Binding:
    """A function of tf.compat.v1.losses, with its default reduction for the mean."""

    def call(m: Any, y_true: Any, y_pred: Any, *, reduction: str = "mean", **params: Any) -> Any:
        losses = m.tf.compat.v1.losses
        kinds = {"mean": losses.Reduction.SUM_BY_NONZERO_WEIGHTS, "sum": losses.Reduction.SUM}
        asked = kinds.get(reduction, losses.Reduction.NONE)
        return getattr(losses, function)(y_true, y_pred, reduction=asked, **params)

    return Binding(
        backend="tensorflow",
        name="tf.compat",
        call=call,
        docs=(f"tf.compat.v1.losses.{function}",),
        accepts=("reduction", *accepts),
        differs=f"computes in float32 whatever the inputs' dtype{'; ' + differs if differs else ''}",
    )


def functional(function: str, module: str, *, accepts: tuple[str, ...] = (), differs: str = "") -> Binding:
    """An elementwise function of torch.nn.functional, and the class of torch.nn that calls it."""

    def call(m: Any, y_true: Any, y_pred: Any, *, reduction: str = "mean", **params: Any) -> Any:
        return getattr(m.F, function)(y_pred, y_true, reduction=native(reduction), **params)

    return Binding(
        backend="torch",
        name="functional",
        call=call,
        docs=(f"torch.nn.functional.{function}", f"torch.nn.{module}"),
        accepts=("reduction", *accepts),
        differs=differs,
    )


def optax(function: str, *, unit: Unit = "element", accepts: tuple[str, ...] = (), differs: str = "") -> Binding:
    """A function of optax.losses `(predictions, targets)`; optax leaves the reduction to the caller."""

    def call(m: Any, y_true: Any, y_pred: Any, **params: Any) -> Any:
        return getattr(m.optax.losses, function)(y_pred, y_true, **params)

    return Binding(
        backend="jax",
        name="optax",
        call=call,
        docs=(f"optax.losses.{function}",),
        unit=unit,
        accepts=accepts,
        differs=differs,
    )


def formula(
    call: Call,
    *,
    name: str = "formula",
    unit: Unit = "element",
    accepts: tuple[str, ...] = (),
    differs: str = "",
    definition: str = "exact",
    docs: Mapping[str, tuple[str, ...]] = NO_DOCS,
) -> tuple[Binding, ...]:
    """One formula in each framework's own operations."""
    return tuple(
        Binding(
            backend=backend,
            name=name,
            call=call,
            docs=docs.get(backend, ()),
            unit=unit,
            accepts=accepts,
            differs=differs,
            definition=definition,
        )
        for backend in BACKENDS
    )
