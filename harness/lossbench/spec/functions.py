"""Somebody else's loss as a plain function `(y_true, y_pred)`, or a factory that returns one.

Recognising them reads names, signatures and the modules a function refers to; it never calls anything,
since a file may also hold a `main()`.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final, TypeVar

from lossbench.spec.errors import BadInput
from lossbench.spec.loss import Scalar

FRAMEWORKS: Final[Mapping[str, str]] = {
    "tensorflow": "tensorflow",
    "keras": "tensorflow",
    "tf_keras": "tensorflow",
    "torch": "torch",
    "torchvision": "torch",
    "jax": "jax",
    "jaxlib": "jax",
    "flax": "jax",
    "optax": "jax",
}
"""Top-level module -> backend."""

BACKENDS: Final = ("tensorflow", "torch", "jax")

_MARK = "__lossbench_like__"
_TRUE = re.compile(r"true|target|label|actual|truth|^gt$|^y$|^t$", re.IGNORECASE)
_PRED = re.compile(r"pred|hat|logit|output|input|^p$|^x$|^yp$", re.IGNORECASE)

_F = TypeVar("_F", bound=Callable[..., Any])


def like(name: str, /, *, backend: str = "", **params: Scalar) -> Callable[[_F], _F]:
    """Mark a function as an implementation of a catalogue loss; changes nothing else about it.

    name: the loss it should agree with, with `params` in place of its defaults. backend: the framework
    it is written in, where the modules it uses do not say so.
    """

    def mark(function: _F) -> _F:
        setattr(function, _MARK, (name, dict(params), backend))
        return function

    return mark


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """One function of a suite file, as data: what a process that may not import the file needs to know.

    takes: the names of its own parameters beyond the two arrays (of the factory, for a factory);
    defaults: those that have a scalar default. backends: all, where it uses no framework at all.
    reversed: whether the prediction comes first.
    """

    name: str
    line: int
    backends: tuple[str, ...]
    factory: bool = False
    reversed: bool = False
    takes: tuple[str, ...] = ()
    defaults: Mapping[str, Scalar] = field(default_factory=dict)
    like: str = ""
    like_params: Mapping[str, Scalar] = field(default_factory=dict)
    summary: str = ""


def functions(module: ModuleType, path: Path) -> tuple[dict[str, Function], list[str]]:
    """The losses among a module's own functions, by name, and why each other function is none."""
    found: dict[str, Function] = {}
    passed_over: list[str] = []
    tree = ast.parse(path.read_bytes(), filename=str(path))
    said = str(getattr(module, "BACKEND", ""))
    for name, line, node in _definitions(tree):
        obj = getattr(module, name, None)
        plain = unwrapped(obj)
        if name.startswith("_") or plain is None or plain.__code__.co_filename != module.__file__:
            continue
        mark, params, backend = _mark(obj)
        shape = _shape(plain, node, marked=bool(mark), given=params)
        if isinstance(shape, str):
            passed_over.append(f"{name} (line {line}): {shape}")
            continue
        factory, pred_first, takes, defaults = shape
        backends = _backends(backend or said, f"{path}:{line}", obj, plain, tree)
        found[name] = Function(
            name=name,
            line=line,
            backends=backends,
            factory=factory,
            reversed=pred_first,
            takes=takes,
            defaults=defaults,
            like=mark,
            like_params=params,
            summary=(inspect.getdoc(plain) or "").split("\n")[0],
        )
    return found, passed_over


def unwrapped(obj: Any) -> FunctionType | None:
    """The Python function inside decorators such as tf.function and jax.jit, or None."""
    if not callable(obj) or isinstance(obj, type):
        return None
    inner = inspect.unwrap(obj)
    inner = getattr(inner, "python_function", inner)
    return inner if isinstance(inner, FunctionType) else None


