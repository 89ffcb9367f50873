"""The code of a binding as a reader wants it: one expression or function, with what was filled in filled in.

Bindings are often closures over the name of a framework function; the name is put where it is used,
so that the report shows `m.F.huber_loss(...)` and not the factory that made it.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any


def code(call: Callable[..., Any]) -> str:
    """Source of a binding's call; empty where there is none to be had (built in, or made at run time)."""
    while isinstance(call, partial):
        call = call.func
    try:
        path, line = inspect.getsourcefile(call), call.__code__.co_firstlineno
    except (TypeError, AttributeError):
        return ""
    node = _node(_definitions(path).get((line, call.__name__ == "<lambda>"), []), call) if path else None
    if node is None:
        return ""
    filled = _Fill(_constants(call)).visit(ast.parse(ast.unparse(node)).body[0])
    return ast.unparse(ast.fix_missing_locations(filled))


Definition = ast.FunctionDef | ast.Lambda


@cache
def _definitions(path: str) -> dict[tuple[int, bool], list[Definition]]:
    """Functions of a file by (first line, whether it is a lambda); none where it cannot be read."""
    found: dict[tuple[int, bool], list[Definition]] = {}
    try:
        tree = ast.parse(Path(path).read_text(encoding="utf-8"))
    except (OSError, SyntaxError, UnicodeDecodeError):
        return found
    for node in ast.walk(tree):
        if isinstance(node, Definition):
            first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
            found.setdefault((first, isinstance(node, ast.Lambda)), []).append(node)
    return found


def _node(found: list[Definition], call: Callable[..., Any]) -> ast.AST | None:
    """The definition; of several lambdas on a line the one with the same parameters."""
    names = list(inspect.signature(call).parameters)
    own = [node for node in found if [a.arg for a in _arguments(node.args)] == names]
    return next(iter(own or found), None)


def _arguments(args: ast.arguments) -> list[ast.arg]:
    extra = [args.vararg] if args.vararg else []
    last = [args.kwarg] if args.kwarg else []
    return [*args.posonlyargs, *args.args, *extra, *args.kwonlyargs, *last]


def _constants(call: Callable[..., Any]) -> dict[str, Any]:
    """Closed-over values that have a literal."""
    names = getattr(getattr(call, "__code__", None), "co_freevars", ())
    cells = getattr(call, "__closure__", None) or ()
    found = {}
    for name, cell in zip(names, cells, strict=True):
        try:
            value = cell.cell_contents
        except ValueError:  # not assigned yet
            continue
        if isinstance(value, str | int | float | bool | type(None)):
            found[name] = value
    return found


class _Fill(ast.NodeTransformer):
    def __init__(self, constants: dict[str, Any]) -> None:
        self._constants = constants

    def visit_arg(self, node: ast.arg) -> ast.AST:
        """Annotations say `Any` throughout: noise here."""
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        if ast.get_docstring(node) and len(node.body) > 1:
            node.body = node.body[1:]
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """`getattr(m.F, function)` is `m.F.huber_loss` where `function` is closed over."""
        self.generic_visit(node)
        match node:
            case ast.Call(func=ast.Name(id="getattr"), args=[holder, ast.Name(id=variable)]):
                name = self._constants.get(variable)
            case ast.Call(func=ast.Name(id="getattr"), args=[holder, ast.Constant(value=name)]):
                pass
            case _:
                return node
        if not (isinstance(name, str) and name.isidentifier()):
            return node
        return ast.Attribute(value=holder, attr=name, ctx=ast.Load())
