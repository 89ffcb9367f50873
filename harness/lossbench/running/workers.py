"""The workers of a run's lanes, each started when first needed and ended with the run."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import Self

from lossbench.running.contract import Start, Worker
from lossbench.spec.case import Lane


class Workers:
    """Starts at most one worker a lane, from whichever thread asks first; ends all of them on exit."""

    def __init__(self, start: Start) -> None:
        self._start, self._stack, self._ended = start, ExitStack(), False
        self._started: dict[Lane, Worker] = {}
        self._locks: dict[Lane, threading.Lock] = {}
        self._guard = threading.Lock()

    def __call__(self, lane: Lane) -> Worker:
        """The lane's worker. RuntimeError when the run has ended meanwhile, as after Ctrl-C."""
        with self._guard:
            lock = self._locks.setdefault(lane, threading.Lock())
        with lock:
            if lane not in self._started:
                context = self._start(lane)
                worker = context.__enter__()
                with self._guard:
                    if self._ended:
                        context.__exit__(None, None, None)
                        raise RuntimeError(f"lane {lane.id} came up after the run had ended")
                    self._stack.push(context.__exit__)
                self._started[lane] = worker
            return self._started[lane]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._guard:
            self._ended = True
        self._stack.close()
