"""What is left of a run, and what a seat must be told to do its share of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol

from lossbench.cluster import parcels
from lossbench.cluster.desk import Desk, Share, heaviest_first
from lossbench.record.run import RunFolder
from lossbench.spec.case import Cell, Lane

Visits = list[tuple[str, int, int]]
"""Cell, number of the visit, and position in the run's schedule."""


class Planned(Protocol):
    """What is needed of `lossbench.spec.plan.Plan`."""

    @property
    def cells(self) -> tuple[Cell, ...]: ...
    @property
    def timed(self) -> frozenset[str]: ...
    @property
    def lanes(self) -> tuple[Lane, ...]: ...


class Work:
    """The cases that the folder does not hold, and the visits of every loss of which one is missing.

    A loss that was measured in part is measured again from its first visit, for its seat may be another one.
    """

    def __init__(
        self, plan: Planned, folder: RunFolder, schedule: Sequence[tuple[int, Cell]],
        expected: Mapping[str, float] = MappingProxyType({}),
    ) -> None:  # fmt: skip
        """expected: seconds by case, of an earlier run; without them every cell weighs the same."""
        self._plan = plan
        self._cells: dict[str, list[Cell]] = {}
        for cell in plan.cells:
            self._cells.setdefault(cell.case.id, []).append(cell)
        done = folder.done()
        self.judged = set(done.cases)
        self._status = {row["cell"]: row["status"] for row in folder.rows("cells")}
        self._visits: dict[str, Visits] = {}
        for position, (number, cell) in enumerate(schedule):
            self._visits.setdefault(cell.case.loss, []).append((cell.id, number, position))
        broken = {row["cell"] for row in folder.rows("measurements") if row["status"] != "ok"}
        timed: dict[str, dict[str, float]] = {}
        for name, found in self._cells.items():
            if any(cell.id in plan.timed for cell in found):
                timed.setdefault(found[0].case.loss, {})[name] = self._weight(name, expected)
        for loss in [loss for loss, cases in timed.items() if cases.keys() <= self.judged]:
            due = {(cell, number) for cell, number, _ in self._visits[loss] if self._status.get(cell) == "ok"}
            if all(visit in done.blocks or visit[0] in broken for visit in due):
                del timed[loss]
        covered = {case for cases in timed.values() for case in cases} | self.judged
        compared = {name: self._weight(name, expected) for name in self._cells if name not in covered}
        self.desk = Desk(heaviest_first(compared) if expected else compared, timed)
        self.total = sum(len(found) for name, found in self._cells.items() if name not in self.judged)
        self.total += sum(len(self._visits[loss]) for loss in timed)

    def _weight(self, name: str, expected: Mapping[str, float]) -> float:
        """Seconds where they are known, else what a case of so many cells takes on the average."""
        cells = len(self._cells[name])
        if not expected:
            return float(cells)
        typical = sum(expected.values()) / len(expected) * cells * len(self._cells) / len(self._plan.cells)
        return expected.get(name, typical)

    def parcel(self, share: Share) -> dict[str, Any]:
        """The share as plain values. answered: cells whose answers the run has; fine: those of them to be timed."""
        cells = [cell for case in share.cases for cell in self._cells[case]]
        answered = [cell.id for cell in cells if cell.case.id in self.judged]
        return {
            "cells": [parcels.fields_of(cell, self._plan.lanes) for cell in cells],
            "answered": answered,
            "fine": [name for name in answered if self._status.get(name) == "ok"],
            "timed": [cell.id for cell in cells if cell.id in self._plan.timed],
            "visits": self._visits[share.timed] if share.timed else [],
        }

    def answered(self, row: Mapping[str, Any]) -> None:
        """A row of `cells` has come."""
        self._status[row["cell"]] = row["status"]
