"""A run folder reads the same whether the run finished, was killed or goes on; what cannot be trusted is refused."""

import json
import math
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from lossbench.record import run
from lossbench.record.naming import run_id
from lossbench.record.run import RunFolder
from lossbench.spec.errors import BadInput, RunDamaged


def fill(folder: RunFolder) -> None:
    folder.append("cells", {"cell": "a", "case": "c", "loss": "huber", "status": "ok", "shape": (16, 8)})
    raised = {"status": "failed", "reason": 'no, "so"\nsaid', "digest": "of its inputs"}
    folder.append("cells", {"cell": "b", "case": "c", "loss": "huber", **raised})
    folder.append(
        "measurements", {"cell": "a", "visit": 0, "seconds_per_call": [3.0, 1.0], "peak_bytes": 70, "loops": 2}
    )
    folder.append("measurements", {"cell": "a", "visit": 1, "seconds_per_call": (2.0,), "peak_bytes": 50, "loops": 2})
    folder.append(
        "agreement", {"cell": "a", "quantity": "value", "against": "oracle", "max_ulp": math.inf, "got": math.nan}
    )
    folder.append("facts", {"key": "profile", "value": "quick"})


def same(one: run.Tables, other: run.Tables) -> None:
    for name in ("cells", "measurements", "agreement", "claims", "facts"):
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name))


def test_finished_equals_unfinished(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, request={"profile": "quick"})
    fill(folder)
    running = run.read(folder.path)
    folder.finish()
    finished = run.read(folder.path)
    same(running, finished)
    assert finished.cells["peak_bytes"].tolist() == [70, 0]
    assert list(finished.cells["shape"].iloc[0]) == [16, 8]
    assert [list(s) for s in finished.measurements["seconds_per_call"]] == [[3.0, 1.0], [2.0]]
    assert finished.agreement["max_ulp"].tolist() == [math.inf]
    assert finished.fact("profile") == "quick"
    assert run.manifest(folder.path)["state"] == "finished"


def test_measured_nan_is_not_nothing_in_parquet(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path)
    fill(folder)
    folder.finish()
    row = pq.read_table(folder.path / "agreement.parquet").to_pylist()[0]
    assert math.isnan(row["got"])
    assert row["expected"] is None


def test_later_row_of_a_cell_replaces_the_earlier(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path)
    fill(folder)
    folder.append("cells", {"cell": "a", "status": "failed", "reason": "inputs differ"})
    assert folder.finish().cells[["cell", "status"]].to_numpy().tolist() == [["a", "failed"], ["b", "failed"]]


def test_csv_summary_by_hand(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path)
    fill(folder)
    folder.finish()
    table = pd.read_csv(folder.path / "measurements.csv")
    assert table[["visits", "rounds", "min_seconds", "median_seconds", "peak_bytes"]].to_numpy().tolist() == [
        [2, 3, 1.0, 2.0, 70]
    ]


def test_unknown_column_is_a_mistake(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path) as folder, pytest.raises(TypeError, match="speed"):
        folder.append("measurements", {"cell": "a", "visit": 0, "speed": 1})


def test_done_and_reopen(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, request={"loss": ["huber"]})
    fill(folder)
    folder.judged("c")
    folder.finish(complete=False)
    assert run.manifest(folder.path)["state"] == "interrupted"
    with RunFolder.open(folder.path) as again:
        assert again.request == {"loss": ["huber"]}
        done = again.done()
        assert (done.cases, done.cells, done.blocks) == ({"c"}, {"a", "b"}, {("a", 0), ("a", 1)})
        assert [row["seconds_per_call"] for row in again.rows("measurements")] == [[3.0, 1.0], [2.0]]
        again.append("measurements", {"cell": "a", "visit": 2, "seconds_per_call": [4.0]})
        assert len(run.read(folder.path).measurements) == 3  # the journal, not the older Parquet


@pytest.mark.parametrize(("status", "digest"), [("crashed", ""), ("timeout", ""), ("failed", "")])
def test_what_had_no_answer_is_asked_again(tmp_path: Path, status: str, digest: str) -> None:
    with RunFolder.create(tmp_path) as folder:
        fill(folder)
        folder.append("cells", {"cell": "d", "case": "c", "status": status, "digest": digest})
        folder.append("measurements", {"cell": "a", "visit": 2, "status": "crashed"})
        folder.judged("c")
        folder.judged("e")
        done = folder.done()
        assert (done.cases, done.cells, done.blocks) == ({"e"}, {"a", "b"}, {("a", 0), ("a", 1)})
        folder.append("cells", {"cell": "d", "case": "c", "status": "ok", "digest": "of its inputs"})
        folder.append("measurements", {"cell": "a", "visit": 2, "status": "ok"})
        done = folder.done()
        assert (done.cases, done.cells, len(done.blocks)) == ({"e"}, {"a", "b", "d"}, 3), "judged without that answer"
        folder.judged("c")
        assert folder.done().cases == {"c", "e"}


