"""A whole run on stand-in lanes: phases, journal, pytest-benchmark's book, faults, Ctrl-C and resuming."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lossbench.lanes.measurement import Answer, Block
from lossbench.plugin import Outcome, execute
from lossbench.record import run
from lossbench.record.run import RunFolder
from lossbench.running.contract import Timing
from lossbench.spec.case import Case, Cell, Lane
from lossbench.spec.errors import BadInput

LANES = (Lane(backend="torch"), Lane(backend="jax", mode="compiled"), Lane(backend="tensorflow", threads=2))
TIMING = Timing(visits=3, seconds_per_cell=0.06, round_seconds=0.004, rounds=(2, 5))


@dataclass(frozen=True, kw_only=True)
class FakePlan:
    cells: tuple[Cell, ...]
    timed: frozenset[str]
    groups: tuple[tuple[Cell, ...], ...]


def a_plan(cases: int = 3) -> FakePlan:
    cells = tuple(
        Cell(
            case=Case(loss=f"loss{n}", shape=(4, 2), params=(("delta", 1.0),)), binding="f", lane=lane, operation="grad"
        )
        for n in range(cases)
        for lane in LANES
    )
    groups = tuple(tuple(c for c in cells if c.case.loss == f"loss{n}") for n in range(cases))
    return FakePlan(cells=cells, timed=frozenset(c.id for c in cells), groups=groups)


def in_turn(groups: Sequence[Sequence[Cell]], visits: int, seed: int) -> Iterator[tuple[int, Cell]]:
    """ABC, CBA, ABC, ... within each group."""
    for visit in range(visits):
        for group in groups:
            for cell in group[:: -1 if (visit + seed) % 2 else 1]:
                yield visit, cell


def seconds_of(cell: Cell) -> float:
    """What a call of the cell takes, as the stand-in tells it: 0.1 to 0.4 ms."""
    return 1e-4 * (1 + LANES.index(cell.lane) + 0.1 * int(cell.case.loss[-1]))


@dataclass
class FakeLanes:
    """Deterministic workers. faults: cell id -> status of its blocks; odd: cell ids that see other inputs."""

    faults: Mapping[str, str] = field(default_factory=dict)
    failing: Mapping[str, str] = field(default_factory=dict)
    odd: frozenset[str] = frozenset()
    interrupt_after_blocks: int = -1
    interrupt_in_judge: bool = False
    slower: float = 1.0
    asked: list[str] = field(default_factory=list)
    timed: list[str] = field(default_factory=list)
    running: int = 0

    @contextmanager
    def start(self, lane: Lane) -> Iterator[FakeWorker]:
        self.running += 1
        try:
            yield FakeWorker(self, lane)
        finally:
            self.running -= 1

    def judge(self, case: Case, answers: Mapping[Cell, Answer]) -> Iterable[Mapping[str, Any]]:
        if self.interrupt_in_judge and case.loss == "loss1":
            raise KeyboardInterrupt
        for cell, answer in answers.items():
            worst = json.dumps({"y_true": 0.5, "y_pred": [1.0, 2.0]})
            yield {
                "cell": cell.id,
                "quantity": "value",
                "against": "oracle",
                "verdict": answer.status,
                "worst_inputs": worst,
            }


@dataclass
class FakeWorker:
    lanes: FakeLanes
    lane: Lane

    def ready(self) -> Mapping[str, Any]:
        return {"versions": {self.lane.backend: "1.2"}, "facts": {"threads": self.lane.threads}}

    def answer(self, cell: Cell, limit_seconds: float, *, keep: bool) -> Answer:
        assert (cell.lane, keep) == (self.lane, True)
        assert limit_seconds == TIMING.limit_seconds
        self.lanes.asked.append(cell.id)
        if status := self.lanes.failing.get(cell.id):
            return Answer(status=status, reason="as told")  # type: ignore[arg-type]
        digest = "odd" if cell.id in self.lanes.odd else "usual"
        return Answer(status="ok", digest=digest, value=np.float32(1.5) * np.ones(1), compile_seconds=0.001)

    def block(self, cell: Cell, rounds: int, loops: int, limit_seconds: float, *, target_seconds: float) -> Block:
        assert (cell.lane, limit_seconds) == (self.lane, TIMING.limit_seconds)
        self.lanes.timed.append(cell.id)
        if len(self.lanes.timed) == self.lanes.interrupt_after_blocks:
            raise KeyboardInterrupt
        if status := self.lanes.faults.get(cell.id):
            return Block(status=status, reason="as told")  # type: ignore[arg-type]
        seconds = seconds_of(cell) * self.lanes.slower
        samples = tuple(seconds * (1 + 0.01 * n) for n in range(rounds))
        loops = loops or max(1, round(target_seconds / seconds))
        return Block(
            status="ok", loops=loops, seconds_per_call=samples, busy_seconds=sum(samples) * loops, peak_bytes=1000
        )


def go(folder: RunFolder, lanes: FakeLanes, plan: FakePlan | None = None, **options: Any) -> Outcome:
    return execute(plan or a_plan(), folder, lanes.start, lanes.judge, order=in_turn, timing=TIMING, **options)


def comparable(tables: run.Tables) -> list[pd.DataFrame]:
    """All that a run says but for when it was measured."""
    measurements = tables.measurements.drop(columns=["started_seconds"]).sort_values("position", ignore_index=True)
    cells, agreement = (frame.sort_values("cell", ignore_index=True) for frame in (tables.cells, tables.agreement))
    return [cells, measurements, agreement]


def same(one: run.Tables, other: run.Tables) -> None:
    for a, b in zip(comparable(one), comparable(other), strict=True):
        pd.testing.assert_frame_equal(a, b)


@pytest.fixture(scope="module")
def undisturbed(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, Outcome, FakeLanes, list[tuple[int, int, float]]]:
    folder, lanes = RunFolder.create(tmp_path_factory.mktemp("results")), FakeLanes()
    told: list[tuple[int, int, float]] = []
    outcome = go(folder, lanes, progress=lambda *state: told.append(state), facts={"profile": "quick"})
    return folder.path, outcome, lanes, told


def test_every_cell_is_answered_judged_and_visited(undisturbed: Any) -> None:
    path, outcome, lanes, _ = undisturbed
    tables = run.read(path)
    assert outcome.exit_status == 0
    assert lanes.running == 0
    plan = a_plan()
    assert sorted(lanes.asked) == sorted(c.id for c in plan.cells)
    assert set(tables.cells["cell"]) == set(plan.timed)
    assert tables.cells["params"].unique().tolist() == ['{"delta": 1.0}']
    assert tables.agreement[["loss", "verdict", "worst_y_true"]].drop_duplicates().to_numpy().tolist() == [
        [f"loss{n}", "ok", 0.5] for n in range(3)
    ]
    assert tables.agreement["worst_y_pred"].isna().all()
    assert tables.measurements["cell"].tolist() == [cell.id for _, cell in in_turn(plan.groups, 3, 0)]
    assert tables.measurements["position"].tolist() == list(range(27))
    # 0.02 s a visit, a round of 4 ms: five rounds, of as many calls as fit into 4 ms
    first = tables.measurements.iloc[0]
    assert first["loops"] == 40
    np.testing.assert_array_equal(first["seconds_per_call"], [1e-4 * (1 + 0.01 * n) for n in range(5)])


def test_book_has_each_cell_once_with_all_rounds(undisturbed: Any) -> None:
    path, *_ = undisturbed
    book = json.loads((path / "benchmark.json").read_text())
    measured = run.read(path).measurements.groupby("cell")["seconds_per_call"].apply(lambda s: np.concatenate(list(s)))
    assert {b["param"]: b["stats"]["data"] for b in book["benchmarks"]} == {c: list(s) for c, s in measured.items()}
    assert len(book["benchmarks"]) == 9
    assert book["benchmarks"][0]["extra_info"]["loss"] == "loss0"
    assert book["machine_info"]["node"] == ""


def test_pytest_benchmark_compares_the_book(undisturbed: Any) -> None:
    path, *_ = undisturbed
    done = subprocess.run(
        [sys.executable, "-m", "pytest_benchmark", "compare", str(path / "benchmark.json"), "--columns=median,rounds"],
        capture_output=True,
        text=True,
        check=True,
        cwd=path,
    )
    assert "loss2[delta=1,f32,4x2,typical,s0]@jax-cpu-compiled/f:grad" in done.stdout


def test_progress_ends_with_nothing_left(undisturbed: Any) -> None:
    *_, told = undisturbed
    assert [done for done, _, _ in told] == sorted(done for done, _, _ in told)
    assert told[-1] == (9 + 27, 9 + 27, 0.0)
    assert all(left > 0 for _, _, left in told[:-1])


def test_wall_time_adds_up(undisturbed: Any) -> None:
    path, *_ = undisturbed
    facts = run.read(path)
    wall = {k: float(v) for k, v in zip(facts.facts["key"], facts.facts["value"], strict=True) if k.startswith("wall.")}
    total = wall.pop("wall.total_seconds")
    assert sum(wall.values()) == pytest.approx(total, abs=0.01)
    assert facts.fact("profile") == "quick"


def test_what_each_lane_is_is_noted(undisturbed: Any) -> None:
    tables = undisturbed[1].tables
    assert tables.fact("lane.tensorflow-cpu-eager-t2.tensorflow") == "1.2"
    assert tables.fact("lane.jax-cpu-compiled.threads") == "1"


@pytest.mark.parametrize("blocks", [1, 2, 12, 31])
def test_interrupted_and_resumed_equals_undisturbed(tmp_path: Path, undisturbed: Any, blocks: int) -> None:
    folder = RunFolder.create(tmp_path)
    outcome = go(folder, FakeLanes(interrupt_after_blocks=blocks))
    assert outcome.exit_status == 130
    assert f"lossbench run --resume {folder.id}" in outcome.sentence
    assert run.manifest(folder.path)["state"] == "interrupted"
    kept = len(run.read(folder.path).measurements)
    lanes = FakeLanes()
    again = go(RunFolder.open(folder.path), lanes)
    assert again.exit_status == 0
    assert lanes.asked == []
    assert len([1 for _ in lanes.timed]) >= 27 - kept
    same(again.tables, undisturbed[1].tables)
    book, whole = (json.loads((p / "benchmark.json").read_text()) for p in (folder.path, undisturbed[0]))
    assert {b["fullname"]: b["stats"]["data"] for b in book["benchmarks"]} == {
        b["fullname"]: b["stats"]["data"] for b in whole["benchmarks"]
    }


def test_a_resumed_cell_keeps_its_number_of_calls_a_round(tmp_path: Path, undisturbed: Any) -> None:
    """Else its samples before and after would be means over different numbers of calls."""
    folder = RunFolder.create(tmp_path)
    go(folder, FakeLanes(interrupt_after_blocks=22))
    tables = go(RunFolder.open(folder.path), FakeLanes(slower=4.0)).tables
    assert tables.measurements["loops"].tolist() == undisturbed[1].tables.measurements["loops"].tolist()
    assert tables.measurements["seconds_per_call"].iloc[-1][0] > 3 * tables.measurements["seconds_per_call"].iloc[8][0]


def test_interrupted_while_judging(tmp_path: Path, undisturbed: Any) -> None:
    folder = RunFolder.create(tmp_path)
    assert go(folder, FakeLanes(interrupt_in_judge=True)).exit_status == 130
    lanes = FakeLanes()
    same(go(RunFolder.open(folder.path), lanes).tables, undisturbed[1].tables)
    assert {name.partition("[")[0] for name in lanes.asked} <= {"loss1", "loss2"} | {"loss0"}


KILLED = """
import os, sys, threading, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import test_run_fake_lanes as t
from lossbench.record.run import RunFolder
folder = RunFolder.create(Path(sys.argv[1]))
append, rows, limit = folder.append, 0, int(sys.argv[3])
def counted(table, row):
    global rows
    append(table, row)
    rows += table != "facts"
    if rows == limit:
        os.kill(os.getpid(), 9)
