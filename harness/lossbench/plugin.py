"""A run: answers first, then timing as real pytest items, in an order that is the schedule's and not the list's.

Rows are journaled as they come, so a run that is killed keeps them, and `execute` on the same folder goes on.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol

import pytest

from lossbench.lanes.measurement import Answer, Block
from lossbench.record import machine
from lossbench.record.frames import Tables
from lossbench.record.run import RunFolder
from lossbench.running import books
from lossbench.running.answering import ALONE, Answering
from lossbench.running.contract import Judge, Progress, Start, Timing, Worker, silent
from lossbench.running.estimate import Estimate
from lossbench.running.visiting import Replay, Visit, Visiting
from lossbench.running.wall import Wall
from lossbench.running.watching import watched
from lossbench.running.workers import Workers
from lossbench.spec.case import Cell, Lane

INTERRUPTED: Final = 130


class Plan(Protocol):
    """What a run needs of `lossbench.spec.plan.Plan`."""

    @property
    def cells(self) -> tuple[Cell, ...]: ...
    @property
    def timed(self) -> frozenset[str]: ...
    @property
    def groups(self) -> Sequence[Sequence[Cell]]: ...


Order = Callable[[Sequence[Sequence[Cell]], int, int], Iterable[tuple[int, Cell]]]
"""`order(groups, visits, seed)` gives (visit, cell), as `lossbench.lanes.schedule` does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a run ended. exit_status: 0, or 130 after Ctrl-C, with a sentence that says how to go on."""

    exit_status: int
    sentence: str
    tables: Tables


def execute(
    plan: Plan,
    folder: RunFolder,
    start: Start,
    judge: Judge,
    *,
    order: Order,
    timing: Timing | None = None,
    progress: Progress = silent,
    facts: Mapping[str, Any] | None = None,
    lanes_at_once: int | None = None,
    judges: Executor | None = None,
    wall: Wall | None = None,
    second: Mapping[Lane, Callable[[], Worker]] = ALONE,
    between: Callable[[], None] = lambda: None,
) -> Outcome:
    """Run what the folder does not hold yet, and finish the folder. BadInput where the disk is full.

    start: gives a lane's worker as a context manager. facts: rows of the facts table besides the machine's.
    lanes_at_once: how many lanes compute answers at the same time, by default one a processor.
    judges: processes for `judge`, which must then be picklable; by default it runs in this one.
    wall: the account of the wall time, where the caller has begun one before. second: of a lane that is to have two
    workers while answers are taken, what gives the other one; the caller ends it.
    between: what is to be over before anything is timed.
    """
    run = _Run(plan, folder, order, timing or Timing(), progress, wall or Wall())
    for key, value in {**machine.facts(), **(facts or {})}.items():
        folder.append("facts", {"key": key, "value": str(value)})
    complete = True
    try:
        with Workers(start) as workers:
            run.answers(workers, judge, lanes_at_once or os.cpu_count() or 1, judges, second)
            with run.claims():
                between()
            complete = run.visits(workers)
    except KeyboardInterrupt:
        complete = False
    run.note_wall()
    tables = folder.finish(complete=complete)
    if complete:
        return Outcome(exit_status=0, sentence=f"run {folder.id} is complete", tables=tables)
    return _interrupted(folder.id, tables)


def interrupted(folder: RunFolder) -> Outcome:
    """Finishes a folder whose run was ended before it came to its cells."""
    return _interrupted(folder.id, folder.finish(complete=False))


def _interrupted(run: str, tables: Tables) -> Outcome:
    sentence = f"run {run} was interrupted; all it measured is kept, `lossbench run --resume {run}` goes on"
    return Outcome(exit_status=INTERRUPTED, sentence=sentence, tables=tables)


class _Run:
    """One execution: what is left to do, and the two phases."""

    def __init__(
        self, plan: Plan, folder: RunFolder, order: Order, timing: Timing, progress: Progress, wall: Wall
    ) -> None:
        self._plan, self._folder, self._timing = plan, folder, timing
        self._wall = wall
        self._done = folder.done()
        self._cells = {cell.id: cell for cell in plan.cells}
        self._status = {row["cell"]: row["status"] for row in folder.rows("cells")}
        self._answered: set[str] = set()
        self._schedule = list(order(plan.groups, timing.visits, timing.seed))
        self._left = [cell for cell in plan.cells if cell.case.id not in self._done.cases]
        seconds_per_visit = timing.seconds_per_visit(len(plan.timed))
        visits = sum((cell.id, number) not in self._done.blocks for number, cell in self._schedule)
        self._estimate = Estimate(progress, answers=len(self._left), visits=visits, seconds_per_visit=seconds_per_visit)

    @contextmanager
    def claims(self) -> Iterator[None]:
        """Its wall time goes to what documents claim."""
        with self._wall.phase(), self._wall.during("claims_and_curves"):
            yield

    def answers(
        self,
        workers: Workers,
        judge: Judge,
        lanes_at_once: int,
        judges: Executor | None,
        second: Mapping[Lane, Callable[[], Worker]],
    ) -> None:
        """The first phase."""
        answering = Answering(
            cells=self._left,
            folder=self._folder,
            judge=judge,
            timed=self._plan.timed,
            wall=self._wall,
            limit_seconds=self._timing.limit_seconds,
            at_once=lanes_at_once,
            judges=judges,
        )
        with self._wall.phase():
            answering.run(workers, self._deliver, second)

    def _deliver(self, cell: Cell, answer: Answer) -> None:
        if cell.id not in self._answered:  # a cell comes twice where its inputs turn out to differ
            self._answered.add(cell.id)
            self._estimate.answered()
        self._status[cell.id] = answer.status

    def visits(self, workers: Workers) -> bool:
        """The second phase; False if it was interrupted."""
        visiting = Visiting(
            folder=self._folder,
            timing=self._timing,
            workers=workers,
            wall=self._wall,
            cells=len(self._plan.timed),
        )
        visits = [*self._recalled(visiting), *self._live()]
        self._estimate.visiting(sum(not visit.recalled for visit in visits))
        if not visits:
            return True
        items = CellItems(visits, visiting, self._estimate.visited)
        with self._wall.phase(), watched(self._folder):
            status = books.run_pytest(self._folder.benchmark_json, items)
        items.check(status)
        return status != pytest.ExitCode.INTERRUPTED

    def _live(self) -> list[Visit]:
        """What is still to be visited: cells that gave an answer, in the schedule's order."""
        return [
            Visit(cell=cell, number=number, position=position)
            for position, (number, cell) in enumerate(self._schedule)
            if self._status.get(cell.id) == "ok" and (cell.id, number) not in self._done.blocks
        ]

    def _recalled(self, visiting: Visiting) -> list[Visit]:
        """Blocks that the folder held before: pytest-benchmark's book of the run shall have them too."""
        found = []
        for row in self._folder.rows("measurements"):
            visiting.recall(row)
            samples = tuple(float(sample) for sample in row["seconds_per_call"])
            if samples and (cell := self._cells.get(row["cell"])):
                found.append(Visit(cell=cell, number=row["visit"], position=row["position"], recalled=samples))
        return found

    def note_wall(self) -> None:
        """How the wall time was spent, added to what the run had spent before it was resumed."""
        earlier = {row["key"]: row["value"] for row in self._folder.rows("facts")}
        for key, seconds in self._wall.facts().items():
            self._folder.append("facts", {"key": key, "value": f"{float(earlier.get(key, 0)) + seconds:.3f}"})


