"""What a framework itself says that a call does, as far as it says it: counts repeat exactly where times do not.

Each function is given its framework by the backend, and answers with columns of the cells table. A kernel is what
that framework calls one: an aten operation that PyTorch dispatches (views left out), an instruction of XLA's
optimised program, a node of TensorFlow's traced graph. They compare within one. PyTorch's compiler is not asked: what
it counts is what it generated, which is nothing where a program comes from its cache.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

Counts = Mapping[str, int | str]

UNCOUNTED: Final[Counts] = {}
NO_KERNELS: Final = frozenset({"parameter", "constant", "tuple", "get-tuple-element", "bitcast"})
NO_NODES: Final = frozenset({"Placeholder", "Const", "Identity", "NoOp", "IdentityN"})
_INSTRUCTION: Final = re.compile(r"^\s+(?:ROOT )?\S+ = .*?([a-z][a-z0-9-]*)\(")


def dispatched(torch: Any, call: Callable[..., Any], arguments: tuple[Any, ...]) -> Counts:
    """Calls once and counts what PyTorch's dispatcher runs, and the bytes of the tensors that go in and come out."""
    seen = {"own_kernels": 0, "own_bytes": 0}

    class Watching(torch.utils._python_dispatch.TorchDispatchMode):  # type: ignore[misc]
        def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            result = function(*args, **(kwargs or {}))
            if not function.is_view:
                seen["own_kernels"] += 1
                for tensor in _tensors(torch.Tensor, (args, kwargs, result)):
                    held = tensor.untyped_storage().nbytes()  # fewer where numbers are repeated by a stride of 0
                    seen["own_bytes"] += min(tensor.numel() * tensor.element_size(), held)
            return result

    with Watching():
        call(*arguments)
    return {**seen, "counted_by": "PyTorch: aten operations dispatched, their tensors"}


def _tensors(kind: type, found: Any) -> Iterator[Any]:
    if isinstance(found, kind):
        yield found
    elif isinstance(found, Mapping):
        yield from _tensors(kind, tuple(found.values()))
    elif isinstance(found, list | tuple):
        for each in found:
            yield from _tensors(kind, each)


def xla(call: Any, arguments: tuple[Any, ...]) -> Counts:
    """Of a jitted function that has been called: XLA's cost analysis of the program that runs."""
    program = call.lower(*arguments).compile()
    cost = program.cost_analysis()
    cost = cost[0] if isinstance(cost, list) else cost
    return {
        "own_kernels": instructions(program.as_text()),
        "own_bytes": int(cost.get("bytes accessed", 0)),
        "own_operations": int(cost.get("flops", 0)),
        "counted_by": "XLA: instructions of its optimised program, cost analysis",
    }


def instructions(text: str) -> int:
    """Of a program's entry, those that compute."""
    entry = text.partition("\nENTRY ")[2].partition("\n}")[0]
    found = (_INSTRUCTION.match(line) for line in entry.splitlines()[1:])
    return sum(1 for one in found if one and one[1] not in NO_KERNELS)


def nodes(call: Any, arguments: tuple[Any, ...]) -> Counts:
    """Of a tf.function that has been called: nodes of its graph that compute."""
    graph = call.get_concrete_function(*arguments).graph
    return {
        "own_kernels": sum(1 for node in graph.get_operations() if node.type not in NO_NODES),
        "counted_by": "TensorFlow: nodes of the traced graph",
    }