folder.append = counted
t.go(folder, t.FakeLanes())
"""


@pytest.mark.parametrize("rows", [1, 8, 20, 40])
def test_killed_and_resumed_equals_undisturbed(tmp_path: Path, undisturbed: Any, rows: int) -> None:
    arguments = [str(tmp_path), str(Path(__file__).parent), str(rows)]
    done = subprocess.run([sys.executable, "-c", KILLED, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == -9, done.stderr
    path = run.latest(tmp_path)
    found = run.read(path)
    assert len(found.cells) + len(found.measurements) + len(found.agreement) == rows
    same(go(RunFolder.open(path), FakeLanes()).tables, undisturbed[1].tables)


SLOW = """
import os, signal, sys, time
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests may have it ignored
sys.path.insert(0, sys.argv[2])
import test_run_fake_lanes as t
from lossbench.record.run import RunFolder
slow = sys.argv[3]
take = getattr(t.FakeWorker, slow)
def slowly(self, *args, **options):
    os.write(1, b"at it\\n")
    time.sleep(0.2)
    return take(self, *args, **options)
setattr(t.FakeWorker, slow, slowly)
folder = RunFolder.create(Path(sys.argv[1]))
append = folder.append
def told(table, row):
    append(table, row)
    if table == "cells":
        os.write(1, b"a row\\n")
