"""The driver on a stand-in cluster whose nodes come, answer and go as a test says: every cell is accounted for, once.

The stand-in takes the place of Ray alone; what real seats do is tested on real nodes in `test_ray.py`.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from lossbench import __version__
from lossbench.cluster.driver import Driver
from lossbench.cluster.parcels import cell_of
from lossbench.cluster.seats import Needs, Node, Seat
from lossbench.lanes import schedule
from lossbench.lanes.measurement import Answer, Block
from lossbench.plugin import Outcome, execute
from lossbench.record import machine
from lossbench.record.journal import read
from lossbench.record.run import RunFolder
from lossbench.running import rows
from lossbench.running.contract import Timing
from lossbench.running.wall import Wall
from lossbench.spec.case import Case, Cell, Lane
from lossbench.spec.errors import BadInput
from lossbench.spec.plan import Plan
from lossbench.spec.profiles import PROFILES

LANES = (Lane(backend="torch"), Lane(backend="jax", mode="compiled"))
TIMING = Timing(visits=2)
VERSIONS = {key: str(value) for key, value in machine.versions().items()}
FACTS = {f"machine.{name}": "x" for name in ("cpu", "architecture", "cores", "threads_allowed")}


def a_plan(compared: int, timed: int) -> Plan:
    """Cases that are compared, a loss each, and losses of two cases that are timed."""
    cases = [Case(loss=f"compared{n}", shape=(2,)) for n in range(compared)]
    cases += [Case(loss=f"timed{n}", shape=(size,)) for n in range(timed) for size in (2, 3)]
    cells = [Cell(case=case, binding="f", lane=lane, operation="value") for case in cases for lane in LANES]
    groups = [tuple(c for c in cells if c.case == case) for case in cases if case.loss.startswith("timed")]
    return Plan(
        profile=PROFILES["quick"], cells=tuple(cells), groups=tuple(groups), absent=(),
        timed=frozenset(cell.id for group in groups for cell in group),
    )  # fmt: skip


@dataclass
class Nodes:
    """Each seat tells one thing a time it is heard; a node is lost after as many things as `lives` says of it."""

    lives: dict[str, int]
    own: frozenset[str] = frozenset("abcdefgh")
    kill: str = ""
    version: str = __version__
    told: dict[Seat, deque[tuple[str, dict[str, Any]]]] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    setup: Mapping[str, Any] = field(default_factory=dict)
    busy: Counter[str] = field(default_factory=Counter)
    measured_on: dict[tuple[str, int], str] = field(default_factory=dict)

    def nodes(self) -> list[Node]:
        return [Node(id=name, host=name, cores=2, memory_bytes=2**40) for name in self.lives if name not in self.lost]

    def seat(self, seat: Seat, needs: Needs, setup: Mapping[str, Any]) -> None:
        del needs
        self.setup = setup
        hello = {"own": seat.node in self.own, "lossbench": self.version, "facts": {**VERSIONS, **FACTS}}
        self.told[seat] = deque([("hello", hello)])

    def begin(self, seat: Seat, work: Mapping[str, Any]) -> None:
        tray = self.told[seat]
        cells = [cell_of(fields, self.setup["lanes"]) for fields in work["cells"]]
        by_id = {cell.id: cell for cell in cells}
        for case in dict.fromkeys(cell.case for cell in cells):
            own = [cell for cell in cells if cell.case == case and cell.id not in work["answered"]]
            if not own:
                continue
            if case.loss == self.kill:
                tray.append(("lost", {"reason": "it could not stand that case"}))
                return
            for cell in own:
                tray.append(("cells", rows.of_answer(cell, Answer(status="ok"), timed=cell.id in work["timed"])))
            for cell in own:
                verdict = {"cell": cell.id, "quantity": "value", "against": "oracle", "verdict": "tight"}
                tray.append(("agreement", rows.of_verdict(cell, verdict)))
            tray.append(("judged", {"case": case.id}))
        for name, visit, position in work["visits"]:
            block = Block(status="ok", loops=1, seconds_per_call=(1e-3,))
            row = rows.of_block(by_id[name], block, visit=visit, position=position, started_seconds=0.0)
            tray.append(("measurements", row))
        tray.append(("done", {"busy": {"answers": 1.0}}))

    def heard(self, wait_seconds: float) -> Iterator[tuple[Seat, list[tuple[str, dict[str, Any]]]]]:
        del wait_seconds
        for seat in [seat for seat, tray in self.told.items() if tray]:
            self.lives[seat.node] -= 1
            word = ("lost", {"reason": "its time had come"}) if self.lives[seat.node] < 0 else self.told[seat].popleft()
            if word[0] == "measurements":
                self.measured_on[word[1]["cell"], word[1]["visit"]] = seat.node
            if word[0] == "lost":
                self.leave(seat)
                self.lost.add(seat.node)
            yield seat, [word]

    def leave(self, seat: Seat) -> None:
        self.told.pop(seat, None)


def judge(case: Case, answers: Mapping[Cell, Answer]) -> list[dict[str, Any]]:
    del case
    return [{"cell": c.id, "quantity": "value", "against": "oracle", "verdict": a.status} for c, a in answers.items()]


def filled(plan: Plan, folder: RunFolder, nodes: Nodes) -> tuple[Driver, dict[str, str]]:
    driver = Driver(nodes)
    driver.seat(plan, folder, (), TIMING)
    visits = list(schedule.visits(plan.groups, TIMING.visits, TIMING.seed))
    return driver, driver.fill(plan, folder, visits, Wall(), lambda *_: None)


def carried_out(plan: Plan, folder: RunFolder, nodes: Nodes) -> Outcome:
    driver, facts = filled(plan, folder, nodes)
    return execute(plan, folder, driver.left, judge, order=schedule.visits, timing=TIMING, facts=facts)


def accounted(outcome: Outcome, plan: Plan) -> None:
    tables = outcome.tables
    assert Counter(tables.cells["cell"]) == Counter(cell.id for cell in plan.cells)
    assert Counter(tables.agreement["cell"]) == Counter(cell.id for cell in plan.cells)


def judged(folder: RunFolder) -> Counter[str]:
    return Counter(row["case"] for kind, row in read(folder.path / "journal.jsonl") if kind == "judged")


def cases(plan: Plan) -> set[str]:
    return {cell.case.id for cell in plan.cells}


def test_all_is_done_and_every_row_says_where(tmp_path: Path) -> None:
    plan, nodes = a_plan(5, 2), Nodes(lives=dict.fromkeys("ab", 1000))
    outcome = carried_out(plan, RunFolder.create(tmp_path), nodes)
    accounted(outcome, plan)
    assert len(outcome.tables.measurements) == TIMING.visits * len(plan.timed)
    assert set(outcome.tables.cells["status"]) == {"ok"}
    places = outcome.tables.cells.set_index("cell")["facts"]
    for loss in ("timed0", "timed1"):
        assert outcome.tables.fact(f"cluster.timed.{loss}") in {"a", "b"}
        assert len({places[cell.id] for cell in plan.cells if cell.case.loss == loss}) == 1
    assert outcome.tables.fact("machine.cpu") == "x"
    assert outcome.tables.fact("cluster.nodes") == "2"


@given(st.lists(st.integers(0, 30), min_size=1, max_size=2), st.integers(1, 6), st.integers(0, 3))
@settings(
    max_examples=20,
    phases=[Phase.explicit, Phase.generate],
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_nodes_are_lost_at_any_moment(tmp_path: Path, lives: list[int], compared: int, timed: int) -> None:
    """A third node does what they left open: every case once, every visit, and no loss timed on two nodes."""
    plan = a_plan(compared, timed)
    nodes = Nodes(lives={**dict(zip("ab", lives, strict=False)), "z": 100_000}, own=frozenset("abz"))
    with RunFolder.create(tmp_path) as folder:
        filled(plan, folder, nodes)
        done = folder.done()
        assert judged(folder) == Counter(cases(plan))
        assert done.cells == {cell.id for cell in plan.cells}
        assert done.blocks == {(cell, visit) for cell in plan.timed for visit in range(TIMING.visits)}
        places = {row["key"]: row["value"] for row in folder.rows("facts")}
    for n in range(timed):
        there = {node for (cell, _), node in nodes.measured_on.items() if cell.startswith(f"timed{n}[")}
        assert there == {places[f"cluster.timed.timed{n}"]}


def test_what_takes_its_nodes_down_is_a_row_that_says_so(tmp_path: Path) -> None:
    plan = a_plan(3, 0)
    nodes = Nodes(lives=dict.fromkeys("abcde", 1000), kill="compared1")
    outcome = carried_out(plan, RunFolder.create(tmp_path), nodes)
    accounted(outcome, plan)
    crashed = outcome.tables.cells.query("status == 'crashed'")
    assert set(crashed["loss"]) == {"compared1"}
    assert set(crashed["reason"]) == {"3 nodes were lost while they computed cells of this case"}
    assert len(nodes.lost) == 3


def test_when_no_node_is_left_the_run_says_how_to_go_on_and_goes_on(tmp_path: Path) -> None:
    plan = a_plan(4, 1)
    folder = RunFolder.create(tmp_path)
    with pytest.raises(BadInput, match="--resume") as refused:
        filled(plan, folder, Nodes(lives={"a": 6}))
    assert "its time had come" in str(refused.value)
    folder.close()
    with RunFolder.open(folder.path) as again:
        filled(plan, again, Nodes(lives={"b": 1000}))
        assert judged(again) == Counter(cases(plan))
        assert again.done().blocks == {(cell, visit) for cell in plan.timed for visit in range(TIMING.visits)}


def test_times_wait_for_cores_that_are_not_shared(tmp_path: Path) -> None:
    plan = a_plan(1, 1)
    with RunFolder.create(tmp_path) as folder:
        filled(plan, folder, Nodes(lives={"a": 1000}, own=frozenset()))
        assert set(judged(folder)) == {case for case in cases(plan) if case.startswith("compared")}
        assert not folder.done().blocks


def test_a_node_with_other_versions_is_refused(tmp_path: Path) -> None:
    nodes = Nodes(lives={"a": 10}, version="0.0.1")
    with RunFolder.create(tmp_path) as folder, pytest.raises(BadInput) as refused:
        filled(a_plan(1, 0), folder, nodes)
    assert f"expected lossbench {__version__} as here, received 0.0.1" in str(refused.value)
