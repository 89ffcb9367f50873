"""The worker processes of one command, shared by everything that it does, started together."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import TracebackType
from typing import Self

from lossbench.lanes.process import LaneLost, LaneProcess
from lossbench.spec.case import Lane


class Pool:
    """At most one worker a lane; all end with the pool.

    suites: files beyond the built-in suites. logs: folder for what the workers print.
    """

    def __init__(self, suites: Sequence[Path] = (), logs: Path | None = None) -> None:
        self._suites, self._logs = tuple(suites), logs
        if logs is not None:
            logs.mkdir(parents=True, exist_ok=True)
        self._lanes: dict[Lane, LaneProcess] = {}
        self._guard = threading.Lock()

    def lane(self, lane: Lane) -> LaneProcess:
        """The lane's worker, started (not awaited) when first asked for."""
        with self._guard:
            if lane not in self._lanes:
                log = self._logs / f"{lane.id}.log" if self._logs else None
                self._lanes[lane] = LaneProcess(lane, self._suites, log)
            process = self._lanes[lane]
        process.start()
        return process

    def start(self, lanes: Iterable[Lane]) -> None:
        """Start several at once, so that they import their frameworks together. BadInput where one cannot run."""
        for lane in lanes:
            self.lane(lane)

    def await_all(self, lanes: Iterable[Lane]) -> None:
        """Start them together and wait for all; one that does not start says so in each of its cells."""
        chosen = tuple(lanes)
        self.start(chosen)
        for lane in chosen:
            with contextlib.suppress(LaneLost):
                self.lane(lane).ready()

    def shared(self, lane: Lane) -> AbstractContextManager[LaneProcess]:
        """For a run, which may not end what others still use."""
        return nullcontext(self.lane(lane))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for process in self._lanes.values():
            process.close()
