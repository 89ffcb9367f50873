"""The coordinator: seats its lanes on the cluster's nodes, hands out shares, journals the rows as they come.

It fills a run's folder; what follows (books, tables, facts) is what follows any run, with nothing left to measure.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from types import MappingProxyType
from typing import Any, Final, Protocol

from lossbench.cluster import parcels
from lossbench.cluster.desk import TRIES, Share
from lossbench.cluster.gathering import Gathering
from lossbench.cluster.seats import Needs, Node, Seat, needs_of, seats
from lossbench.cluster.work import Work
from lossbench.lanes.bounds import Bounds
from lossbench.lanes.measurement import Answer, Block
from lossbench.lanes.process import UNBOUNDED
from lossbench.record.run import RunFolder
from lossbench.running.contract import Progress, Start, Timing, Worker
from lossbench.running.wall import Wall
from lossbench.spec.case import Cell, Lane
from lossbench.spec.errors import BadInput
from lossbench.spec.plan import Plan

LOOK_SECONDS: Final = 10.0
"""How often the cluster is looked at for nodes that have joined."""
WAIT_SECONDS: Final = 1.0

Told = Sequence[tuple[str, Mapping[str, Any]]]


class Cluster(Protocol):
    """What is needed of `lossbench.cluster.rays.Rays`."""

    def nodes(self) -> Sequence[Node]: ...
    def seat(self, seat: Seat, needs: Needs, setup: Mapping[str, Any]) -> None: ...
    def begin(self, seat: Seat, work: Mapping[str, Any]) -> None: ...
    def heard(self, wait_seconds: float) -> Iterator[tuple[Seat, Told]]: ...
    def leave(self, seat: Seat) -> None: ...


class Driver:
    """Carries a plan out on a cluster. resources: custom ones that every seat asks for. say: tells the user.

    expected: seconds by case, where an earlier run tells them. bounds: of each worker.
    """

    def __init__(
        self,
        cluster: Cluster,
        resources: Sequence[str] = (),
        say: Callable[[str], None] = lambda _: None,
        expected: Mapping[str, float] = MappingProxyType({}),
        bounds: Bounds = UNBOUNDED,
    ) -> None:
        self._expected, self._bounds = expected, bounds
        self._cluster, self._resources, self._say = cluster, tuple(resources), say
        self._known: dict[str, Node] = {}
        self._open: dict[Seat, Share] = {}
        self._own: dict[Seat, bool] = {}
        self._coming: set[Seat] = set()
        self._reason = ""

    def seat(self, plan: Plan, folder: RunFolder, suites: Sequence[Any], timing: Timing) -> None:
        """Asks for the seats, whose lanes import their frameworks from then on. BadInput where no node will do."""
        self._needs = needs_of(plan.lanes, self._resources)
        self._setup = {
            "run": folder.id, "lanes": [asdict(lane) for lane in plan.lanes], "suites": parcels.packed(suites),
            "timing": asdict(timing), "timed_cells": len(plan.timed), "bounds": asdict(self._bounds),
        }  # fmt: skip
        self._gathering = Gathering(folder)
        self._welcome()

    def fill(
        self, plan: Plan, folder: RunFolder, schedule: Sequence[tuple[int, Cell]], wall: Wall, progress: Progress
    ) -> dict[str, str]:
        """Runs what the folder does not hold; facts of the nodes it ran on. BadInput when no node is left."""
        work = Work(plan, folder, schedule, self._expected)
        looked, done, patient = time.monotonic(), 0, True
        with wall.phase():
            while work.desk.waiting or self._open:
                self._hand_out(work)
                if not self._open and not self._coming and not self._own:
                    raise self._abandoned(folder)
                if not self._open and not self._coming:
                    break  # what is left needs cores that no seat has for itself
                for seat, told in self._cluster.heard(WAIT_SECONDS):
                    for kind, row in told:
                        done += self._take(seat, kind, row, work, wall)
                progress(done, max(done, work.total), math.nan)
                if time.monotonic() - looked > LOOK_SECONDS:
                    self._welcome()
                    looked = time.monotonic()
                    if patient and not self._own:
                        self._say("the cluster has no room yet: nodes are busy, or their frameworks are still starting")
                        patient = False
        for seat in tuple(self._own):
            self._cluster.leave(seat)
        return self._gathering.facts()

    @property
    def left(self) -> Start:
        """What takes the place of a lane when the cluster has done what it can."""
        return given

    def _welcome(self) -> None:
        """Seats on nodes that were not known before; those of one machine share its cores."""
        there = {node.id: node for node in self._cluster.nodes()}
        new = there.keys() - self._known.keys()
        if self._known and not new:
            return
        self._known = {name: node for name, node in self._known.items() if name in there} | there
        for seat in seats(self._known.values(), self._needs):
            if seat.node in new:
                setup = {**self._setup, "first": seat.first, "cores": seat.cores}
                self._cluster.seat(seat, self._needs, setup)
                self._coming.add(seat)

    def _hand_out(self, work: Work) -> None:
        for seat, own in self._own.items():
            if seat not in self._open and (share := work.desk.take(len(self._own), times=own)) is not None:
                self._open[seat] = share
                self._cluster.begin(seat, work.parcel(share))

    def _take(self, seat: Seat, kind: str, row: Mapping[str, Any], work: Work, wall: Wall) -> int:
        """One thing that a seat told; how many answers and visits it was."""
        match kind:
            case "hello":
                self._coming.discard(seat)
                self._own[seat] = row["own"]
                self._gathering.arrived(seat.node, row)
            case "lost":
                self._lost(seat, row["reason"], work)
            case "bad_input":
                raise BadInput(**{**row, "subject": f"node {seat.node[:8]}, {row['subject']}"})
            case "fault":
                raise RuntimeError(f"node {seat.node[:8]}: {row['reason']}")
            case "done":
                self._gathering.ended(seat.node, self._open.pop(seat).timed)
                for activity, seconds in row["busy"].items():
                    wall.add(activity, seconds)
            case "judged":
                work.judged.add(row["case"])
                self._gathering.judged(row["case"])
            case _:
                if kind == "cells":
                    work.answered(row)
                self._gathering.row(seat.node, kind, row)
        return int(kind in ("cells", "measurements"))

    def _lost(self, seat: Seat, reason: str, work: Work) -> None:
        self._coming.discard(seat)
        self._own.pop(seat, None)
        self._reason = reason
        share = self._open.pop(seat, None)
        if share is not None:
            work.desk.back(share, work.judged)
        again = sum(case not in work.judged for case in share.cases) if share is not None else 0
        self._say(f"node {seat.node[:8]} is lost ({reason}); {again} open cases run elsewhere")
        self._gathering.lost(seat.node, reason)

    def _abandoned(self, folder: RunFolder) -> BadInput:
        return BadInput(
            subject="the cluster",
            expected="a node that goes on with the run",
            received=f"none, the last was lost ({self._reason})",
            remedy=f"what was measured is kept, `lossbench run --resume {folder.id} --cluster ...` goes on",
        )


class Given:
    """The worker of a lane for what no node could do: its rows say so."""

    def ready(self) -> Mapping[str, Any]:
        """Nothing to wait for."""
        return {}

    def answer(self, cell: Cell, limit_seconds: float, *, keep: bool) -> Answer:  # noqa: ARG002 - as any worker
        """No answer."""
        return Answer(status="crashed", reason=f"{TRIES} nodes were lost while they computed cells of this case")

    def block(self, cell: Cell, rounds: int, loops: int, limit_seconds: float, *, target_seconds: float) -> Block:  # noqa: ARG002
        """No times."""
        return Block(status="crashed", reason="no node with cores of its own measured this loss to its end")


def given(lane: Lane) -> AbstractContextManager[Worker]:  # noqa: ARG001 - as any start
    """A worker that says of each cell why it has no answer."""
    return nullcontext(Given())
