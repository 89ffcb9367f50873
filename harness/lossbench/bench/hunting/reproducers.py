"""Each behaviour as a program in its framework alone, run once in a process of its own to see what it prints."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from lossbench.bench.hunting import spelling
from lossbench.bench.hunting.child import listed
from lossbench.bench.hunting.finds import Find
from lossbench.judge.reference import Evaluate, Reference, from_oracle
from lossbench.lanes.backends import backend_class
from lossbench.spec import inherited

GONE: Final = {"source": "", "printed": "", "error": "the process ended", "traced": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproducer:
    """program: source with the exact result and what was printed as comments. reproduced: whether it printed
    something else than the exact result, as the search saw it."""

    program: str
    printed: str
    exact: str
    reproduced: bool


class Writers:
    """One child process a framework, started when first needed."""

    def __init__(self, suites: Sequence[Path] = (), *, evaluate: Evaluate = from_oracle) -> None:
        self._suites, self._evaluate = [str(path) for path in suites], evaluate
        self._children: dict[str, subprocess.Popen[str]] = {}
        self._versions: dict[str, str] = {}
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with the children

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for child in self._children.values():
            assert child.stdin is not None
            child.stdin.close()
            child.terminate()
            child.wait()
            if child.stdout is not None:
                child.stdout.close()
        self._log.close()

    def start(self, backend: str) -> subprocess.Popen[str]:
        """The framework's child; returns before it is ready."""
        if backend not in self._children:
            command = [sys.executable, "-W", "ignore", "-m", "lossbench.bench.hunting.child", backend, *self._suites]
            environment = {**inherited.environ(), **backend_class(backend).environ(1, "cpu")}
            self._children[backend] = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True, env=environment
            )
        return self._children[backend]

    def write(self, find: Find) -> Reproducer:
        """The program of a find, as it ran."""
        witness, quantity = find.witness, find.verdict.quantity
        reference = Reference(
            loss=witness.loss, params=witness.all_params, arrays=witness.arrays, dtype=witness.dtype, grad=True,
            evaluate=self._evaluate,
        )  # fmt: skip
        known = reference.quantity(quantity) if find.verdict.klass != "api" else None
        worst = tuple(int(part) for part in find.verdict.worst_index.split(",") if part)
        shape = np.shape(witness.arrays["y_pred"]) if known is None else known.exact.shape
        what = spelling.shown(quantity, shape, worst)
        said = self._ask(find, what)
        if said is GONE:  # once more, in a fresh process: an earlier program may have harmed the first
            said = self._ask(find, what)
        printed = said["printed"] or said["error"]
        exact = "a number" if known is None else spelling.plain(known.exact, what, "float64")
        program = spelling.commented(
            said["source"], exact=exact, printed=printed, versions=self._versions.get(find.backend, "")
        )
        return Reproducer(
            program=program, printed=printed, exact=exact, reproduced=bool(_shows(find, said, known, what))
        )

    def _ask(self, find: Find, what: spelling.Shown) -> dict[str, Any]:
        child = self.start(find.backend)
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            if find.backend not in self._versions:
                versions = json.loads(child.stdout.readline())["versions"]
                self._versions[find.backend] = ", ".join(f"{name} {version}" for name, version in versions.items())
            child.stdin.write(json.dumps(_request(find, what)) + "\n")
            child.stdin.flush()
            answer: dict[str, Any] = json.loads(child.stdout.readline())
        except (OSError, ValueError):  # the framework ended its process: that too is a finding
            self._children.pop(find.backend).kill()
            self._versions.pop(find.backend, None)
            return GONE
        return answer


def _request(find: Find, what: spelling.Shown) -> dict[str, Any]:
    witness = find.witness
    return {
        "loss": witness.loss.name,
        "binding": find.binding.name,
        "params": {**({"reduction": "none"} if witness.separable else {}), **witness.params},
        "arrays": {name: _texts(values) for name, values in witness.arrays.items()},
        "dtype": witness.dtype,
        "quantity": what.quantity,
        "place": None if what.place is None else list(what.place),
    }


def _texts(values: npt.NDArray[Any]) -> Any:
    given = np.asarray(values, np.float64)
    if given.ndim and len(given) > spelling.REPEATED_ROWS and bool((given == given[:1]).all()):
        return {"row": _texts(given[0]), "shape": list(given.shape)}
    if given.ndim == 0:
        return repr(float(given))
    return [_texts(item) for item in given]


def _shows(find: Find, said: Mapping[str, Any], known: Any, what: spelling.Shown) -> bool:
    """Whether what was printed differs from the exact result in the way that was found."""
    if said["error"] == GONE["error"]:
        return find.verdict.reason.startswith("crashed")
    if known is None or said["error"]:
        return bool(said["error"]) or find.verdict.klass == "api"
    printed = listed(said["printed"])
    if printed == "":
        return False
    numbers = np.array(_flat(printed), dtype=np.float64)
    exact = known.exact if what.place is None else known.exact[what.place]
    if numbers.size != np.size(exact):
        return False
    with np.errstate(all="ignore"):
        got = numbers.ravel()
        place = what.place is None and find.verdict.worst_index
        at = (
            np.ravel_multi_index([int(i) for i in find.verdict.worst_index.split(",")], np.shape(exact)) if place else 0
        )
        mine = float(got[at])
        return (
            mine == find.verdict.got
            or (np.isnan(mine) and np.isnan(find.verdict.got))
            or bool(abs(mine - find.verdict.expected) > 0.5 * abs(find.verdict.got - find.verdict.expected))
        )


def _flat(values: Any) -> list[float]:
    if isinstance(values, list):
        return [number for value in values for number in _flat(value)]
    return [float("nan") if values is None else float(values)]
