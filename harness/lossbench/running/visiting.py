"""The second phase: what happens on one visit to a cell, and how the worker's samples reach pytest-benchmark.

A visit is one request to the worker; it measures all rounds itself. `Replay` is a clock that tells those
samples, one a round, so that pytest-benchmark's books hold exactly what the worker measured and no round trip.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lossbench.lanes.measurement import Block
from lossbench.record.lost import NOT_VISITED
from lossbench.running import rows
from lossbench.running.contract import Book, Timing, Worker
from lossbench.running.wall import Wall
from lossbench.spec.case import Cell, Lane


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One run of a cell's pytest item. recalled: samples that the run already holds from before it was resumed."""

    cell: Cell
    number: int
    position: int
    recalled: tuple[float, ...] = ()


class Replay:
    """A stopwatch that reads zero when a round begins and the worker's sample when it ends, to the last digit."""

    def __init__(self) -> None:
        self._samples: Iterator[float] = iter(())
        self._seconds = 0.0

    def load(self, samples: Sequence[float]) -> None:
        """What the coming rounds took."""
        self._samples, self._seconds = iter(samples), 0.0

    def advance(self) -> None:
        """One round."""
        self._seconds = next(self._samples)

    def __call__(self) -> float:
        seconds, self._seconds = self._seconds, 0.0
        return seconds


class Visiting:
    """Measures blocks and journals them."""

    def __init__(
        self, *, folder: Book, timing: Timing, workers: Callable[[Lane], Worker], wall: Wall, cells: int
    ) -> None:
        """cells: how many are timed, which the total time is spread over."""
        self._folder, self._timing, self._workers, self._wall = folder, timing, workers, wall
        # a quarter of a round goes to the calls that are waited for singly
        self._seconds_per_visit = max(timing.seconds_per_visit(cells) - timing.round_seconds / 4, 0.0)
        self._loops: dict[str, int] = {}
        self._seconds: dict[str, float] = {}
        self._broken: set[str] = set()

    def recall(self, block: Mapping[str, Any]) -> None:
        """A journaled block: a resumed cell keeps its number of loops, so that its samples stay comparable."""
        cell = block["cell"]
        if block["status"] in NOT_VISITED:
            return  # it is visited again
        if block["status"] != "ok":
            self._broken.add(cell)
        elif block["seconds_per_call"]:
            self._loops[cell], self._seconds[cell] = block["loops"], float(block["seconds_per_call"][-1])

    def measure(self, visit: Visit) -> Block:
        """One visit, journaled. After a crash or a hang the cell is not visited again: the block says skipped."""
        cell = visit.cell
        if cell.id in self._broken:
            return Block(status="skipped", reason="an earlier visit failed")
        started_seconds = time.time()
        worker = self._workers(cell.lane)
        block = self._calibrated(cell, worker) if cell.id not in self._loops else None
        if block is None or block.status == "ok":
            block = self._block(cell, worker, self._rounds(cell.id), self._loops[cell.id])
            self._wall.add("timed", block.busy_seconds)
        if block.status != "ok":
            self._broken.add(cell.id)
        row = rows.of_block(cell, block, visit=visit.number, position=visit.position, started_seconds=started_seconds)
        self._folder.append("measurements", row)
        return block

    def _rounds(self, cell: str) -> int:
        fewest, most = self._timing.rounds
        fit = self._seconds_per_visit / max(self._loops[cell] * self._seconds[cell], 1e-9)
        # a cell whose one round takes more than two visits' share would eat the others' time
        return min(max(round(fit), fewest if fit >= 0.5 else 1), most)

    def _calibrated(self, cell: Cell, worker: Worker) -> Block:
        """One round that finds how many calls make a round; it also warms the cell up, and is not kept."""
        probe = self._block(cell, worker, 1, 0)
        if probe.status == "ok":
            self._loops[cell.id], self._seconds[cell.id] = probe.loops, probe.seconds_per_call[-1]
            self._wall.add("calibration", probe.busy_seconds)
        return probe

    def _block(self, cell: Cell, worker: Worker, rounds: int, loops: int) -> Block:
        limit, target = self._timing.limit_seconds, self._timing.round_seconds
        return worker.block(cell, rounds, loops, limit, target_seconds=target)
