"""What a run needs of others: a worker per lane, a judge, a place to report progress; and how long to measure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from lossbench.lanes.measurement import Answer, Block
from lossbench.spec.case import Case, Cell, Lane


class Worker(Protocol):
    """The lane's process, as `lossbench.lanes.process.LaneProcess` offers it. What a cell does is never raised."""

    def ready(self) -> Mapping[str, Any]:
        """Waits for the framework's import; versions and facts. May raise LaneLost or BadInput."""
        ...

    def answer(self, cell: Cell, limit_seconds: float, *, keep: bool) -> Answer:
        """Compute a cell once, for its outputs. keep: it will be timed."""
        ...

    def block(self, cell: Cell, rounds: int, loops: int, limit_seconds: float, *, target_seconds: float) -> Block:
        """Time a cell: a few rounds of `loops` calls each; loops 0 finds how many calls last target_seconds."""
        ...


class Book(Protocol):
    """Where rows go: a run's folder, or what takes its place on another machine."""

    @property
    def id(self) -> str:
        """Of the run."""
        ...

    def append(self, table: str, row: Mapping[str, Any]) -> None:
        """Takes a row of a table."""
        ...

    def judged(self, case: str) -> None:
        """A case is complete."""
        ...


Start = Callable[[Lane], AbstractContextManager[Worker]]
"""Starts the worker of a lane; its exit ends the process."""

Judge = Callable[[Case, Mapping[Cell, Answer]], Iterable[Mapping[str, Any]]]
"""`judge(case, answers)` gives rows of the agreement table; identity columns but `cell` may be left out."""

Progress = Callable[[int, int, float], None]
"""`progress(done, total, seconds_left)`, called from the main thread; done and total count answers and visits."""


def silent(done: int, total: int, seconds_left: float) -> None:
    """No progress shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long to measure.

    visits: how often each cell is returned to. seconds_per_cell: timed seconds of a cell over all its visits;
    less where total_seconds for all cells together would be exceeded. round_seconds: a round lasts about that
    long: short enough that neighbours in time share the machine's mood, long enough for its clock.
    rounds: at least and at most so many a visit. limit_seconds: when a single request counts as hung.
    """

    visits: int = 6
    seconds_per_cell: float = 0.15
    total_seconds: float = float("inf")
    round_seconds: float = 0.004
    rounds: tuple[int, int] = (2, 12)
    limit_seconds: float = 60.0
    seed: int = 0

    def seconds_per_visit(self, cells: int) -> float:
        """Timed seconds of one visit when so many cells are timed."""
        return min(self.seconds_per_cell, self.total_seconds / max(cells, 1)) / self.visits
