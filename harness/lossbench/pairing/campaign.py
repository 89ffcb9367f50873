"""Replicates go where the verdict is open: the cells of a lane share a process; those that are settled drop out.

Lanes run side by side, one a core. Next comes the lane with the cell that has the fewest replicates: most cells are
settled by their first ones, and a stubborn cell waits until the others had as many. A cell that costs many times what
others do comes after them: the time of one such replicate settles several cells. The first stage runs base and head
alone; suspects are then asked again, on replicates of their own and beside a control, in two interpreters started anew
that import the versions in opposite orders.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Final

import numpy as np

from lossbench.judge.change import Judgement, Rule, judge
from lossbench.judge.looks import CONFIRMING, Reals
from lossbench.judge.noise import UNKNOWN, Noise, by_lane
from lossbench.judge.replicates import log_ratios
from lossbench.lanes.measurement import Paired
from lossbench.lanes.replicas import Replicas, Source
from lossbench.lanes.replicate import WORTH_ROUNDS
from lossbench.lanes.versions import Version
from lossbench.pairing import cores
from lossbench.spec.case import Cell, Lane

ROUNDS: Final = WORTH_ROUNDS
"""Where there is time."""
FEW_ROUNDS: Final = 12
"""Where there is less, and a cell costs little to prepare."""
AMPLE_SECONDS: Final = 2.0
"""Of a core, for each cell: below it, three replicates of few rounds say more than one of many."""
FEW_CELLS: Final = 10
"""In one process: waking the framework then costs so much that many rounds cost little more."""
MOST_RESERVED: Final = 0.3
"""Of the budget, kept by the first stage for confirming its suspects."""
START_SECONDS: Final = 6.0
CONFIRMING_REPLICATES: Final = CONFIRMING[1]
"""What confirming takes: frameworks started anew, and replicates of each suspect up to its second look."""
MOST_CELLS: Final = 60
"""In one process: waking a framework and compiling what several losses use is paid once for all of them."""
REPLICATE_LIMIT_SECONDS: Final = 120.0
LEAST_LIMIT_SECONDS: Final = 15.0
CLOSING_SECONDS: Final = 2.0
"""Of the budget: processes end, and the last replicate takes longer than the ones before it."""
CAUTION: Final = 1.3
"""Times what a replicate took before: what the next one of the same cells may take, by the machine's mood."""
IDLE_SECONDS: Final = 0.02
CELL_SECONDS: Final = 0.3
"""First guess of what a replicate of a cell costs."""
CONTROLLED: Final = 1.5
"""Times that, with the control beside base and head."""
DEAR: Final = 4.0
"""Times the median cell's cost: such a cell waits until the others are settled."""

Tell = Callable[[int, int, float], None]


@dataclass(slots=True, kw_only=True)
class Course:
    """One cell on its way. x, control: of the present stage, as judged. first: how the first stage ended.

    raw: every replicate's answer, of both stages. troubles: replicates without an answer, in a row. pending: under way.
    seconds: of its latest replicate.
    """

    cell: Cell
    names: Mapping[str, str]
    x: list[float] = field(default_factory=list)
    control: list[float] = field(default_factory=list)
    judgement: Judgement
    first: Judgement | None = None
    raw: list[Paired] = field(default_factory=list)
    troubles: int = 0
    pending: int = 0
    same_value: bool = True
    seconds: float = 0.0

    def under_way(self) -> int:
        """Replicates taken, or being taken."""
        return len(self.raw) + self.pending

    def take(self, paired: Paired) -> None:
        """Adds a replicate."""
        self.raw.append(paired)
        self.seconds = paired.spent_seconds
        if paired.status != "ok":
            self.troubles += 1
            idle = paired.reason.startswith("base: ")
            if idle or self.troubles > 1 or paired.status in ("absent", "unsupported", "skipped"):
                reason = f"{paired.status}: {paired.reason}"
                self.judgement = replace(without(reason, len(self.x), invalid=True), idle=idle)
            return
        self.troubles = 0
        *control, head = log_ratios(paired.seconds_per_call)
        self.x.append(float(head))
        self.control += map(float, control)
        self.same_value &= paired.same_value

    def look(self, rule: Rule, noise: Noise) -> None:
        """Judges anew what the replicates say; one that has no answer was judged as it came."""
        if not self.troubles:
            confirming = self.first is not None
            self.judgement = judge(self.x, self.control, rule, confirming=confirming, noise=noise)