class CellItems:
    """The pytest plugin: parametrizes `test_cell` with the timed cells and runs the items by the schedule."""

    def __init__(self, visits: Sequence[Visit], visiting: Visiting, visited: Callable[[], None]) -> None:
        self._visits, self._visiting, self._visited = visits, visiting, visited
        self._replay = Replay()
        self._block = Block(status="skipped")
        self._error: Exception | None = None
        self._failure = ""

    @pytest.fixture
    def block(self) -> Block:
        """The block of the present visit."""
        return self._block

    @pytest.fixture
    def replay(self) -> Replay:
        """The lane's clock as pytest-benchmark reads it."""
        return self._replay

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """One item a cell."""
        cells = {visit.cell.id: visit.cell for visit in self._visits}
        metafunc.parametrize(
            "cell",
            [
                pytest.param(cell, id=cell.id, marks=pytest.mark.benchmark(timer=self._replay, group=cell.case.id))
                for cell in cells.values()
            ],
        )

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """One run of an item a visit."""
        items = {item.callspec.id: item for item in session.items if isinstance(item, pytest.Function)}
        for visit, after in zip(self._visits, [*self._visits[1:], None], strict=True):
            item = items[visit.cell.id]
            # an item that comes twice in a row must be torn down in between
            following = items[after.cell.id] if after and after.cell.id != visit.cell.id else None
            try:
                self._block = self._measured(visit)
            except Exception as error:  # noqa: BLE001 - pytest would print it; `check` raises it
                self._error = error
                break
            item.ihook.pytest_runtest_protocol(item=item, nextitem=following)
            if self._failure:
                break
        return True

    def _measured(self, visit: Visit) -> Block:
        if visit.recalled:
            return Block(status="ok", seconds_per_call=visit.recalled)
        block = self._visiting.measure(visit)
        self._visited()
        return block

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """An item only hands numbers over: if it fails, the run is wrong, not the cell."""
        if report.failed:
            self._failure = self._failure or f"{report.nodeid}: {report.longreprtext}"

    @pytest.hookimpl(tryfirst=True)
    def pytest_benchmark_generate_json(self, benchmarks: list[Any]) -> None:
        """One record a cell with all its rounds, before pytest-benchmark writes them."""
        books.merge(benchmarks)

    def pytest_benchmark_update_machine_info(self, machine_info: dict[str, Any]) -> None:
        """The host's name is nobody's business."""
        machine_info["node"] = ""

    def check(self, status: int) -> None:
        """Raise what went wrong inside pytest."""
        if self._error is not None:
            raise self._error
        if self._failure or status not in (pytest.ExitCode.OK, pytest.ExitCode.INTERRUPTED):
            raise RuntimeError(f"timing through pytest ended with status {status}: {self._failure or 'no items'}")
