"""How long a recorded run would take on N nodes: its measured seconds, handed out by the desk that a real run has.

One seat a node. Costs are those of cells; what is not modelled is the network and the coordinator.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from statistics import median

from lossbench.cluster.desk import Desk, Share, heaviest_first
from lossbench.cluster.seats import CORES

Function = tuple[str, str, str, str, str]
"""Lane, loss, dtype, binding, operation: what a framework compiles for one of them is of use to no other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Of a case, in seconds. lanes: of each lane's own process, compiling apart; compiled: of what compiles.

    judging: of the judge.
    """

    loss: str
    cells: int
    lanes: Mapping[str, float]
    compiled: Mapping[Function, float] = field(default_factory=dict)
    judging: float = 0.0

    @property
    def seconds(self) -> float:
        """Of processors, all together."""
        return sum(self.lanes.values()) + sum(self.compiled.values()) + self.judging


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """cases: by id, in the plan's order. visits: seconds of the timed losses' visits. start: until a seat can begin.

    documents: seconds of claims, curves and maps, which the coordinator does beside the seats; before them where some
    of them time.
    """

    cases: Mapping[str, Cost]
    visits: Mapping[str, float] = field(default_factory=dict)
    start: float = 0.0
    documents: float = 0.0

    def seeded(self, seeds: int) -> Costs:
        """As if every case were run with so many seeds, at the same cost each; documents are asked once."""
        cases = {f"{name} {seed}": cost for name, cost in self.cases.items() for seed in range(seeds)}
        visits = {loss: seconds * seeds for loss, seconds in self.visits.items()}
        return Costs(cases=cases, visits=visits, start=self.start, documents=self.documents)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """What N nodes would take. work: seconds of one node without its start; longest: of the largest single share.

    documents: seconds that the coordinator needs at least.

    efficiency: work / (nodes x seconds), with the start of every node; scheduled: likewise, all having started.
    """

    nodes: int
    seconds: float
    work: float
    start: float
    longest: float
    longest_case: str
    documents: float = 0.0

    @property
    def efficiency(self) -> float:
        return self.work / (self.nodes * self.seconds)

    @property
    def scheduled(self) -> float:
        return self.work / (self.nodes * max(self.seconds - self.start, 1e-12))

    @property
    def bound(self) -> str:
        """The largest of what the seconds cannot fall below."""
        parts = {
            "work": self.work / self.nodes, "start-up": self.start, "longest case": self.longest,
            "claims and curves": self.documents,
        }  # fmt: skip
        return max(parts, key=lambda part: parts[part])


class Simulation:
    """Costs, laid out for many numbers of nodes. known: the desk has the seconds of an earlier run to go by."""

    def __init__(self, costs: Costs, *, known: bool = True) -> None:
        self._costs = costs
        built: dict[Function, list[float]] = {}
        for cost in costs.cases.values():
            for function, seconds in cost.compiled.items():
                built.setdefault(function, []).append(seconds)
        self._first = {function: max(seconds) for function, seconds in built.items()}
        self._later = {function: median(seconds) for function, seconds in built.items()}
        timed: dict[str, dict[str, float]] = {}
        for name, cost in costs.cases.items():
            if cost.loss in costs.visits:
                timed.setdefault(cost.loss, {})[name] = cost.seconds if known else cost.cells
        self._timed = timed
        compared = {name: cost for name, cost in costs.cases.items() if cost.loss not in costs.visits}
        weights = {name: cost.seconds if known else float(cost.cells) for name, cost in compared.items()}
        self._compared = heaviest_first(weights) if known else weights
        self._alone = {share.cases[0]: self.seconds(share) for share in self._smallest()}

    def on(self, nodes: int) -> Spread:
        """The schedule on that many nodes."""
        desk = Desk(self._compared, self._timed)
        first = self._costs.start + (self._costs.documents if self._timed else 0.0)
        free = [(first, node) for node in range(nodes)]
        warm: list[set[Function]] = [set() for _ in range(nodes)]
        end = self._costs.start + self._costs.documents
        while desk.waiting:
            share = desk.take(nodes)
            assert share is not None, "something waits"
            began, node = heapq.heappop(free)
            ready = began + self.seconds(share, warm[node])
            warm[node] |= {function for name in share.cases for function in self._costs.cases[name].compiled}
            end = max(end, ready)
            heapq.heappush(free, (ready, node))
        everything = Share(cases=tuple(self._costs.cases))
        longest = max(self._alone, key=lambda name: self._alone[name])
        return Spread(
            nodes=nodes, seconds=end, work=self.seconds(everything) + sum(self._costs.visits.values()),
            start=self._costs.start, longest=self._alone[longest], longest_case=longest,
            documents=self._costs.documents,
        )  # fmt: skip

    def seconds(self, share: Share, warm: AbstractSet[Function] = frozenset()) -> float:
        """Of a seat: its lanes take turns on its cores, none is on two at once.

        warm: functions that it has compiled before. The first time of any other is as dear as the dearest recorded.
        """
        lanes: defaultdict[str, float] = defaultdict(float)
        dearest: dict[Function, float] = {}
        judging = 0.0
        for cost in (self._costs.cases[name] for name in share.cases):
            for lane, seconds in cost.lanes.items():
                lanes[lane] += seconds
            judging += cost.judging
            for function, seconds in cost.compiled.items():
                lanes[function[0]] += seconds
                dearest[function] = max(seconds, dearest.get(function, 0.0))
        for function, seconds in dearest.items():
            instead = min(seconds, self._later[function]) if function in warm else self._first[function]
            lanes[function[0]] += instead - seconds
        busy = sum(lanes.values()) + judging
        return max([busy / CORES, *lanes.values()]) + self._costs.visits.get(share.timed, 0.0)

    def _smallest(self) -> list[Share]:
        """What cannot be divided: a case, or all cases of a timed loss."""
        single = [Share(cases=(name,)) for name in self._compared]
        return single + [Share(cases=tuple(cases), timed=loss) for loss, cases in self._timed.items()]
