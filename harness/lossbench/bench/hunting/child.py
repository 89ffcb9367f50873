"""`python -m lossbench.bench.hunting.child BACKEND [SUITE...]`: writes reproducers and runs them, one a line of JSON.

A process of its own, since it calls frameworks with inputs that were looked for because they break things.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import os
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from lossbench.bench.hunting import spelling
from lossbench.bench.hunting.tracing import Traced, statements
from lossbench.lanes.backends import backend_class
from lossbench.lanes.backends.base import Backend
from lossbench.lanes.evaluation import Program, placed, plan
from lossbench.lanes.session import RAISED
from lossbench.show.spelling import code
from lossbench.spec import catalogue
from lossbench.spec.loss import Binding, Loss

Message = Mapping[str, Any]


def vocabulary(backend: Backend, dtype: str) -> Any:
    """The backend's own vocabulary, made of traced modules."""
    m: Any = backend.namespace
    kind = type(m)
    if backend.name == "torch":
        made = kind(Traced(m.torch, "torch"))
    elif backend.name == "tensorflow":
        made = kind(Traced(m.tf, "tf"), Traced(m.keras, "keras"))
    else:
        optax = None if m.optax is None else Traced(m.optax, "optax")
        made = kind(Traced(m.jax, "jax"), Traced(m.jnp, "jnp"), optax)
    root = {"torch": "torch", "tensorflow": "tf", "jax": "jnp"}[backend.name]
    made.float_type = Traced(m.float_type, f"{root}.{dtype}")
    return made


def written(backend: Backend, loss: Loss, binding: Binding, request: Message) -> str:
    """The program that shows one witness."""
    dtype = request["dtype"]
    arrays = {
        name: np.asarray(_numbers(values), dtype=np.int32 if loss.inputs[name].integer else np.float64)
        for name, values in request["arrays"].items()
    }
    what = spelling.Shown(quantity=request["quantity"], place=_place(request["place"]))
    backend.begin(dtype)
    further = {name: values for name, values in arrays.items() if name not in ("y_true", "y_pred")}
    given = plan(loss, binding, {**request["params"], **further})
    program = Program(loss, binding, vocabulary(backend, dtype), given, arrays["y_true"], arrays["y_pred"])
    arguments = program.handed_over()
    names = ["y_true", "y_pred", *(_name(argument, further) for argument in arguments[2:])]
    tensors = placed(backend, arguments, dtype, grad=request["quantity"] == "grad")
    traced = [Traced(tensor, name) for name, tensor in zip(names, tensors, strict=True)]
    lines = statements(program.checked(remember=False)(*traced))
    return spelling.program(backend.name, lines, arrays, dtype, what)


def fallback(binding: Binding, request: Message) -> str:
    """Where the call cannot be traced: its source, to be read rather than run."""
    holder = {"torch": "torch", "tensorflow": "tf", "jax": "jax"}[binding.backend]
    source = code(binding.call).replace("m.F.", "torch.nn.functional.").replace("m.", "")
    return f"import {'tensorflow as tf' if holder == 'tf' else holder}\n\n# {json.dumps(request['arrays'])}\n{source}\n"


def run(source: str) -> tuple[str, str]:
    """What a program prints, and the error it ends with."""
    out = io.StringIO()
    try:
        with contextlib.redirect_stdout(out):
            exec(compile(source, "reproducer", "exec"), {"__name__": "__main__"})
    except RAISED as error:
        return out.getvalue(), f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    return out.getvalue(), ""


def answer(backend: Backend, losses: catalogue.Catalogue, request: Message) -> dict[str, Any]:
    """Source, printed, error, traced (whether the source is the call itself)."""
    loss = losses.find(request["loss"])
    binding = next(b for b in loss.bindings_of(backend.name) if b.name == request["binding"])
    try:
        source = written(backend, loss, binding, request)
    except RAISED as error:
        said = f"{type(error).__name__}: {error}"[:300]
        return {"source": fallback(binding, request), "printed": "", "error": said, "traced": False}
    backend.begin("float32")
    printed, fault = run(source)
    return {"source": source, "printed": printed.strip(), "error": fault, "traced": True}


def _numbers(values: Any) -> Any:
    if isinstance(values, Mapping):  # rows that are all alike
        return np.broadcast_to(np.asarray(_numbers(values["row"])), values["shape"])
    if isinstance(values, list):
        return [_numbers(item) for item in values]
    return float(values)


def _place(place: list[int] | None) -> tuple[int, ...] | None:
    return None if place is None else tuple(place)


def _name(argument: Any, further: Mapping[str, Any]) -> str:
    return next(name for name, values in further.items() if values is argument)


def main() -> None:
    """Reads requests until the input ends; what the framework prints goes to stderr."""
    book = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    name, *suites = sys.argv[1:]
    found = backend_class(name)
    backend = found(threads=1, device="cpu")
    import_module(found.module)
    losses = catalogue.load([Path(path) for path in suites])
    book.write(json.dumps({"versions": backend.versions()}) + "\n")
    book.flush()
    for line in sys.stdin:
        book.write(json.dumps(answer(backend, losses, json.loads(line))) + "\n")
        book.flush()


def listed(text: str) -> Any:
    """What a program printed, as numbers, NaN as None; an empty text where it printed something else."""
    try:
        return ast.literal_eval(text.replace("nan", "None").replace("inf", "1e999"))
    except (ValueError, SyntaxError):
        return ""


if __name__ == "__main__":
    main()