@pytest.mark.parametrize(("clock", "follows"), [(2020, True), (2026, True), (2031, False)])
def test_a_clock_that_was_set_back_does_not_hide_the_run(tmp_path: Path, clock: int, follows: bool) -> None:
    before = tmp_path / "20260506T235959Z-ffffff"
    before.mkdir()
    (before / "run.json").write_text("{}")
    name = run_id(tmp_path, datetime(clock, 5, 6, 1, 2, 3, tzinfo=UTC))
    assert name.startswith("20260507T000000Z-" if follows else "20310506T010203Z-")
    (tmp_path / name).mkdir()
    (tmp_path / name / "run.json").write_text("{}")
    assert run.latest(tmp_path).name == name


def test_two_runs_of_one_second_keep_their_order(tmp_path: Path) -> None:
    made = []
    for _ in range(5):
        with RunFolder.create(tmp_path) as folder:
            made.append(folder.path)
    assert run.recorded(tmp_path) == made


def test_second_writer_is_refused_and_a_dead_one_is_not_in_the_way(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path)
    with pytest.raises(BadInput, match=f"process {os.getpid()} writing it"):
        RunFolder.open(folder.path)
    folder.close()
    code = "import sys, os, pathlib; from lossbench.record.run import RunFolder\n"
    code += "RunFolder.open(pathlib.Path(sys.argv[1])).append('facts', {'key': 'k'})\n"
    code += "print(1, flush=True); sys.stdin.read()"
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(folder.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    assert child.stdin is not None
    child.stdout.readline()
    with pytest.raises(BadInput, match=f"process {child.pid} writing it"):
        RunFolder.open(folder.path)
    child.kill()
    child.wait()
    child.stdin.close()
    child.stdout.close()
    with RunFolder.open(folder.path):
        assert run.read(folder.path).facts["key"].tolist() == ["k"]


def finished(results: Path) -> Path:
    folder = RunFolder.create(results)
    fill(folder)
    folder.finish()
    return folder.path


def test_truncated_parquet(tmp_path: Path) -> None:
    path = finished(tmp_path) / "measurements.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(RunDamaged, match=r"measurements\.parquet: expected a whole Parquet file"):
        run.read(path.parent)
    RunFolder.open(path.parent).finish()  # the remedy that the sentence names
    assert len(run.read(path.parent).measurements) == 2


def test_missing_parquet(tmp_path: Path) -> None:
    path = finished(tmp_path)
    (path / "claims.parquet").unlink()
    with pytest.raises(RunDamaged, match=r"claims\.parquet: expected a Parquet file, received no such file"):
        run.read(path)


def test_older_schema(tmp_path: Path) -> None:
    path = finished(tmp_path)
    manifest = json.loads((path / "run.json").read_text())
    (path / "run.json").write_text(json.dumps(manifest | {"schema_version": 0}))
    with pytest.raises(RunDamaged, match="expected schema version 2, received version 0; run again"):
        run.read(path)


def test_older_schema_in_one_file(tmp_path: Path) -> None:
    path = finished(tmp_path) / "cells.parquet"
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata({"lossbench.schema_version": "0"}), path)
    with pytest.raises(RunDamaged, match=r"cells\.parquet: expected schema version 2, received version 0"):
        run.read(path.parent)


@pytest.mark.parametrize(
    ("content", "received"),
    [(None, "none"), ("{", "an unreadable one"), ("{}", "an unreadable one"), ("[]", "an unre")],
)
def test_no_manifest(tmp_path: Path, content: str | None, received: str) -> None:
    path = finished(tmp_path)
    (path / "run.json").unlink()
    if content is not None:
        (path / "run.json").write_text(content)
    with pytest.raises(RunDamaged, match=f"expected a run.json, received {received}"):
        run.read(path)


def test_no_folder_and_latest(tmp_path: Path) -> None:
    with pytest.raises(RunDamaged, match="no such folder"):
        run.read(tmp_path / "nothing")
    with pytest.raises(BadInput, match="expected a run, received none"):
        run.latest(tmp_path)
    first, second = tmp_path / "20260101T000000Z-ffffff", tmp_path / "20260102T000000Z-000000"
    for path in (second, first):
        path.mkdir()
        (path / "run.json").write_text("{}")
    (tmp_path / "20270101T000000Z-000000").mkdir()  # no run.json: not a run
    assert run.latest(tmp_path) == second


def test_results_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="expected a file that can be written, received not a directory"):
        RunFolder.create(tmp_path / "file")


def test_half_written_tables_leave_the_old_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = finished(tmp_path)
    before = (path / "cells.parquet").read_bytes()
    folder = RunFolder.open(path)
    folder.append("cells", {"cell": "z"})

    def full(_descriptor: int) -> None:
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(BadInput, match="free some space"):
            folder.finish()
    folder.close()
    assert (path / "cells.parquet").read_bytes() == before
    assert not list(path.glob(".*.part"))
    assert len(run.read(path).cells) == 3
