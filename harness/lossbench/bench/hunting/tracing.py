"""A binding's call as the text of what it does: every access, call and operator on a traced value is noted down.

The values are real, so shapes, dtypes and branches are those of the inputs at hand; what comes out is a straight
line of the framework's own calls with every parameter filled in.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

PLAIN: Final = (str, bool, int, float, type(None), np.generic)
BINARY: Final = {
    "add": "+", "sub": "-", "mul": "*", "truediv": "/", "pow": "**", "matmul": "@", "floordiv": "//", "mod": "%",
    "and": "&", "or": "|", "xor": "^",
}  # fmt: skip
COMPARED: Final = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}
UNARY: Final = {"neg": "-", "invert": "~", "abs": "abs"}


@dataclass(eq=False, slots=True)
class Node:
    """A piece of source: text and other nodes in turn. named: worth a name of its own where used twice."""

    parts: tuple[Any, ...]
    named: bool = True
    uses: int = field(default=0)


class Traced:
    """A real value with the node that spells it."""

    __slots__ = ("_node", "_real")

    def __init__(self, real: Any, node: Node | str) -> None:
        self._real = real
        self._node = Node((node,), named=False) if isinstance(node, str) else node

    def __getattr__(self, name: str) -> Any:
        named = self._node.named and not callable(getattr(self._real, name))
        return wrapped(getattr(self._real, name), Node((self._node, f".{name}"), named=named))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        result = self._real(*map(real, args), **{name: real(value) for name, value in kwargs.items()})
        given: list[Any] = []
        for value in args:
            given += [", ", spelt(value)]
        for name, value in kwargs.items():
            given += [", ", f"{name}=", spelt(value)]
        return wrapped(result, Node((self._node, "(", *given[1:], ")")))

    def __getitem__(self, key: Any) -> Any:
        return wrapped(self._real[real(key)], Node((self._node, "[", spelt_key(key), "]")))

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self._real)))

    def __len__(self) -> int:
        return len(self._real)

    def __bool__(self) -> bool:
        return bool(self._real)

    def __float__(self) -> float:
        return float(self._real)

    def __int__(self) -> int:
        return int(self._real)

    def __hash__(self) -> int:
        return id(self)

    def __instancecheck__(self, other: Any) -> bool:
        return isinstance(real(other), self._real)


def _install() -> None:
    def both(name: str, sign: str, *, swapped: bool) -> Callable[[Traced, Any], Any]:
        function = getattr(operator, f"{name}_" if name in ("and", "or") else name)

        def operate(self: Traced, other: Any) -> Any:
            a, b = (other, self) if swapped else (self, other)
            return wrapped(function(real(a), real(b)), Node(("(", spelt(a), f" {sign} ", spelt(b), ")")))

        return operate

    def alone(name: str, sign: str) -> Callable[[Traced], Any]:
        function = getattr(operator, name)
        opening, closing = ("abs(", ")") if sign == "abs" else (f"({sign}", ")")
        return lambda self: wrapped(function(self._real), Node((opening, spelt(self), closing)))

    for name, sign in {**BINARY, **COMPARED}.items():
        setattr(Traced, f"__{name}__", both(name, sign, swapped=False))
    for name, sign in BINARY.items():
        setattr(Traced, f"__r{name}__", both(name, sign, swapped=True))
    for name, sign in UNARY.items():
        setattr(Traced, f"__{name}__", alone(name, sign))


_install()


def real(value: Any) -> Any:
    """The value itself, inside containers too."""
    if isinstance(value, Traced):
        return value._real
    if type(value) in (list, tuple):
        return type(value)(map(real, value))
    if type(value) is dict:
        return {name: real(item) for name, item in value.items()}
    if isinstance(value, slice):
        return slice(real(value.start), real(value.stop), real(value.step))
    return value


def wrapped(value: Any, node: Node) -> Any:
    """Numbers, texts and shapes stay plain; a sequence becomes one of traced items; all else is traced."""
    if isinstance(value, PLAIN) or type(value).__name__ in ("TensorShape", "Size"):
        return value
    if isinstance(value, tuple | list) and all(isinstance(item, PLAIN) for item in value):
        return value
    if type(value) in (list, tuple):
        return type(value)(wrapped(item, Node((node, f"[{i}]"))) for i, item in enumerate(value))
    return Traced(value, node)


def spelt(value: Any) -> Node | str:
    """The source of an argument."""
    if isinstance(value, Traced):
        return value._node
    if isinstance(value, list | tuple):
        parts: list[Any] = []
        for item in value:
            parts += [", ", spelt(item)]
        opening, closing = ("[", "]") if isinstance(value, list) else ("(", ",)" if len(value) == 1 else ")")
        return Node((opening, *parts[1:], closing), named=False)
    if isinstance(value, np.ndarray):
        return spelt(value.tolist())
    if isinstance(value, np.dtype):
        return repr(value.name)
    if isinstance(value, np.generic):
        return spelt(value.item())
    if isinstance(value, float) and value - value != 0:
        return f'float("{value}")'
    return repr(value)


def spelt_key(key: Any) -> Node | str:
    """The source of what stands between square brackets."""
    if isinstance(key, tuple) and key:
        parts: list[Any] = []
        for item in key:
            parts += [", ", spelt_key(item)]
        return Node((*parts[1:], *((",",) if len(key) == 1 else ())), named=False)
    if isinstance(key, slice):
        ends = [spelt(end) if end is not None else "" for end in (key.start, key.stop)]
        step = () if key.step is None else (":", spelt(key.step))
        return Node((ends[0], ":", ends[1], *step), named=False)
    return "..." if key is Ellipsis else spelt(key)


def statements(result: Traced) -> list[str]:
    """The source: one assignment for each value used twice, and an expression as the last line."""
    root = spelt(result)
    assert isinstance(root, Node)
    _count(root)
    lines: list[str] = []
    names: dict[int, str] = {}

    def text(part: Node | str) -> str:
        if isinstance(part, str):
            return part
        if id(part) in names:
            return names[id(part)]
        source = "".join(map(text, part.parts))
        if part.uses > 1 and part.named and part is not root:
            names[id(part)] = f"t{len(names) + 1}"
            lines.append(f"{names[id(part)]} = {_bare(source)}")
            return names[id(part)]
        return source

    last = _bare(text(root))
    return [*lines, last]


def _count(node: Node) -> None:
    node.uses += 1
    if node.uses == 1:
        for part in node.parts:
            if isinstance(part, Node):
                _count(part)


def _bare(source: str) -> str:
    """Without the parentheses around the whole."""
    if not (source.startswith("(") and source.endswith(")")):
        return source
    depth = 0
    for place, character in enumerate(source):
        depth += (character == "(") - (character == ")")
        if depth == 0 and place < len(source) - 1:
            return source
    return source[1:-1]