folder.append = told
outcome = t.go(folder, t.FakeLanes())
print(outcome.sentence)
sys.exit(outcome.exit_status)
"""


@pytest.mark.parametrize("phase", ["answer", "block"])
def test_ctrl_c_finishes_the_folder(tmp_path: Path, undisturbed: Any, phase: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SLOW, str(tmp_path), str(Path(__file__).parent), phase],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as child:  # fmt: skip
        assert child.stdout is not None
        seen: list[str] = []
        while not ("a row\n" in seen and seen[-1:] == ["at it\n"] and seen.count("at it\n") >= 4):
            seen.append(child.stdout.readline())
            assert seen[-1] in {"at it\n", "a row\n"}, seen
        child.send_signal(signal.SIGINT)
        out, errors = child.communicate(timeout=30)
    assert (child.returncode, errors) == (130, "")
    path = run.latest(tmp_path)
    assert f"lossbench run --resume {path.name}" in out
    assert run.manifest(path)["state"] == "interrupted"
    assert len(pd.read_parquet(path / "cells.parquet")) >= 1
    same(go(RunFolder.open(path), FakeLanes()).tables, undisturbed[1].tables)


def test_finished_run_resumed_measures_nothing(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path)
    before = go(folder, FakeLanes()).tables
    lanes = FakeLanes()
    after = go(RunFolder.open(folder.path), lanes).tables
    assert (lanes.asked, lanes.timed) == ([], [])
    pd.testing.assert_frame_equal(before.measurements, after.measurements)


def test_unequal_inputs_fail_the_cell_and_it_is_not_timed(tmp_path: Path) -> None:
    odd = a_plan().cells[4]
    lanes = FakeLanes(odd=frozenset({odd.id}))
    tables = go(RunFolder.create(tmp_path), lanes).tables
    row = tables.cells.set_index("cell").loc[odd.id]
    assert (row["status"], row["digest"]) == ("failed", "odd")
    assert "digest odd" in row["reason"]
    assert "usual" in row["reason"]
    assert odd.id not in lanes.timed
    assert tables.agreement.set_index("cell").loc[odd.id, "verdict"] == "failed"
    assert (tables.cells["status"] == "ok").sum() == 8


def test_a_cell_that_fails_costs_itself_only(tmp_path: Path) -> None:
    plan = a_plan()
    hung, absent, gone = plan.cells[0], plan.cells[1], plan.cells[5]
    lanes = FakeLanes(faults={hung.id: "timeout", gone.id: "crashed"}, failing={absent.id: "absent"})
    folder = RunFolder.create(tmp_path)
    outcome = go(folder, lanes)
    assert outcome.exit_status == 0
    rows = outcome.tables.measurements
    assert rows[rows["status"] != "ok"][["cell", "status", "reason"]].to_numpy().tolist() == [
        [hung.id, "timeout", "as told"],
        [gone.id, "crashed", "as told"],
    ]
    assert lanes.timed.count(hung.id) == 1
    assert absent.id not in lanes.timed
    assert len(rows[rows["status"] == "ok"]) == 6 * 3
    book = json.loads((folder.path / "benchmark.json").read_text())
    assert len(book["benchmarks"]) == 6


def test_disk_full_in_either_phase_ends_the_run_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for table in ("agreement", "measurements"):
        folder = RunFolder.create(tmp_path)
        append = folder.append

        def full(name: str, row: Mapping[str, Any], table: str = table, append: Any = append) -> None:
            if name == table:
                raise BadInput(subject="disk", expected="room", received="none", remedy="free some")
            append(name, row)

        monkeypatch.setattr(folder, "append", full)
        with pytest.raises(BadInput, match="free some"):
            go(folder, FakeLanes())
        folder.close()
        assert len(run.read(folder.path).cells) > 0


def test_users_own_pytest_settings_do_not_reach_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_ADDOPTS", "--benchmark-disable --collect-only")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --nonsense\n")
    (tmp_path / "conftest.py").write_text("raise SystemExit(3)")
    assert len(go(RunFolder.create(tmp_path / "results"), FakeLanes()).tables.measurements) == 27


def test_silent(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    go(RunFolder.create(tmp_path), FakeLanes())
    assert capfd.readouterr() == ("", "")


def ends_itself(case: Case, answers: Mapping[Cell, Answer]) -> Iterable[Mapping[str, Any]]:
    if case.loss == "loss1":
        os._exit(0)
    return FakeLanes().judge(case, answers)


def test_judged_in_other_processes_the_tables_are_the_same(tmp_path: Path, undisturbed: Any) -> None:
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as judges:
        same(go(RunFolder.create(tmp_path), FakeLanes(), judges=judges).tables, undisturbed[1].tables)


def test_with_a_second_worker_of_a_lane_the_tables_are_the_same(tmp_path: Path, undisturbed: Any) -> None:
    plan, folder, first, other = a_plan(), RunFolder.create(tmp_path), FakeLanes(), FakeLanes()
    slow = plan.cells[0].lane
    outcome = go(folder, first, second={slow: lambda: FakeWorker(other, slow)})
    same(outcome.tables, undisturbed[1].tables)
    assert sorted([*first.asked, *other.asked]) == sorted(cell.id for cell in plan.cells)
    by_id = {cell.id: cell for cell in plan.cells}
    assert {by_id[name].lane for name in other.asked} == {slow}
    shared = {by_id[n].case.loss for n in other.asked} & {
        by_id[n].case.loss for n in first.asked if by_id[n].lane == slow
    }
    assert other.asked
    assert not shared, "what is compiled for a loss is compiled once"


def test_a_judge_that_ends_its_process_is_one_sentence_and_the_run_goes_on(tmp_path: Path, undisturbed: Any) -> None:
    folder, lanes = RunFolder.create(tmp_path), FakeLanes()
    with (
        ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as judges,
        pytest.raises(BadInput, match=f"judging loss.*--resume {folder.id}"),
    ):
        execute(a_plan(), folder, lanes.start, ends_itself, order=in_turn, timing=TIMING, judges=judges)
    folder.close()
    same(go(RunFolder.open(folder.path), FakeLanes()).tables, undisturbed[1].tables)
