"""Does a documented call still run as written: each in turn, in one child process with the framework in it.

The child is this module run as a program, so that the parent imports no framework and survives what it does.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from lossbench.spec import inherited
from lossbench.spec.errors import BadInput

PREAMBLE: Final = "import numpy as np\nimport tensorflow as tf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What came of one snippet. printed: what `print` shows of its last expression. error: type and message."""

    ok: bool
    printed: str = ""
    error: str = ""


def run(
    snippets: Mapping[str, str], *, preamble: str = PREAMBLE, python: str = sys.executable, limit_seconds: float = 120.0
) -> dict[str, Ran]:
    """Run snippets (id -> source, its last line an expression), each in a namespace of its own.

    Where the child dies or exceeds the limit, what it had not reached is not ok, with the reason. BadInput
    where `python` cannot be started.
    """
    request = json.dumps({"preamble": preamble, "snippets": dict(snippets)})
    environment = {**inherited.environ(), "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    try:
        child = subprocess.run(
            [python, "-W", "ignore", "-m", "lossbench.judge.snippets"],
            input=request, capture_output=True, text=True, timeout=limit_seconds, env=environment, check=False,
        )  # fmt: skip
        output, ending = child.stdout, f"the interpreter ended with status {child.returncode}"
    except subprocess.TimeoutExpired as late:
        seen = late.stdout or b""
        output = seen.decode() if isinstance(seen, bytes) else seen
        ending = f"not reached within {limit_seconds:g} s"
    except OSError as error:
        raise BadInput(
            subject=python, expected="a Python interpreter", received=str(error), remedy="name one that exists"
        ) from error
    found = {name: Ran(ok=False, error=ending) for name in snippets}
    for line in output.splitlines():
        if line.startswith("{"):
            result = json.loads(line)
            found[result["id"]] = Ran(ok=result["ok"], printed=result["printed"], error=result["error"])
    return found


def _child() -> None:
    book = os.fdopen(os.dup(1), "w")  # the snippets' own prints must not mingle with the answers
    os.dup2(2, 1)
    request = json.load(sys.stdin)
    try:
        shared: dict[str, object] = {}
        exec(request["preamble"], shared)
    except Exception as error:  # noqa: BLE001  whatever the framework raises is the finding
        for name in request["snippets"]:
            print(json.dumps({"id": name, "ok": False, "printed": "", "error": _said(error)}), file=book, flush=True)
        return
    for name, source in request["snippets"].items():
        *setup, expression = source.splitlines()
        names = dict(shared)
        result = {"id": name, "ok": True, "printed": "", "error": ""}
        try:
            exec("\n".join(setup), names)
            result["printed"] = str(eval(expression, names))
        except Exception as error:  # noqa: BLE001  whatever the documented call raises is the finding
            result |= {"ok": False, "error": _said(error)}
        print(json.dumps(result), file=book, flush=True)


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


if __name__ == "__main__":
    _child()
