"""Replicates go where the verdict is open: the cells of a lane share a process; those that are settled drop out.

Lanes have equal shares of the time, so that one which compiles for seconds does not starve the others.

Suspects are then asked again in interpreters started anew, on replicates of their own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from lossbench.judge.change import Judgement, Rule, judge
from lossbench.judge.replicates import log_ratios
from lossbench.lanes.measurement import Paired
from lossbench.lanes.replicas import Replicas
from lossbench.lanes.versions import Version
from lossbench.spec.case import Cell, Lane

ROUNDS: Final = 5
FIRST_SHARE: Final = 0.7
"""Of the budget, for the first stage where there are suspects to confirm."""
MOST_CELLS: Final = 24
"""In one process, so that no replicate of a cell lies long after another's."""
REPLICATE_LIMIT_SECONDS: Final = 120.0
LEAST_LIMIT_SECONDS: Final = 15.0
CELL_SECONDS: Final = 0.3
"""First guess of what a replicate of a cell costs."""

Tell = Callable[[int, int, float], None]


@dataclass(slots=True, kw_only=True)
class Course:
    """One cell on its way. x, control: of the present stage, as judged. first: how the first stage ended.

    raw: every replicate's answer, of both stages. troubles: replicates without an answer, in a row.
    """

    cell: Cell
    names: Mapping[str, str]
    x: list[float] = field(default_factory=list)
    control: list[float] = field(default_factory=list)
    judgement: Judgement
    first: Judgement | None = None
    raw: list[Paired] = field(default_factory=list)
    troubles: int = 0
    same_value: bool = True

    def take(self, paired: Paired, rule: Rule) -> None:
        """Adds a replicate and judges anew at a look."""
        self.raw.append(paired)
        confirming = self.first is not None
        if paired.status != "ok":
            self.troubles += 1
            if self.troubles > 1 or paired.status in ("absent", "unsupported", "skipped"):
                reason = f"{paired.status}: {paired.reason}"
                self.judgement = without(reason, len(self.x), invalid=True)
            return
        self.troubles = 0
        control, head = log_ratios(paired.seconds_per_call, paired.preempted)
        self.x.append(float(head))
        self.control.append(float(control))
        self.same_value &= paired.same_value
        self.judgement = judge(self.x, self.control, rule, confirming=confirming)


def without(reason: str, replicates: int = 0, *, invalid: bool = False) -> Judgement:
    """Before the first replicate, or where none will come."""
    nothing = dict.fromkeys(("change", "low", "high", "control", "detectable"), float("nan"))
    verdict = "INVALID" if invalid else "INCONCLUSIVE"
    return Judgement(verdict=verdict, reason=reason, replicates=replicates, open=not invalid, **nothing)  # type: ignore[arg-type]


@dataclass(slots=True, kw_only=True)
class Campaign:
    """A comparison within a budget of seconds. `run` fills in the courses."""

    versions: Sequence[Version]
    cells: Sequence[tuple[Cell, Mapping[str, str]]]
    rule: Rule
    budget_seconds: float
    seed: int = 0
    rounds: int = ROUNDS
    courses: list[Course] = field(default_factory=list)
    seconds: float = 0.0
    replicates: int = 0
    _began: float = 0.0
    _cost: dict[Lane, float] = field(default_factory=dict)
    _spent: dict[Lane, float] = field(default_factory=dict)

    def run(self, tell: Tell | None = None) -> list[Course]:
        """Both stages. BadInput where a version does not load or a framework is missing."""
        self._began = time.monotonic()
        nothing = without("no replicate yet")
        self.courses = [Course(cell=cell, names=names, judgement=nothing) for cell, names in self.cells]
        self._stage(self.courses, tell)
        suspects = [course for course in self.courses if course.judgement.suspect]
        for course in suspects:
            course.first, course.x, course.control = course.judgement, [], []
            course.judgement = without("suspected; the budget ended before it was confirmed")
        if suspects:
            self._stage(suspects, tell)
        self.seconds = time.monotonic() - self._began
        return self.courses

    def _stage(self, courses: Sequence[Course], tell: Tell | None) -> None:
        with ExitStack() as stack:
            lanes = dict.fromkeys(course.cell.lane for course in courses)
            replicas = {
                lane: stack.enter_context(Replicas(lane, self.versions, seed=self.seed + self.replicates))
                for lane in lanes
            }
            for source in replicas.values():
                source.start()
            for source in replicas.values():
                source.ready()
            while self._pass(courses, replicas):
                if tell is not None:
                    settled = sum(not course.judgement.open for course in self.courses)
                    tell(settled, len(self.courses), max(0.0, self.budget_seconds - time.monotonic() + self._began))

    def _pass(self, courses: Sequence[Course], replicas: Mapping[Lane, Replicas]) -> bool:
        """One replicate of each open cell of the lane that had the least time so far; whether there was any."""
        for lane in sorted(replicas, key=lambda lane: self._spent.get(lane, 0.0)):
            chosen = [course for course in courses if course.cell.lane == lane and course.judgement.open]
            taken = False
            for group in _groups(chosen):
                if self._left(courses) > self._cost.get(lane, CELL_SECONDS) * len(group):
                    self._replicate(replicas[lane], group)
                    taken = True
            if taken:
                return True
        return False

    def _replicate(self, source: Replicas, group: Sequence[Course]) -> None:
        started = time.monotonic()
        self.replicates += 1
        found = source.replicate(
            [(course.cell, course.names) for course in group],
            seed=self.seed * 1_000_003 + self.replicates, rounds=self.rounds,
            limit_seconds=min(REPLICATE_LIMIT_SECONDS, max(LEAST_LIMIT_SECONDS, self._left(group))),
        )  # fmt: skip
        for course, paired in zip(group, found, strict=True):
            course.take(paired, self.rule)
        taken = time.monotonic() - started
        self._spent[source.lane] = self._spent.get(source.lane, 0.0) + taken
        spent = taken / len(group)
        known = self._cost.get(source.lane)
        self._cost[source.lane] = spent if known is None else float(np.sqrt(known * spent))

    def _left(self, courses: Sequence[Course]) -> float:
        """Seconds of the budget; while there are suspects the first stage leaves some for the second."""
        waiting = any(course.judgement.suspect for course in courses)
        return self.budget_seconds * (FIRST_SHARE if waiting else 1.0) - (time.monotonic() - self._began)


def _groups(courses: Sequence[Course]) -> Sequence[Sequence[Course]]:
    """Those that share a process; one that lost its process goes alone."""
    alone = [[course] for course in courses if course.troubles]
    together = [course for course in courses if not course.troubles]
    return [together[i : i + MOST_CELLS] for i in range(0, len(together), MOST_CELLS)] + alone
