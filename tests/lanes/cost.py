"""What timing costs and whether others agree: `python tests/lanes/cost.py [--pyperf]`, about a minute.

Everything that is compared alternates, so that the machine's moods cancel; figures are medians of paired
differences or ratios with the interval of order statistics, and the best of all beside them.
"""

# ruff: noqa: ARG001 - a binding takes what it is given
from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import timeit
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from lossbench import Binding, Loss, domains
from lossbench.judge.timing import Interval, median_interval
from lossbench.lanes.backends import backend_class
from lossbench.lanes.session import Session
from lossbench.spec.case import Case, Cell, Lane
from lossbench.spec.catalogue import Catalogue, load

ROUND_SECONDS = 1e-3
NOTHING = np.float32(0)
BACKEND = "fake_backend:FakeBackend"


def no_operation(m: Any, y_true: Any, y_pred: Any, *, reduction: str = "mean") -> Any:
    """A binding that computes nothing, so that what is left is the harness."""
    return NOTHING


NO_OPERATION = Loss(
    name="no_operation",
    title="No operation",
    summary="Returns a constant.",
    formula="0",
    source="none",
    inputs={"y_true": domains.REAL, "y_pred": domains.REAL},
    reference=no_operation,
    bindings=(Binding(backend=BACKEND, name="nothing", call=no_operation, docs=(), accepts=("reduction",)),),
)


@dataclass(frozen=True, kw_only=True)
class Timed:
    """A cell held ready by a session. call, arguments: what the session's loop calls."""

    session: Session
    cell: Cell
    call: Callable[..., Any]
    arguments: tuple[Any, ...]
    loops: int

    def seconds_per_call(self) -> float:
        """One round, as a run takes it."""
        block = self.session.block(self.cell, 1, self.loops, ROUND_SECONDS)
        assert block.status == "ok", block.reason
        return block.seconds_per_call[0]


def ready(loss: str, backend: str, binding: str, shape: tuple[int, ...]) -> Timed:
    """An eager value, prepared and calibrated."""
    known = Catalogue(losses={NO_OPERATION.name: NO_OPERATION}, families={}, files=MappingProxyType({}))
    session = Session(backend_class(backend)(), known if loss == NO_OPERATION.name else load(backend=""), "eager")
    case = Case(loss=loss, shape=shape, params=())
    cell = Cell(case=case, binding=binding, lane=Lane(backend=backend), operation="value")
    answer = session.answer(cell, keep=True)
    assert answer.status == "ok", answer.reason
    _, prepared = session.prepared(cell)
    assert prepared is not None
    loops = session.block(cell, 1, 0, ROUND_SECONDS).loops
    return Timed(session=session, cell=cell, call=prepared.call, arguments=prepared.arguments, loops=loops)


def added(rounds: int = 60) -> tuple[list[float], list[float], list[float]]:
    """Seconds per call of the no-op: by the harness, called bare in a loop, and of an empty Python function."""
    timed = ready(NO_OPERATION.name, BACKEND, "nothing", (4, 4))
    names = {"m": None, "a": timed.arguments[0], "b": timed.arguments[1], "call": no_operation, "empty": lambda: None}
    direct = timeit.Timer("call(m, a, b, reduction='mean')", globals=names)
    empty = timeit.Timer("empty()", globals=names)
    found: tuple[list[float], list[float], list[float]] = ([], [], [])
    for _ in range(rounds):
        found[0].append(timed.seconds_per_call())
        found[1].append(direct.timeit(timed.loops) / timed.loops)
        found[2].append(empty.timeit(timed.loops) / timed.loops)
    return found


def beside_torch(rounds: int = 20) -> list[float]:
    """Ours over torch.utils.benchmark's, the same callable in the same process, in turn."""
    import torch.utils.benchmark as benchmark

    timed = ready("mse", "torch", "functional", (256, 128))
    timer = benchmark.Timer("call(*arguments)", globals={"call": timed.call, "arguments": timed.arguments})
    found = []
    for place in range(rounds):
        ours = [timed.seconds_per_call()] if place % 2 == 0 else []
        theirs = timer.timeit(timed.loops).median
        found.append((ours or [timed.seconds_per_call()])[0] / theirs)
    return found


def beside_pyperf(processes: int = 7) -> tuple[Interval, Interval]:
    """Ours and pyperf's seconds per call of the same callable, each over fresh processes, in turn."""
    here, ours, theirs = Path(__file__).parent, [], []
    path = os.pathsep.join([str(here), *sys.path])
    setup = "import cost; t = cost.ready('mse', 'torch', 'functional', (256, 128))"
    environ = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    for _ in range(processes):
        say = f"{setup}; print(__import__('statistics').median(t.seconds_per_call() for _ in range(30)))"
        done = subprocess.run([sys.executable, "-c", say], capture_output=True, text=True, check=True, env=environ)
        ours.append(float(done.stdout))
        command = [sys.executable, "-m", "pyperf", "timeit", "-p", "1", "-n", "10", "-w", "2", "-q"]
        options = ["--inherit-environ", "PYTHONPATH,OMP_NUM_THREADS", "-s", setup, "t.call(*t.arguments)"]
        with tempfile.TemporaryDirectory() as folder:  # it takes no name for its standard output
            out = Path(folder) / "found.json"
            subprocess.run([*command, "-o", str(out), *options], capture_output=True, check=True, env=environ)
            record = json.loads(out.read_text())
        theirs.append(float(np.median(record["benchmarks"][0]["runs"][-1]["values"])))
    return median_interval(ours), median_interval(theirs)


def said(found: Interval, unit: float, name: str) -> str:
    low, middle, high = (each / unit for each in (found.low, found.median, found.high))
    return f"{middle:.4g} {name} [{low:.4g}, {high:.4g}]"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pyperf", action="store_true", help="compare with pyperf, which must be installed")
    options = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).parent))
    ours, direct, empty = (np.array(times) for times in added())
    extra = median_interval(ours - direct)
    print(f"no-op by the harness   {said(median_interval(ours), 1e-9, 'ns')}, best {ours.min() * 1e9:.1f}")
    print(f"no-op called in a loop {said(median_interval(direct), 1e-9, 'ns')}, best {direct.min() * 1e9:.1f}")
    print(f"the harness adds       {said(extra, 1e-9, 'ns')}, best {(ours.min() - direct.min()) * 1e9:.1f}")
    print(f"an empty Python call   {said(median_interval(empty), 1e-9, 'ns')}, best {empty.min() * 1e9:.1f}")
    print(f"over torch.utils.benchmark {said(median_interval(beside_torch(60)), 1, 'x')}")
    if options.pyperf:
        mine, theirs = beside_pyperf()
        print(f"ours {said(mine, 1e-6, 'us')}, pyperf {said(theirs, 1e-6, 'us')}")


if __name__ == "__main__":
    main()
