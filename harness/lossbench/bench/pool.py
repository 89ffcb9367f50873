"""The worker processes of one command, shared by everything that it does, started together."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from lossbench.lanes.backends import backend_class
from lossbench.lanes.bounds import Bounds
from lossbench.lanes.process import UNBOUNDED, LaneLost, LaneProcess
from lossbench.spec.case import Lane
from lossbench.spec.plan import Plan

MANY_CELLS: Final = 2000
"""From here on a second worker of a lane earns the seconds that its import of the framework costs."""


class Pool:
    """At most one worker a lane, and where asked for a second one; all end with the pool.

    suites: files beyond the built-in suites. logs: folder for what the workers print. bounds: of each worker.
    told: hears of a lane whose worker died and was asked again, and why it died.
    """

    def __init__(
        self,
        suites: Sequence[Path] = (),
        logs: Path | None = None,
        *,
        bounds: Bounds = UNBOUNDED,
        told: Callable[[Lane, str], None] = lambda *_: None,
    ) -> None:
        self._suites, self._logs, self._bounds, self._told = tuple(suites), logs, bounds, told
        if logs is not None:
            logs.mkdir(parents=True, exist_ok=True)
        self._lanes: dict[tuple[Lane, bool], LaneProcess] = {}
        self._guard = threading.Lock()

    def lane(self, lane: Lane, *, second: bool = False) -> LaneProcess:
        """The lane's worker, or its second one, started (not awaited) when first asked for."""
        with self._guard:
            if (lane, second) not in self._lanes:
                log = self._logs / f"{lane.id}{'-second' if second else ''}.log" if self._logs else None
                told = partial(self._told, lane)
                self._lanes[lane, second] = LaneProcess(lane, self._suites, log, bounds=self._bounds, told=told)
            process = self._lanes[lane, second]
        process.start()
        return process

    def second_workers(self, plan: Plan) -> dict[Lane, Callable[[], LaneProcess]]:
        """What gives a second worker of each lane that others would wait for; none where calls are timed."""
        if plan.timed or len(plan.cells) < MANY_CELLS or (os.cpu_count() or 1) < 2:
            return {}
        slow = [lane for lane in plan.lanes if backend_class(lane.backend).compiles_each_shape]
        return {lane: partial(self.lane, lane, second=True) for lane in slow}

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
