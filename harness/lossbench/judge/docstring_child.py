"""Docstrings of a framework's losses, extracted and run in a child process with that framework in it.

The child is this module run as a program: the parent imports no framework and survives what an example does.
"""

from __future__ import annotations

import ast
import contextlib
import doctest
import io
import json
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import version
from typing import Any, Final

from lossbench.spec import inherited


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a framework documents its losses. names: which of a module's; preamble: what its examples assume."""

    package: str
    modules: tuple[str, ...]
    preamble: str
    names: str = r"[A-Za-z]\w*"


PLACES: Final[dict[str, Place]] = {
    "tensorflow": Place(
        package="keras", modules=("keras.losses",), preamble="import numpy as np\nimport keras\nimport tensorflow as tf"
    ),
    "torch": Place(
        package="torch",
        modules=("torch.nn", "torch.nn.functional"),
        preamble="import torch\nimport torch.nn as nn\nimport torch.nn.functional as F",
        names=r"\w*(loss|Loss|cross_entropy|cosine_similarity|CosineSimilarity)\w*",
    ),
    "jax": Place(
        package="optax",
        modules=("optax.losses",),
        preamble="import jax\nimport jax.numpy as jnp\nimport numpy as np\nimport optax",
    ),
}
"""By backend: the library whose losses it is measured by."""

