"""What sits on a seat: the lanes' workers, answers and visits as in any run, and a tray that the rows are taken from.

Knows nothing of clusters: `rays` puts it into an actor. Everything that goes in or comes out is plain data.
"""

from __future__ import annotations

import contextlib
import os
import queue
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from lossbench import __version__
from lossbench.bench.judging import RunJudge, judge_case, judges
from lossbench.cluster import parcels
from lossbench.lanes.bounds import Bounds
from lossbench.lanes.measurement import Answer
from lossbench.lanes.process import LaneProcess
from lossbench.record import machine
from lossbench.running.answering import Answering
from lossbench.running.contract import Judge, Timing
from lossbench.running.visiting import Visit, Visiting
from lossbench.running.wall import Wall
from lossbench.spec import catalogue as catalogues
from lossbench.spec.case import Cell, Lane
from lossbench.spec.errors import BadInput

GATHER_SECONDS: Final = 0.05
"""Rows that follow each other so closely travel together."""


class Tray:
    """Stands for the run's folder where there is none: rows lie here until they are fetched."""

    def __init__(self, run: str) -> None:
        self.id = run
        self._rows: queue.SimpleQueue[tuple[str, dict[str, Any]]] = queue.SimpleQueue()

    def append(self, table: str, row: Mapping[str, Any]) -> None:
        """A row of a table."""
        self._rows.put((table, dict(row)))

    def judged(self, case: str) -> None:
        """A case is complete."""
        self._rows.put(("judged", {"case": case}))

    def say(self, what: str, **told: Any) -> None:
        """Something that is no row: `done`, or `bad_input`."""
        self._rows.put((what, told))

    def fetched(self, wait_seconds: float) -> list[tuple[str, dict[str, Any]]]:
        """All that lies here; waits for the first."""
        try:
            found = [self._rows.get(timeout=wait_seconds)]
        except queue.Empty:
            return []
        time.sleep(GATHER_SECONDS)
        while not self._rows.empty():
            found.append(self._rows.get())
        return found


class Place:
    """One seat at work. See `parcels` for what it is told and what it says."""

    def __init__(self, setup: Mapping[str, Any]) -> None:
        self._setup = setup
        self._tray, self._wall = Tray(setup["run"]), Wall()
        self._stack = ExitStack()
        self._lanes: dict[Lane, LaneProcess] = {}
        self._judge: Judge | None = None
        self._judges: Executor | None = None
        self._spent = self._wall.busy()

    def hello(self) -> dict[str, Any]:
        """Takes its cores, lets every lane import its framework, and says where it is, without waiting for them.

        own: whether it has its cores for itself. BadInput travels as the tray's `bad_input` once there is work.
        """
        facts = {key: str(value) for key, value in machine.facts().items()}  # of the node: all its cores
        own = _sit(self._setup["first"], self._setup["cores"])
        folder = Path(self._stack.enter_context(TemporaryDirectory(prefix="lossbench-seat-")))
        suites = parcels.unpacked(self._setup["suites"], folder)
        for fields in self._setup["lanes"]:
            lane = Lane(**fields)
            self._lanes[lane] = LaneProcess(lane, suites, bounds=Bounds(**self._setup["bounds"]))
            self._stack.callback(self._lanes[lane].close)
            self._lanes[lane].start()
        if self._setup["cores"] > 1:
            self._judge = judge_case
            self._judges = self._stack.enter_context(judges(suites, self._setup["cores"]))
        else:
            self._judge = RunJudge(catalogues.load(suites, backend=""))
        return {"own": own, "lossbench": __version__, "facts": facts}

    def begin(self, work: Mapping[str, Any]) -> None:
        """Starts on a share; the tray says `done` at its end."""
        threading.Thread(target=self._serve, args=(work,), daemon=True).start()

    def rows(self, wait_seconds: float) -> list[tuple[str, dict[str, Any]]]:
        """What there is to tell, in its order."""
        return self._tray.fetched(wait_seconds)

    def close(self) -> None:
        """Ends the workers."""
        self._stack.close()

    def _serve(self, work: Mapping[str, Any]) -> None:
        try:
            self._carry_out(work)
        except BadInput as error:
            parts = ("subject", "expected", "received", "remedy")
            self._tray.say("bad_input", **{part: getattr(error, part) for part in parts})
        except Exception as error:  # noqa: BLE001 - travels to the coordinator, which raises it
            self._tray.say("fault", reason=f"{type(error).__name__}: {error}")
        else:
            busy = self._wall.busy()
            self._tray.say("done", busy={name: busy[name] - self._spent[name] for name in busy})
            self._spent = busy

    def _carry_out(self, work: Mapping[str, Any]) -> None:
        cells = [parcels.cell_of(fields, self._setup["lanes"]) for fields in work["cells"]]
        timing = Timing(**{**self._setup["timing"], "rounds": tuple(self._setup["timing"]["rounds"])})
        fine = set(work["fine"])

        def deliver(cell: Cell, answer: Answer) -> None:
            (fine.add if answer.status == "ok" else fine.discard)(cell.id)

        assert self._judge is not None, "hello comes before begin"
        if cells:
            Answering(
                cells=[cell for cell in cells if cell.id not in work["answered"]], folder=self._tray, judge=self._judge,
                timed=frozenset(work["timed"]), wall=self._wall, limit_seconds=timing.limit_seconds,
                at_once=self._setup["cores"], judges=self._judges,
            ).run(self._lanes.__getitem__, deliver)  # fmt: skip
        self._visit({cell.id: cell for cell in cells}, work["visits"], fine, timing)

    def _visit(
        self, cells: Mapping[str, Cell], visits: Sequence[tuple[str, int, int]], fine: set[str], timing: Timing
    ) -> None:
        if not visits:
            return
        visiting = Visiting(
            folder=self._tray, timing=timing, workers=self._lanes.__getitem__, wall=self._wall,
            cells=self._setup["timed_cells"],
        )  # fmt: skip
        for name, number, position in visits:
            if name in fine:
                visiting.measure(Visit(cell=cells[name], number=number, position=position))
        for lane in self._lanes.values():
            lane.forget()


def _sit(first: int, cores: int) -> bool:
    """Keeps this process, and all that it starts, to its cores; False where the machine has not so many: anywhere."""
    if not hasattr(os, "sched_setaffinity"):
        return first == 0
    own = sorted(os.sched_getaffinity(0))[first : first + cores]
    if len(own) < cores:
        return False
    tasks = Path("/proc/self/task")
    for task in [int(entry.name) for entry in tasks.iterdir()] if tasks.is_dir() else [0]:
        with contextlib.suppress(ProcessLookupError):  # a thread that has ended meanwhile
            os.sched_setaffinity(task, own)
    return True
