"""The first phase: every cell is computed once, on inputs proven identical, and judged. Nothing is timed.

Each lane works through its cells in a thread of its own, cases in the plan's order; the main thread journals as they
come and hands whole cases to the judge, who may sit in other processes. A case whose lanes saw different inputs fails
here, with both digests.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from functools import partial
from math import prod
from types import MappingProxyType
from typing import Any, Final

from lossbench.lanes.measurement import Answer
from lossbench.running import rows
from lossbench.running.contract import Book, Judge, Worker
from lossbench.running.starting import await_ready
from lossbench.running.wall import Wall
from lossbench.spec.case import Case, Cell, Lane
from lossbench.spec.errors import BadInput

AHEAD: Final = 24
"""Cases a lane may be ahead of the slowest: their arrays are held until the case is complete."""
LARGE: Final = 2**22
"""Numbers in a prediction from which on one case at a time is answered and judged: its arrays take gigabytes."""

ALONE: Final[Mapping[Lane, Callable[[], Worker]]] = MappingProxyType({})
Deliver = Callable[[Cell, Answer], None]
Rows = list[Mapping[str, Any]]


@dataclass(slots=True, kw_only=True)
class _Open:
    """A case whose answers are coming in."""

    case: Case
    cells: tuple[Cell, ...]
    answers: dict[str, Answer] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """What the judge said of a case."""

    case: str
    rows: Rows


def judged(judge: Judge, case: Case, answers: Mapping[Cell, Answer]) -> tuple[Rows, float]:
    """The judge's rows, and the seconds of a processor that it took: it may wait while lanes compute."""
    began = time.thread_time()
    return list(judge(case, answers)), time.thread_time() - began