_FENCED: Final = re.compile(r"^([ \t]*)```(?:python)?\n(.*?)^[ \t]*```", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """One example. want: what the docstring prints below it. printed: what it prints now. assigned: what a final
    assignment holds. sketch: it names what the text never defines. error: type and message."""

    name: str
    package: str
    aliases: tuple[str, ...] = ()
    source: str
    want: str = ""
    printed: str = ""
    assigned: str = ""
    sketch: bool = False
    error: str = ""


def run(backend: str, *, python: str = sys.executable, limit_seconds: float = 120.0) -> list[Ran]:
    """Every example of a backend's losses. Where the child dies or exceeds the limit, the last row says so."""
    place = PLACES[backend]
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu"}
    environment = {**inherited.environ(), **quiet}
    command = [python, "-W", "ignore", "-m", "lossbench.judge.docstring_child", backend]
    ending = ""
    try:
        child = subprocess.run(
            command, capture_output=True, text=True, timeout=limit_seconds, env=environment, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        output = child.stdout
        if child.returncode:
            ending = f"the interpreter ended with status {child.returncode}"
    except subprocess.TimeoutExpired as late:
        seen = late.stdout or b""
        output = seen.decode() if isinstance(seen, bytes) else seen
        ending = f"not reached within {limit_seconds:g} s"
    found = [_read(line) for line in output.splitlines() if line.startswith("{")]
    if ending:
        found.append(Ran(name=place.modules[0], package=place.package, source="the rest", error=ending))
    return found


def _read(line: str) -> Ran:
    values: dict[str, Any] = json.loads(line)
    return Ran(**{**values, "aliases": tuple(values["aliases"])})


def documented(place: Place) -> Iterator[tuple[str, tuple[str, ...], str]]:
    """Qualified name, aliases and docstring of each public loss of a place; one object once."""
    found: dict[int, list[str]] = {}
    texts: dict[int, str] = {}
    for module_name in place.modules:
        module = import_module(module_name)
        for name in sorted(vars(module)):
            thing = getattr(module, name)
            if not re.fullmatch(place.names, name) or not callable(thing) or not getattr(thing, "__doc__", None):
                continue
            found.setdefault(id(thing), []).append(f"{module_name}.{name}")
            texts[id(thing)] = str(thing.__doc__)
    for key, names in found.items():
        own = max(names, key=len)  # mean_squared_error rather than MSE
        yield own, tuple(n for n in names if n != own), texts[key]


def examples(text: str) -> Iterator[tuple[str, str, bool]]:
    """Source, printed output and whether it is a sketch (a fenced block without prompts), in a docstring's order."""
    prompts = []
    with contextlib.suppress(ValueError):  # a prompt without its blank: nothing that doctest could read
        prompts = doctest.DocTestParser().get_examples(text)
    for source, want in _whole([(e.source, e.want.replace("```", "")) for e in prompts]):
        if not source.lstrip().startswith("#"):
            yield source, want, False
    for block in _FENCED.finditer(text):
        source = textwrap.dedent(block[1] + block[2].removeprefix(block[1]))
        if ">>>" not in source and re.search(r"\b(model|losses|optax|F|nn)\.", source):
            yield source, "", True


def _whole(prompts: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Statements that a text spreads over several `>>>` lines, put together again."""
    place = 0
    while place < len(prompts):
        source, want = prompts[place]
        for end in range(place + 1, len(prompts)):
            if _parses(source) or want.strip():
                break
            longer = "".join(text for text, _ in prompts[place : end + 1])
            if _parses(longer):
                source, want, place = longer, prompts[end][1], end
                break
        yield source, want
        place += 1


def _parses(source: str) -> bool:
    try:
        ast.parse(source)
    except SyntaxError:
        return False
    return True


def _names(source: str, context: type[ast.expr_context]) -> set[str]:
    if not _parses(source):
        return set()
    found = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name))
    return {node.id for node in found if isinstance(node.ctx, context)}


def tried(source: str, names: dict[str, Any]) -> tuple[str, str]:
    """What a piece of source prints, as a prompt would, and what its final assignment holds."""
    tree = ast.parse(source)
    last = tree.body[-1] if tree.body else None
    out = io.StringIO()
    assigned = ""
    with contextlib.redirect_stdout(out):
        if isinstance(last, ast.Expr):
            exec(compile(ast.Module(tree.body[:-1], []), "<docstring>", "exec"), names)
            value = eval(compile(ast.Expression(last.value), "<docstring>", "eval"), names)
            if value is not None:
                print(repr(value))
        else:
            exec(compile(tree, "<docstring>", "exec"), names)
            if isinstance(last, ast.Assign) and isinstance(last.targets[0], ast.Name):
                assigned = repr(names[last.targets[0].id])
    return out.getvalue(), assigned


def _child(backend: str) -> None:
    book = os.fdopen(os.dup(1), "w")  # an example's own prints must not mingle with the answers
    os.dup2(2, 1)
    place = PLACES[backend]
    shared: dict[str, Any] = {"__name__": "__docstring__"}
    exec(place.preamble, shared)
    package = f"{place.package} {version(place.package)}"
    for name, aliases, text in documented(place):
        names, lost = dict(shared), dict[str, tuple[str, bool]]()
        for source, want, sketch in examples(text):
            printed = assigned = error = ""
            needs = sorted(_names(source, ast.Load) & lost.keys())
            try:
                if needs:
                    error, sketch = lost[needs[0]]
                    if not want:
                        lost |= dict.fromkeys(_names(source, ast.Store), (error, sketch))
                        continue
                else:
                    lost = {name: why for name, why in lost.items() if name not in _names(source, ast.Store)}
                    printed, assigned = tried(source, names)
            except Exception as raised:  # noqa: BLE001 - whatever the documented line raises is the finding
                error = f"{type(raised).__name__}: {' '.join(str(raised).split())[:200]}"
                sketch = sketch or isinstance(raised, NameError)
                after = f"needs what an earlier line did not make ({error})"
                lost |= dict.fromkeys(_names(source, ast.Store), (after, sketch))
            row = Ran(
                name=name, package=package, aliases=aliases, source=source, want=want[:2000], printed=printed[:2000],
                assigned=assigned[:2000], sketch=sketch, error=error,
            )  # fmt: skip
            print(json.dumps(asdict(row)), file=book, flush=True)


if __name__ == "__main__":
    _child(sys.argv[1])