def without(reason: str, replicates: int = 0, *, invalid: bool = False) -> Judgement:
    """Before the first replicate, or where none will come."""
    nothing = dict.fromkeys(("change", "low", "high", "control", "detectable"), float("nan"))
    verdict = "INVALID" if invalid else "INCONCLUSIVE"
    return Judgement(verdict=verdict, reason=reason, replicates=replicates, open=not invalid, **nothing)  # type: ignore[arg-type]


@dataclass(slots=True, kw_only=True)
class Campaign:
    """A comparison within a budget of seconds. `run` fills in the courses.

    versions: base, control, head. started: makes the source of a lane's replicates. places: the cores to be used.
    """

    versions: Sequence[Version]
    cells: Sequence[tuple[Cell, Mapping[str, str]]]
    rule: Rule
    budget_seconds: float
    seed: int = 0
    started: Callable[[Lane, Sequence[Version], int], Source] | None = None
    places: tuple[int, ...] = field(default_factory=cores.allowed)
    courses: list[Course] = field(default_factory=list)
    seconds: float = 0.0
    replicates: int = 0
    _began: float = 0.0
    costs: dict[Lane, float] = field(default_factory=dict)
    _counting: threading.Lock = field(default_factory=threading.Lock)

    def rounds(self, cells: int) -> int:
        """Of a replicate of so many cells, at least."""
        ample = self.budget_seconds * len(self.places) >= AMPLE_SECONDS * len(self.cells)
        return ROUNDS if ample or cells <= FEW_CELLS else FEW_ROUNDS

    def run(self, tell: Tell | None = None) -> list[Course]:
        """Both stages. BadInput where a version does not load or a framework is missing."""
        self._began = time.monotonic()
        nothing = without("no replicate yet")
        self.courses = [Course(cell=cell, names=names, judgement=nothing) for cell, names in self.cells]
        self._stage(self.courses, [v for v in self.versions if v.name != "control"], tell, spared=True)
        suspects = [course for course in self.courses if course.judgement.suspect]
        for course in suspects:
            course.first, course.x, course.control = course.judgement, [], []
            course.judgement = without("suspected; the budget ended before it was confirmed")
        if suspects:
            self.costs = {lane: cost * CONTROLLED for lane, cost in self.costs.items()}
            self._stage(suspects, self.versions, tell, spared=False)
        self.seconds = time.monotonic() - self._began
        return self.courses

    def _stage(
        self, courses: Sequence[Course], versions: Sequence[Version], tell: Tell | None, *, spared: bool
    ) -> None:
        """spared: whether a lane's second interpreter is started only where a core has nothing else to do."""
        with ExitStack() as stack:
            lanes = dict.fromkeys(course.cell.lane for course in courses)
            make = self.started or (lambda lane, made, seed: Replicas(lane, made, seed=seed))
            sources = {
                (lane, way): stack.enter_context(make(lane, versions, 2 * self.seed + way))
                for lane in lanes
                for way in (0, 1)
            }

            def step(line: tuple[Lane, int], core: int) -> bool:
                group = self._chosen(line[0], courses)
                if group is None:
                    time.sleep(IDLE_SECONDS)
                elif group:
                    self._replicate(sources[line], group, core)
                    if tell is not None:
                        settled = sum(not course.judgement.open for course in self.courses)
                        tell(settled, len(self.courses), max(0.0, self._left(self.courses)))
                return group is None or bool(group)

            def rank(line: tuple[Lane, int]) -> tuple[int, ...]:
                return (self._dear(line[0], courses), spared and line[1] > 0, self._fewest(line[0], courses))

            cores.shared(sources, step, self.places, rank)

    def _fewest(self, lane: Lane, courses: Sequence[Course]) -> int:
        """Replicates of the open cell of the lane that has the fewest, dear ones aside."""
        with self._counting:
            bound = self._bound(courses)
            waiting = (c for c in courses if c.cell.lane == lane and c.judgement.open and c.seconds <= bound)
            return min((course.under_way() for course in waiting), default=0)

    def _dear(self, lane: Lane, courses: Sequence[Course]) -> bool:
        """Whether what is open in the lane costs much more than other cells do."""
        with self._counting:
            bound = self._bound(courses)
            return all(c.seconds > bound for c in courses if c.cell.lane == lane and c.judgement.open)

    def _bound(self, courses: Sequence[Course]) -> float:
        known = [c.seconds for c in courses if c.seconds]
        return DEAR * float(np.median(known)) if known else float("inf")

    def _chosen(self, lane: Lane, courses: Sequence[Course]) -> Sequence[Course] | None:
        """Open cells of a lane with the fewest replicates, as many as there is time for; a lost one goes alone.

        Of cells with as many, those that cost least come first, so that most are settled when the time ends.

        Nothing: there are none. None: another core is at all that the next look needs.
        """
        with self._counting:
            waiting = [c for c in courses if c.cell.lane == lane and c.judgement.open]
            waiting.sort(key=lambda course: (course.under_way(), course.seconds))
            left, bound = self._left(courses), self._bound(courses)
            waiting = [c for c in waiting if c.seconds <= bound] or waiting
            waiting = [c for c in waiting if self._cost(c) <= left]
            if not waiting:
                return ()
            looks = self.rule.looked(any(course.first is not None for course in waiting))
            short = [c for c in waiting if len(c.x) + c.pending < min((n for n in looks if n > len(c.x)), default=0)]
            together = [course for course in short if not course.troubles]
            group = self._fitting(together, left)[:MOST_CELLS] if together else short[:1]
            for course in group:
                course.pending += 1
            return group or None

    def _cost(self, course: Course) -> float:
        """Seconds that its next replicate may take: of a dear one, what the one before took, and some more."""
        return CAUTION * max(course.seconds, self.costs.get(course.cell.lane, CELL_SECONDS))

    def _fitting(self, courses: Sequence[Course], left: float) -> Sequence[Course]:
        """As many of them as one process ends with in that time."""
        return [c for c, spent in zip(courses, accumulate(map(self._cost, courses)), strict=True) if spent <= left]

    def _replicate(self, source: Source, group: Sequence[Course], core: int) -> None:
        source.ready()
        started = time.monotonic()
        with self._counting:
            self.replicates += 1
            number = self.seed * 1_000_003 + self.replicates
        group = random.Random(number).sample(group, len(group))
        found = source.replicate(
            [(course.cell, course.names) for course in group],
            seed=number, rounds=self.rounds(len(group)), core=core,
            limit_seconds=min(REPLICATE_LIMIT_SECONDS, max(LEAST_LIMIT_SECONDS, self._left(group))),
        )  # fmt: skip
        with self._counting:
            for course, paired in zip(group, found, strict=True):
                course.pending -= 1
                course.take(paired)
            noise = self._noise(source.lane)
            for course in group:
                course.look(self.rule, noise)
        spent = (time.monotonic() - started) / len(group)
        known = self.costs.get(source.lane)
        self.costs[source.lane] = spent if known is None else float(np.sqrt(known * spent))

    def _noise(self, lane: Lane) -> Noise:
        """What is usual in the lane by now, of the first stage's replicates."""
        cells: dict[Lane, list[Reals]] = {}
        for course in self.courses:
            if course.first is None:
                cells.setdefault(course.cell.lane, []).append(np.array(course.x))
        return by_lane(cells).get(lane, UNKNOWN)

    def _left(self, courses: Sequence[Course]) -> float:
        """Seconds of the budget; the first stage leaves what its suspects will need."""
        each = (c.seconds or self.costs.get(c.cell.lane, CELL_SECONDS) for c in courses if c.judgement.suspect)
        work = CONFIRMING_REPLICATES * CONTROLLED * sum(each) / len(self.places)
        reserved = min(MOST_RESERVED * self.budget_seconds, START_SECONDS + work) if work else 0.0
        return self.budget_seconds - CLOSING_SECONDS - reserved - (time.monotonic() - self._began)