class Answering:
    """Takes the answers of `cells`; judged cases are left out by the caller."""

    def __init__(
        self,
        *,
        cells: Sequence[Cell],
        folder: Book,
        judge: Judge,
        timed: frozenset[str],
        wall: Wall,
        limit_seconds: float,
        at_once: int,
        judges: Executor | None = None,
    ) -> None:
        """at_once: how many lanes compute at the same time. judges: where `judge` runs, here if None."""
        self._judges = judges
        self._folder, self._judge, self._timed, self._wall = folder, judge, timed, wall
        self._limit_seconds = limit_seconds
        by_case: dict[str, list[Cell]] = {}
        for cell in cells:
            by_case.setdefault(cell.case.id, []).append(cell)
        self._open = {name: _Open(case=found[0].case, cells=tuple(found)) for name, found in by_case.items()}
        self._place = {name: place for place, name in enumerate(by_case)}
        self._turn = threading.Condition()
        self._stopped = False
        self._seats = threading.Semaphore(at_once)
        self._inbox: queue.Queue[tuple[Cell, Answer] | _Judged | Exception] = queue.Queue()

    def run(
        self, workers: Callable[[Lane], Worker], deliver: Deliver, second: Mapping[Lane, Callable[[], Worker]] = ALONE
    ) -> None:
        """Take, journal and judge all answers. deliver: told of each answer once its row is safe.

        workers: gives a lane's worker, which it may have to start. second: of a lane that is to have two of them,
        what gives the other one.
        """
        shares: list[tuple[Lane, list[Cell], Callable[[], Worker]]] = []
        for lane, cells in self._by_lane().items():
            halves = _halves(cells) if lane in second else (cells,)
            givers: list[Callable[[], Worker]] = [partial(workers, lane), *([second[lane]] if lane in second else [])]
            shares += [(lane, half, giver) for half, giver in zip(halves, givers, strict=True)]
        threads = [
            threading.Thread(target=self._serve, args=share, name=share[0].id, daemon=True)
            for share in shares
            if share[1]
        ]
        for thread in threads:
            thread.start()
        try:
            while self._open:
                found = self._next()
                if isinstance(found, _Judged):
                    self._close(found)
                else:
                    self._take(*found, deliver)
        except BaseException:
            self._stop()
            raise
        for thread in threads:
            thread.join()

    def _next(self) -> tuple[Cell, Answer] | _Judged:
        """What a lane's thread or the judge sent; raises what was raised there."""
        found = self._inbox.get()
        if isinstance(found, Exception):
            raise found
        return found

    def _by_lane(self) -> dict[Lane, list[Cell]]:
        found: dict[Lane, list[Cell]] = {}
        for case in self._open.values():
            for cell in case.cells:
                found.setdefault(cell.lane, []).append(cell)
        return found

    def _serve(self, lane: Lane, cells: list[Cell], workers: Callable[[], Worker]) -> None:
        """In a thread of the lane."""
        try:
            with self._seats, self._wall.during("start_up"):
                worker = workers()
                await_ready(worker, lane, self._folder)
            for cell in cells:
                if not self._wait_for_turn(cell):
                    return
                with self._seats:
                    if self._stopped:
                        return
                    answer = worker.answer(cell, self._limit_seconds, keep=cell.id in self._timed)
                self._wall.add("compile", answer.compile_seconds)
                self._wall.add("answers", answer.prepare_seconds + answer.first_call_seconds)
                self._inbox.put((cell, answer))
        except Exception as error:  # noqa: BLE001 - handed to the main thread, which raises it
            self._inbox.put(error)

    def _wait_for_turn(self, cell: Cell) -> bool:
        """Until its case is near enough to the oldest open one, and the first large one; False when the run stops."""
        with self._turn:
            self._turn.wait_for(lambda: self._stopped or self._near(cell.case))
            return not self._stopped

    def _near(self, case: Case) -> bool:
        if self._place[case.id] - self._oldest() > AHEAD:
            return False
        return not _large(case) or case.id == next((name for name, entry in self._open.items() if _large(entry.case)))

    def _oldest(self) -> int:
        return self._place[next(iter(self._open))] if self._open else 0

    def _stop(self) -> None:
        with self._turn:
            self._stopped = True
            self._turn.notify_all()

    def _take(self, cell: Cell, answer: Answer, deliver: Deliver) -> None:
        """In the main thread: the row first, so that it survives; then the case, if this was its last."""
        self._folder.append("cells", rows.of_answer(cell, answer, timed=cell.id in self._timed))
        entry = self._open[cell.case.id]
        entry.answers[cell.id] = answer
        deliver(cell, answer)
        if len(entry.answers) < len(entry.cells):
            return
        for other, failed in _unequal_inputs(entry.cells, entry.answers).items():
            entry.answers[other.id] = failed
            self._folder.append("cells", rows.of_answer(other, failed, timed=other.id in self._timed))
            deliver(other, failed)
        answers = {other: entry.answers[other.id] for other in entry.cells}
        if self._judges is None:
            self._hand_in(entry.case, *judged(self._judge, entry.case, answers))
            return
        entry.answers.clear()
        future = self._judges.submit(judged, self._judge, entry.case, answers)
        future.add_done_callback(lambda done, case=entry.case: self._heard(case, done))  # type: ignore[misc]

    def _heard(self, case: Case, done: Future[tuple[Rows, float]]) -> None:
        """In a thread of the executor."""
        if done.cancelled():
            return
        error = done.exception()
        if isinstance(error, BrokenProcessPool):
            self._inbox.put(
                BadInput(
                    subject=f"judging {case.id}",
                    expected="a process that judges to its end",
                    received="one that was killed or ended itself (too little memory, or a suite that exits)",
                    remedy=f"`lossbench run --resume {self._folder.id}` goes on",
                )
            )
        elif isinstance(error, Exception):
            self._inbox.put(error)
        else:
            self._hand_in(case, *done.result())

    def _hand_in(self, case: Case, found: Rows, seconds: float) -> None:
        self._wall.add("judging", seconds)
        self._inbox.put(_Judged(case=case.id, rows=found))

    def _close(self, found: _Judged) -> None:
        """In the main thread: what the judge said is journaled, and the case is done."""
        entry = self._open[found.case]
        by_id = {cell.id: cell for cell in entry.cells}
        for verdict in found.rows:
            self._folder.append("agreement", rows.of_verdict(by_id[verdict["cell"]], verdict))
        self._folder.judged(found.case)
        with self._turn:
            del self._open[found.case]
            self._turn.notify_all()


def _large(case: Case) -> bool:
    return prod(case.shape) >= LARGE


def _halves(cells: Sequence[Cell]) -> tuple[list[Cell], list[Cell]]:
    """Every other loss and dtype: what a framework compiles for one of them is of use to no other."""
    turns = {key: turn for turn, key in enumerate(dict.fromkeys((c.case.loss, c.case.dtype) for c in cells))}
    parts: tuple[list[Cell], list[Cell]] = ([], [])
    for cell in cells:
        parts[turns[cell.case.loss, cell.case.dtype] % 2].append(cell)
    return parts


def _unequal_inputs(cells: Sequence[Cell], answers: Mapping[str, Answer]) -> dict[Cell, Answer]:
    """The cells whose worker built other inputs than most did, each as a failed answer."""
    seen = Counter(answers[cell.id].digest for cell in cells if answers[cell.id].digest)
    if len(seen) < 2:
        return {}
    usual = seen.most_common(1)[0][0]
    found = {}
    for cell in cells:
        answer = answers[cell.id]
        if answer.digest and answer.digest != usual:
            reason = f"inputs differ from the other lanes': digest {answer.digest}, the others' {usual}"
            found[cell] = replace(answer, status="failed", reason=reason, value=None, grad=None)
    return found
