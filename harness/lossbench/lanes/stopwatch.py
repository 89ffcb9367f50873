"""How a prepared call is timed: the loop between two readings of the clock, written once.

A round is `loops` calls with one wait at its end: throughput, not latency, which is another column. One call that is
not among the samples opens each block, since a visit begins with cold caches; garbage collection is off.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import repeat
from typing import Any, Final

from lossbench.lanes.backends.base import Function, Tensor

MAX_LOOPS: Final = 1_000_000
MOST_WAITED: Final = 15


@dataclass(slots=True, kw_only=True)
class Prepared:
    """A cell ready to be called. loops: what a round was last calibrated to, 0 before. held_bytes: by the arguments."""

    call: Function
    arguments: tuple[Tensor, ...]
    dtype: str
    loops: int = 0
    held_bytes: int = 0


@contextmanager
def undisturbed() -> Iterator[None]:
    """No garbage collection until the end; none first either, which would cost more than the visit."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def timed(prepared: Prepared, wait: Callable[[Any], None], loops: int) -> float:
    """Seconds for `loops` calls and one wait. Nothing else stands between the two readings."""
    call, arguments, result = prepared.call, prepared.arguments, None
    started = time.perf_counter()
    for _ in repeat(None, loops):
        result = call(*arguments)
    wait(result)
    return time.perf_counter() - started


def waited(prepared: Prepared, wait: Callable[[Any], None], rounds: Sequence[float], loops: int) -> float:
    """The median of calls each of which is waited for: as many as fit into a quarter of a round, at most MOST_WAITED.

    A round of one call has told it already.
    """
    if loops == 1:
        return statistics.median(rounds)
    calls = min(MOST_WAITED, max(1, loops // 4))
    return statistics.median(timed(prepared, wait, 1) for _ in range(calls))


def calibrated(prepared: Prepared, wait: Callable[[Any], None], target_seconds: float) -> int:
    """The number of calls that makes a round last about target_seconds, at least 1; found from a fifth of one."""
    loops = 1
    while True:
        seconds = timed(prepared, wait, loops)
        if seconds < target_seconds:  # else one call is a round, however the machine disturbed it
            seconds = min(seconds, timed(prepared, wait, loops))
        if seconds >= 0.2 * target_seconds or loops >= MAX_LOOPS:
            return min(MAX_LOOPS, max(1, round(loops * target_seconds / max(seconds, 1e-9))))
        loops = min(MAX_LOOPS, max(2 * loops, int(0.3 * loops * target_seconds / max(seconds, 1e-9))))


def turned(turns: int) -> float:
    """Seconds of so many turns of a loop that does nothing else: work of any size, for a slowdown to be planted."""
    started = time.perf_counter()
    for _ in repeat(None, turns):
        pass
    return time.perf_counter() - started
