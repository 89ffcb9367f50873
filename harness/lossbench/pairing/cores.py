"""Lines of work side by side: each core takes the free line of the lowest rank, a step at a time.

Among equals it is the one that had the least time so far.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Hashable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Line = TypeVar("Line", bound=Hashable)


def allowed() -> tuple[int, ...]:
    """The cores that this process may use; one, named -1 and never pinned to, where the system does not say."""
    return tuple(sorted(os.sched_getaffinity(0))) if hasattr(os, "sched_getaffinity") else (-1,)


def shared(
    lines: Iterable[Line],
    step: Callable[[Line, int], bool],
    cores: Sequence[int],
    rank: Callable[[Line], tuple[int, ...]] = lambda _: (),
) -> None:
    """Until no line has more to do. A line is never on two cores at once. What a step raises ends all, and is raised.

    step: takes a line and a core, does one step, says whether the line has more to do. rank: asked before each step.
    """
    spent = dict.fromkeys(lines, 0.0)
    free, busy = list(spent), 0
    turn = threading.Condition()
    failed = False

    def work(core: int) -> None:
        nonlocal busy, failed
        while True:
            with turn:
                while not free and busy and not failed:
                    turn.wait()
                if failed or not free:
                    return
                line = min(free, key=lambda line: (rank(line), spent[line]))
                free.remove(line)
                busy += 1
            started, more, done = time.monotonic(), False, False
            try:
                more = step(line, core)
                done = True
            finally:
                with turn:
                    busy -= 1
                    failed |= not done
                    spent[line] += time.monotonic() - started
                    if more:
                        free.append(line)
                    turn.notify_all()

    with ThreadPoolExecutor(len(cores)) as pool:
        for ended in [pool.submit(work, core) for core in cores]:
            ended.result()
