"""A run whose workers are lost, whose folder cannot be written or whose clock goes backwards, and what is resumed."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from lossbench.commands.unanswered import sentences
from lossbench.record import run
from lossbench.record.run import RunFolder
from lossbench.spec.errors import BadInput
from test_run_fake_lanes import FakeLanes, a_plan, go, same, undisturbed

__all__ = ["undisturbed"]


@pytest.mark.parametrize("status", ["crashed", "timeout", "failed"])
def test_cells_without_an_answer_are_asked_again(tmp_path: Path, undisturbed: Any, status: str) -> None:
    """`failed` without a digest of the inputs is what a framework that cannot be imported leaves behind."""
    folder, lost = RunFolder.create(tmp_path), a_plan().cells[3]
    tables = go(folder, FakeLanes(failing={lost.id: status})).tables
    assert tables.cells.set_index("cell").loc[lost.id, "status"] == status
    assert sentences(tables, folder.id) == [
        f"{lost.lane.id}: 1 cells {status}: as told",
        f"`lossbench run --resume {folder.id}` takes them again",
    ]
    lanes = FakeLanes()
    again = go(RunFolder.open(folder.path), lanes).tables
    assert set(lanes.asked) == {cell.id for cell in a_plan().cells if cell.case == lost.case}
    assert set(lanes.timed) == {lost.id}
    assert sentences(again, folder.id) == []
    same(again, undisturbed[1].tables)


@pytest.mark.parametrize("status", ["crashed", "timeout", "skipped"])
def test_visits_without_an_answer_are_made_again(tmp_path: Path, undisturbed: Any, status: str) -> None:
    folder, lost = RunFolder.create(tmp_path), a_plan().cells[5]
    tables = go(folder, FakeLanes(faults={lost.id: status})).tables
    assert sentences(tables, folder.id)[0] == f"{lost.lane.id}: 1 visits {status}: as told"
    lanes = FakeLanes()
    again = go(RunFolder.open(folder.path), lanes).tables
    assert (lanes.asked, set(lanes.timed)) == ([], {lost.id})
    same(again, undisturbed[1].tables)


def test_nothing_is_said_of_a_run_that_came_to_no_cell(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path)
    assert sentences(folder.finish(complete=False), folder.id) == []


def test_what_a_loss_raised_is_not_asked_again(tmp_path: Path) -> None:
    plan = a_plan()
    folder = RunFolder.create(tmp_path)
    go(folder, FakeLanes(odd=frozenset({plan.cells[4].id}), failing={plan.cells[1].id: "absent"}))
    lanes = FakeLanes()
    go(RunFolder.open(folder.path), lanes)
    assert (lanes.asked, lanes.timed) == ([], [])


def test_no_room_for_the_book_of_the_times(tmp_path: Path, undisturbed: Any) -> None:
    folder = RunFolder.create(tmp_path)
    folder.benchmark_json.symlink_to("/dev/full")
    with pytest.raises(BadInput, match=r"benchmark\.json: .*no space left on device; free some space and resume"):
        go(folder, FakeLanes())
    folder.close()
    folder.benchmark_json.unlink()
    lanes = FakeLanes()
    same(go(RunFolder.open(folder.path), lanes).tables, undisturbed[1].tables)
    assert lanes.timed == [], "every visit was journaled before"


READ_ONLY = """
import ctypes, os, sys
from pathlib import Path
if sys.argv[4:] != ["again"]:  # root may write everywhere, until it is started without CAP_DAC_OVERRIDE
    ctypes.CDLL(None).prctl(24, 1, 0, 0, 0)
    os.execv(sys.executable, [sys.executable, "-c", sys.orig_argv[2], *sys.argv[1:], "again"])
sys.path.insert(0, sys.argv[2])
import test_run_fake_lanes as t
from lossbench.record.run import RunFolder
from lossbench.spec.errors import BadInput
folder = RunFolder.create(Path(sys.argv[1]))
append, rows = folder.append, 0
def counted(table, row):
    global rows
    append(table, row)
    rows += table != "facts"
    if rows == int(sys.argv[3]):
        folder.path.chmod(0o555)
folder.append = counted
try:
    t.go(folder, t.FakeLanes())
except BadInput as error:
    print(error)
    sys.exit(2)
"""


def test_a_folder_that_becomes_read_only(tmp_path: Path, undisturbed: Any) -> None:
    arguments = [str(tmp_path), str(Path(__file__).parent), "20"]
    done = subprocess.run([sys.executable, "-c", READ_ONLY, *arguments], capture_output=True, text=True, check=False)
    path = run.latest(tmp_path)
    path.chmod(0o755)
    if os.geteuid() == 0 and done.returncode == 0:
        pytest.skip("this root may not give up writing everywhere")
    assert (done.returncode, done.stderr) == (2, "")
    assert done.stdout.count("\n") == 1
    assert "received permission denied; " in done.stdout
    lanes = FakeLanes()
    same(go(RunFolder.open(path), lanes).tables, undisturbed[1].tables)
    assert lanes.timed == [], "rows went on into the journal, which was open"


def test_a_clock_that_goes_backwards(tmp_path: Path, undisturbed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    steps, now = itertools.count(), time.time()
    monkeypatch.setattr(time, "time", lambda: now - 3600 * next(steps))
    tables = go(RunFolder.create(tmp_path), FakeLanes()).tables
    assert tables.measurements["started_seconds"].is_monotonic_decreasing
    same(tables, undisturbed[1].tables)


def test_a_second_run_in_the_folder_is_refused_and_harms_nothing(tmp_path: Path, undisturbed: Any) -> None:
    folder, refused = RunFolder.create(tmp_path), []

    def meanwhile(*_: object) -> None:
        with pytest.raises(BadInput, match=r"expected to be its only writer, received process .* wait for that"):
            RunFolder.open(folder.path)
        refused.append(1)

    same(go(folder, FakeLanes(), progress=meanwhile).tables, undisturbed[1].tables)
    assert len(refused) > 20
