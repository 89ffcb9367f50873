"""A callable that exists already, described as `functions` describes one in a file: for a test of somebody's own."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any

from lossbench.spec.errors import BadInput
from lossbench.spec.functions import BACKENDS, FRAMEWORKS, Function, backend_of, recognisable, swapped, unwrapped, used
from lossbench.spec.loss import Scalar


def described(
    obj: Callable[..., Any],
    *,
    like: str = "",
    params: Mapping[str, Scalar] | None = None,
    backend: str = "",
    pred_first: bool | None = None,
) -> Function:
    """A function, method, lambda or object with `__call__` or `forward`, as data; it is not called.

    pred_first: whether the prediction is the first argument, where the parameters' names do not tell.
    BadInput where order or framework cannot be known.
    """
    name = str(getattr(obj, "__name__", type(obj).__name__))
    parameters = _parameters(obj)
    names = tuple(parameters)[:2]
    if pred_first is None:
        if len(names) < 2 or not recognisable((names[0], names[1])):
            raise BadInput(
                subject=f"the loss {name}",
                expected="two first parameters that read as a target and a prediction, such as (y_true, y_pred)",
                received=f"({', '.join(names)})",
                remedy="rename them, or say pred_first=True or pred_first=False",
            )
        pred_first = swapped((names[0], names[1]))
    own = {n: p.default for n, p in list(parameters.items())[2:]}
    plain = unwrapped(obj)
    return Function(
        name=name if name.isidentifier() else "loss",
        line=plain.__code__.co_firstlineno if plain else 0,
        backends=(_backend(obj, name, backend),),
        reversed=pred_first,
        takes=tuple(own) if plain else (),
        defaults={n: value for n, value in own.items() if plain and isinstance(value, float | int | bool | str)},
        like=like,
        like_params=dict(params or {}),
        summary=(inspect.getdoc(plain) or "").split("\n")[0] if plain else "",
    )


def _parameters(obj: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(getattr(obj, "forward", obj)).parameters
    except (TypeError, ValueError):  # built in: nothing says what it takes
        return {}


def _backend(obj: Any, name: str, said: str) -> str:
    """The framework it is written in; for plain arithmetic the one that this process has, or could have."""
    if said:
        if said not in FRAMEWORKS:
            raise BadInput(
                subject=f"backend of {name}", expected=f"one of {', '.join(BACKENDS)}", received=repr(said),
                remedy="correct backend=",
            )  # fmt: skip
        return FRAMEWORKS[said]
    kinds = type(obj).__mro__ if unwrapped(obj) is None else ()
    homes = {getattr(obj, "__module__", ""), *(kind.__module__ for kind in kinds)}
    found = {_of(str(home)) for home in homes} - {""}
    plain = unwrapped(obj)
    if not found and plain is not None:
        found = used(plain) or _annotated(plain)
    if len(found) > 1:
        raise BadInput(
            subject=f"the loss {name}", expected="one framework", received=" and ".join(sorted(found)),
            remedy="say backend=, one of these",
        )  # fmt: skip
    imported = [b for b in BACKENDS if b in sys.modules]
    there = [*found, *imported, *(b for b in BACKENDS if find_spec(b))]
    if not there:
        raise BadInput(
            subject=f"the loss {name}", expected="TensorFlow, PyTorch or JAX", received="none installed",
            remedy="install one",
        )  # fmt: skip
    return there[0]


def _annotated(plain: Callable[..., Any]) -> set[str]:
    """The frameworks that the types of its parameters belong to."""
    types = getattr(plain, "__annotations__", {}).values()
    return {_of(kind if isinstance(kind, str) else getattr(kind, "__module__", "")) for kind in types} - {""}


def _of(module_name: str) -> str:
    """Keras belongs to the backend that it was started with."""
    keras = sys.modules.get("keras")
    if module_name.partition(".")[0] == "keras" and keras is not None:
        return str(keras.config.backend())
    return backend_of(module_name)
