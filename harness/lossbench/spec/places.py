"""Where a loss stands in its suite file, for whoever points at a line: an editor, a code-scanning view."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lossbench.spec.catalogue import Catalogue


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A line of a file, counted from 1."""

    file: Path
    line: int


def of_binding(known: Catalogue, loss: str, backend: str, binding: str) -> Place | None:
    """The line of a spelling, or of its loss where the spelling is built elsewhere; None for an unknown loss."""
    if loss not in known.files:
        return None
    file = known.files[loss]
    own = getattr(known.losses[loss], "line", 0)
    start, end = (own, own) if own else _defined(file, loss)
    spelled = [b for b in known.losses[loss].bindings_of(backend) if b.name == binding]
    for code in (getattr(b.call, "__code__", None) for b in spelled):
        if code is not None and Path(code.co_filename) == file and start <= code.co_firstlineno <= end:
            return Place(file=file, line=code.co_firstlineno)
    return Place(file=file, line=start)


def _defined(file: Path, loss: str) -> tuple[int, int]:
    """First and last line of the call that makes the loss; the file's first line where no call names it."""
    return next(((first, last) for name, first, last in _named(file) if name == loss), (1, 1))


@cache
def _named(file: Path) -> tuple[tuple[str, int, int], ...]:
    return tuple(_calls(ast.parse(file.read_bytes())))


def _calls(tree: ast.AST) -> Iterator[tuple[str, int, int]]:
    """(name, first line, last line) of every call with a literal `name=`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            for keyword in node.keywords:
                if keyword.arg == "name" and isinstance(keyword.value, ast.Constant):
                    yield str(keyword.value.value), node.lineno, node.end_lineno or node.lineno