def _definitions(tree: ast.Module) -> Iterator[tuple[str, int, ast.AST | None]]:
    """Top-level functions, and names assigned once (to a lambda, or to what a factory returned)."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name, node.lineno, node
        elif isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            yield node.targets[0].id, node.lineno, None


def _mark(obj: Any) -> tuple[str, dict[str, Scalar], str]:
    while obj is not None:
        if _MARK in getattr(obj, "__dict__", {}):
            name, params, backend = getattr(obj, _MARK)
            return name, params, backend
        obj = getattr(obj, "__wrapped__", None)
    return "", {}, ""


def _shape(
    function: FunctionType, node: ast.AST | None, *, marked: bool, given: Mapping[str, Scalar]
) -> tuple[bool, bool, tuple[str, ...], dict[str, Scalar]] | str:
    """Factory or not, swapped or not, further parameters and their defaults; or why it is no loss."""
    parameters = list(inspect.signature(function).parameters.values())
    if any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters):
        return "it takes * or ** arguments"
    required = [p.name for p in parameters if p.default is p.empty]
    defaults: dict[str, Scalar] = {
        p.name: p.default for p in parameters if isinstance(p.default, float | int | bool | str)
    }
    inner = _returned(node)
    if inner is not None and all(name in given for name in required):
        if not marked and not recognisable(inner):
            return f"the function that it returns takes {inner}, which do not read as (y_true, y_pred)"
        return True, swapped(inner), tuple(p.name for p in parameters), defaults
    if inner is not None and not (len(required) == 2 and recognisable(tuple(required))):
        return f"a factory whose parameters {tuple(required)} have no default"
    names = tuple(p.name for p in parameters)[:2]
    if len(required) != 2 or tuple(required) != names:
        return f"it takes {len(required)} arguments without a default, a loss takes y_true and y_pred"
    if not marked and not recognisable(names):
        return f"its parameters {names} do not read as (y_true, y_pred)"
    return False, swapped(names), tuple(p.name for p in parameters[2:]), defaults


def _returned(node: ast.AST | None) -> tuple[str, ...] | None:
    """The two parameter names of the function that a factory's last statement returns, or None."""
    if not isinstance(node, ast.FunctionDef) or not isinstance(node.body[-1], ast.Return):
        return None
    value = node.body[-1].value
    inner = {n.name: n for n in node.body if isinstance(n, ast.FunctionDef)}
    made = value if isinstance(value, ast.Lambda) else inner.get(value.id) if isinstance(value, ast.Name) else None
    if made is None or len(made.args.args) - len(made.args.defaults) != 2:
        return None
    return tuple(a.arg for a in made.args.args[:2])


def recognisable(names: tuple[str, ...]) -> bool:
    """Whether two parameter names read as a target and a prediction, in either order."""
    first, second = names
    return bool(_TRUE.search(first) and _PRED.search(second)) or swapped(names)


def swapped(names: tuple[str, ...]) -> bool:
    """Whether two parameter names read as a prediction and then a target."""
    first, second = names
    straight = _TRUE.search(first) and _PRED.search(second)
    return bool(not straight and _PRED.search(first) and _TRUE.search(second))


def _backends(said: str, place: str, obj: Any, function: FunctionType, tree: ast.Module) -> tuple[str, ...]:
    if said:
        if FRAMEWORKS.get(said) is None:
            raise BadInput(
                subject=f"backend of {place}",
                expected=f"one of {', '.join(BACKENDS)}",
                received=repr(said),
                remedy="correct BACKEND or like(..., backend=)",
            )
        return (FRAMEWORKS[said],)
    seen = used(function) | {backend_of(type(obj).__module__)}
    seen = seen - {""} or {backend_of(root) for root in imported(tree)}
    return tuple(b for b in BACKENDS if b in seen) or BACKENDS


def imported(tree: ast.Module) -> set[str]:
    """The top-level names of every absolute import in a file."""
    roots: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            roots |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            roots.add("." if node.level else str(node.module).split(".")[0])
    return roots


def backend_of(module_name: str | None) -> str:
    """The backend that a module belongs to, or an empty string."""
    return FRAMEWORKS.get(str(module_name).split(".")[0], "")


def used(function: FunctionType, seen: set[int] | None = None) -> set[str]:
    """The backends of the modules that a function refers to, through other functions of its own file too."""
    seen, file = set() if seen is None else seen, function.__code__.co_filename
    if id(function) in seen:
        return set()
    seen.add(id(function))
    backends: set[str] = set()
    cells = [c.cell_contents for c in function.__closure__ or () if c.cell_contents is not function]
    for name in _names(function.__code__):
        if name not in function.__globals__:
            backends.add(backend_of(name))  # an import inside the function
            continue
        cells.append(function.__globals__[name])
    for value in cells:
        inner = unwrapped(value)
        if inner is not None and inner.__code__.co_filename == file:
            backends |= used(inner, seen)
        else:
            backends.add(backend_of(value.__name__ if isinstance(value, ModuleType) else _home(value)))
    return backends - {""}


def _home(value: object) -> str:
    return str(getattr(value, "__module__", None) or type(value).__module__)


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
