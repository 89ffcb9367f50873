"""A plain function as a Loss: judged against the loss it is marked to be `like`, otherwise on its own.

The process that plans has the same losses, names and ids as the worker that runs them, without the callables.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, NoReturn

from lossbench.spec import domains
from lossbench.spec.errors import BadInput
from lossbench.spec.functions import Function
from lossbench.spec.loss import GENERIC_PARAMETERS, Binding, Loss, Scalar

BINDING = "user"


@dataclass(frozen=True, slots=True, kw_only=True)
class UserLoss(Loss):
    """A Loss made of a function.

    like: the name of the loss it should agree with; empty where nothing says what it should be, and then
    `reference` raises BadInput and only its own gradient, dtype, shape and time can be checked.
    file, line: where it is written.
    """

    like: str = ""
    file: str = ""
    line: int = 0

    @property
    def judged(self) -> bool:
        """Whether there is a definition to judge it by."""
        return bool(self.like)


def user_loss(
    function: Function, *, name: str, file: str, target: Loss | None, obj: Callable[..., Any] | None
) -> UserLoss:
    """The Loss of a function; obj: the function itself, None where its file may not be imported here."""
    bindings = tuple(
        Binding(
            backend=backend,
            name=BINDING,
            call=_absent if obj is None else _adapted(function, obj),
            docs=(f"{file}:{function.line}",),
            unit="element" if target is None else target.unit,
            accepts=tuple(n for n in _params(function, target) if n not in GENERIC_PARAMETERS),
            differs="takes (y_pred, y_true)" if function.reversed else "",
        )
        for backend in function.backends
    )
    place = f"{file}:{function.line}"
    if target is None:
        return UserLoss(
            name=name,
            title=function.name.replace("_", " "),
            summary=function.summary or f"The function {function.name} of {place}.",
            formula=rf"\mathrm{{{function.name.replace('_', chr(92) + '_')}}}(y, p)",
            source=place,
            inputs=MappingProxyType({"y_true": domains.REAL, "y_pred": domains.REAL}),
            params=MappingProxyType(dict(function.defaults)),
            reference=_no_reference(name, place),
            bindings=bindings,
            file=file,
            line=function.line,
        )
    unknown = [n for n in function.like_params if n not in target.known_params]
    if unknown:
        raise BadInput(
            subject=f"like({target.name!r}) at {place}",
            expected=f"parameters among {', '.join(target.known_params)}",
            received=", ".join(unknown),
            remedy="correct the mark",
        )
    params = _params(function, target)
    return UserLoss(
        name=name,
        title=f"{function.name.replace('_', ' ')}, like {target.title}",
        summary=function.summary or target.summary,
        formula=target.formula,
        source=place,
        inputs=target.inputs,
        reference=target.reference,
        bindings=bindings,
        unit=target.unit,
        params=MappingProxyType({n: v for n, v in params.items() if n != "reduction"}),
        accepts=target.accepts,
        reduction=str(params.get("reduction", target.reduction)),
        shapes=target.shapes,
        definitions=target.definitions,
        kinks=target.kinks,
        kink_of=target.kink_of,
        like=target.name,
        file=file,
        line=function.line,
    )


def renamed(loss: UserLoss, name: str) -> UserLoss:
    """The same under another name, where two functions share one."""
    return replace(loss, name=name)


def _params(function: Function, target: Loss | None) -> Mapping[str, Scalar]:
    if target is None:
        return function.defaults
    return {**target.params, **function.like_params}


def _adapted(function: Function, obj: Callable[..., Any]) -> Callable[..., Any]:
    """`call(m, y_true, y_pred, **params)`: the function gets those parameters that it has names for."""
    made: dict[tuple[tuple[str, Any], ...], Callable[..., Any]] = {}

    def call(m: Any, y_true: Any, y_pred: Any, **params: Any) -> Any:  # noqa: ARG001 - it has its own framework
        own = {name: params[name] for name in function.takes if name in params}
        first, second = (y_pred, y_true) if function.reversed else (y_true, y_pred)
        if not function.factory:
            return obj(first, second, **own)
        key = tuple(sorted(own.items()))
        if key not in made:  # once, as a user would
            made[key] = obj(**own)
        return made[key](first, second)

    return call


def _absent(*_: object, **__: object) -> NoReturn:
    raise BadInput(
        subject="a function of a suite file",
        expected="to be called in the worker of its framework",
        received="a call in a process that did not import its file",
        remedy="run it through a lane",
    )


def _no_reference(name: str, place: str) -> Callable[..., Any]:
    def reference(*_: object, **__: object) -> NoReturn:
        raise BadInput(
            subject=f"reference of {name} ({place})",
            expected="a loss that it is like",
            received="a function without a mark",
            remedy='add @like("<loss>") from lossbench to have it judged',
        )

    return reference
