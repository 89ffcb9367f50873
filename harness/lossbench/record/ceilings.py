"""What this machine can do at most: memory bandwidth by working set, and arithmetic, on so many threads.

Kernels of known traffic, in numpy: `add` reads two arrays and writes a third, as a loss with its gradient does at
least; `dot` reads two arrays, as a value alone does; `matmul` of two matrices that fit into a cache makes 2 n**3
operations, most of them fused multiply-adds. float32 unless said otherwise. Counted is what a program sees: the line
that a store fetches first is not. Of many repetitions the fastest counts: a limit is what was reached once.
Bandwidth depends on whether the arrays fit into a cache, so it is measured at several sizes of the working set.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

import lossbench
from lossbench.spec import inherited

WORKING_SETS: Final = tuple(2**power for power in (15, 18, 20, 22, 24, 26, 28))
"""Bytes of all arrays of a kernel together; the largest is beyond any cache."""

SECONDS_EACH: Final = 0.02
SIDE: Final = 256
LEAST_PASSES: Final = 3
PREFIX: Final = "ceiling."

Parts = Sequence[npt.NDArray[np.float32]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceilings:
    """add, dot: working set in bytes -> bytes per second. matmul: dtype -> operations per second."""

    threads: int
    add: Mapping[int, float]
    dot: Mapping[int, float]
    matmul: Mapping[str, float]

    def bytes_per_second(self, working_set: int, *, writes: bool) -> float:
        """Of a working set between two that were measured, between their rates, by its logarithm."""
        measured = self.add if writes else self.dot
        sizes = sorted(measured)
        rates = [measured[size] for size in sizes]
        return float(np.interp(np.log(max(working_set, 1)), np.log(sizes), rates))

    def operations_per_second(self, dtype: str) -> float:
        """Sixteen-bit floats count as float32, in which processors compute them."""
        return self.matmul["float64" if dtype == "float64" else "float32"]

    def facts(self) -> dict[str, float]:
        """Rows of the facts table."""
        named = {f"{kernel}.{size}": rate for kernel in ("add", "dot") for size, rate in getattr(self, kernel).items()}
        start = f"{PREFIX}threads{self.threads}."
        return {f"{start}{name}.bytes_per_second": rate for name, rate in named.items()} | {
            f"{start}matmul.{dtype}.operations_per_second": rate for dtype, rate in self.matmul.items()
        }

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Self:
        """From what the measuring process printed."""
        add, dot = ({int(size): float(rate) for size, rate in found[name].items()} for name in ("add", "dot"))
        return cls(threads=int(found["threads"]), add=add, dot=dot, matmul=dict(found["matmul"]))


def measure(threads: int = 1) -> Ceilings:
    """About half a second, in a process of its own: numpy's matrix product takes its threads when it is imported."""
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    command = [sys.executable, "-m", __name__, "--threads", str(threads)]
    path = os.pathsep.join([str(Path(lossbench.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    env = {**inherited.environ(), **one, "PYTHONPATH": path, "PYTHONSAFEPATH": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=env, timeout=60)
    return Ceilings.of(json.loads(done.stdout))


def best(work: Callable[[int], None], threads: int, seconds: float) -> float:
    """The fewest seconds in which every thread has done `work(its number)` once, of as many passes as fit."""
    fewest, ends, passes = float("inf"), time.perf_counter() + seconds, 0
    while passes < LEAST_PASSES or time.perf_counter() < ends:
        others = [threading.Thread(target=work, args=(number,)) for number in range(1, threads)]
        started = time.perf_counter()
        for other in others:
            other.start()
        work(0)
        for other in others:
            other.join()
        fewest, passes = min(fewest, time.perf_counter() - started), passes + 1
    return fewest


def _add(parts: Parts, number: int) -> None:
    a, b, c = parts[3 * number : 3 * number + 3]
    np.add(a, b, out=c)


def _dot(parts: Parts, number: int) -> None:
    np.dot(parts[2 * number], parts[2 * number + 1])


KERNELS: Final[Mapping[str, tuple[Callable[[Parts, int], None], int]]] = {"add": (_add, 3), "dot": (_dot, 2)}
"""Name -> kernel, and how many arrays it touches."""


def _streams(threads: int) -> dict[str, dict[int, float]]:
    found: dict[str, dict[int, float]] = {name: {} for name in KERNELS}
    room = np.ones(WORKING_SETS[-1] // 4, np.float32)  # written once, so that its pages are there
    longer = 1 if threads == 1 else 32  # to start a thread takes its time
    for size in WORKING_SETS:
        loops = max(1, longer * 2**20 // size)
        for name, (kernel, arrays) in KERNELS.items():
            n = size // (4 * arrays * threads)
            parts = [room[k * n : (k + 1) * n] for k in range(arrays * threads)]
            seconds = best(_repeated(partial(kernel, parts), loops), threads, SECONDS_EACH)
            # the same calls on one number each: what asking costs, and none of the traffic
            single = [part[:1] for part in parts]
            asking = best(_repeated(partial(kernel, single), loops), threads, SECONDS_EACH / 4)
            found[name][size] = loops * arrays * threads * n * 4 / max(seconds - asking, seconds / 2)
    return found


def _repeated(kernel: Callable[[int], None], loops: int) -> Callable[[int], None]:
    def work(number: int) -> None:
        for _ in range(loops):
            kernel(number)

    return work


def _matmul(threads: int, dtype: type[np.floating[Any]]) -> float:
    matrices = [tuple(np.ones((SIDE, SIDE), dtype) for _ in range(3)) for _ in range(threads)]

    def work(number: int) -> None:
        a, b, c = matrices[number]
        np.matmul(a, b, out=c)

    return threads * 2 * SIDE**3 / best(work, threads, 2 * SECONDS_EACH)


def main() -> None:
    """Prints what was measured as JSON."""
    parser = argparse.ArgumentParser(description="measures memory bandwidth and arithmetic; started by lossbench")
    parser.add_argument("--threads", type=int, default=1)
    threads = parser.parse_args().threads
    matmul = {dtype.__name__: _matmul(threads, dtype) for dtype in (np.float32, np.float64)}
    print(json.dumps({"threads": threads, **_streams(threads), "matmul": matmul}))


if __name__ == "__main__":
    main()
