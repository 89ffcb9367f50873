"""A real run, killed with SIGKILL at random moments: nothing acknowledged is lost, resuming completes it, no orphans.

`python tests/test_resume_real.py 20` kills so many and prints a line for each.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
import pytest

from lossbench.record import run as runs
from lossbench.record.frames import Tables
from lossbench.record.journal import read as read_journal
from lossbench.record.tables import TABLES

KILLS = 3
LIMIT_SECONDS = 300
ASKED = [
    "--profile", "quick", "--loss", "mae,huber", "--backend", "torch,jax", "--dtype", "float32",
    "--regime", "typical,kink", "--seconds", "0.5",
]  # fmt: skip

ACKNOWLEDGING = """
import os, sys
from lossbench.record.journal import Journal, encode
append = Journal.append
def acknowledged(self, kind, row):
    append(self, kind, row)
    os.write({fd}, encode(kind, row))
Journal.append = acknowledged
from lossbench.__main__ import main
sys.argv = ["lossbench", *{arguments!r}]
main()
"""
"""The command line as it is, which also says on a pipe which rows it was told are safe."""


@dataclass(frozen=True, kw_only=True)
class Ended:
    """status: exit status, negative the signal. acknowledged: the lines of the rows it was told are safe."""

    status: int
    acknowledged: tuple[bytes, ...]
    orphans: tuple[str, ...]
    stderr: str


def started(
    arguments: list[str],
    folder: Path,
    *,
    kill_after_rows: int = 0,
    delay_seconds: float = 0.0,
    number: signal.Signals = signal.SIGKILL,
) -> Ended:
    """Run the command line in `folder`; signal it that long after it has acknowledged so many rows, if any."""
    reading, writing = os.pipe()
    errors = folder / "stderr.txt"
    with errors.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-c", ACKNOWLEDGING.format(fd=writing, arguments=arguments)],
            cwd=folder, pass_fds=[writing], stdout=subprocess.DEVNULL, stderr=stderr,
        )  # fmt: skip
    os.close(writing)
    said, workers = b"", []
    with os.fdopen(reading, "rb", buffering=0) as pipe:
        while block := pipe.read(2**16):
            said += block
            if kill_after_rows and said.count(b"\n") >= kill_after_rows:
                time.sleep(delay_seconds)
                workers = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
                process.send_signal(number)
                kill_after_rows = 0
        process.wait(LIMIT_SECONDS)
    _, alive = psutil.wait_procs(workers, timeout=20)
    orphans = tuple(" ".join(worker.cmdline()) for worker in alive if worker.status() != psutil.STATUS_ZOMBIE)
    whole = said[: said.rfind(b"\n") + 1].splitlines(keepends=True)
    return Ended(status=process.returncode, acknowledged=tuple(whole), orphans=orphans, stderr=errors.read_text())


def undisturbed(folder: Path) -> tuple[Tables, int]:
    """The tables of a run that nobody disturbs, and how many rows it acknowledged."""
    ended = started(["run", *ASKED, "--no-report"], folder)
    assert ended.status == 0, ended.stderr
    return runs.read(runs.latest(folder / "results")), len(ended.acknowledged)


def killed_and_resumed(folder: Path, moment: int, delay_seconds: float) -> tuple[Ended, Path, list[bytes], Tables]:
    """What was acknowledged before the kill, the run, its journal at that moment, and its tables after resuming."""
    ended = started(["run", *ASKED, "--no-report"], folder, kill_after_rows=moment, delay_seconds=delay_seconds)
    run = runs.latest(folder / "results")
    lines = (run / "journal.jsonl").read_bytes().splitlines(keepends=True)
    again = started(["run", "--resume", run.name, "--no-report"], folder)
    assert again.status == 0, again.stderr
    return ended, run, lines, runs.read(run)


def faults(whole: Tables, ended: Ended, run: Path, lines: list[bytes], tables: Tables) -> list[str]:
    """What must not be: rows lost at the kill or by resuming, cells or visits missing or twice, workers left."""
    found = []
    if lost := set(ended.acknowledged) - set(lines):
        found.append(f"{len(lost)} acknowledged rows are not in the journal")
    kept = (run / "journal.jsonl").read_bytes().splitlines(keepends=True)
    if kept[: len(lines)] != [line for line in lines if line.endswith(b"\n")][: len(kept)] and lines[-1].endswith(
        b"\n"
    ):
        found.append("resuming changed rows that were there")
    for name, table in TABLES.items():
        if name == "facts":
            continue  # a resumed run has more than one start to tell of
        key = list(table.key)
        wanted, got = _keys(getattr(whole, name), key), _keys(getattr(tables, name), key)
        if sorted(wanted) != sorted(got):
            found.append(f"{name}: {len(set(wanted) - set(got))} missing, {len(set(got) - set(wanted))} beyond")
    blocks = [
        (row["cell"], row["visit"]) for kind, row in read_journal(run / "journal.jsonl") if kind == "measurements"
    ]
    if len(blocks) != len(set(blocks)):
        found.append("a visit was measured twice")
    if runs.manifest(run)["state"] != "finished":
        found.append("the run is not finished")
    return found + [f"still running: {orphan}" for orphan in ended.orphans]


def _keys(frame: Any, columns: list[str]) -> list[tuple[Any, ...]]:
    return list(frame[columns].itertuples(index=False, name=None))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Tables, int]:
    return undisturbed(tmp_path_factory.mktemp("undisturbed"))


@pytest.mark.parametrize("attempt", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in range(1, KILLS))])
def test_a_killed_run_loses_nothing_and_is_completed(attempt: int, whole: tuple[Tables, int], tmp_path: Path) -> None:
    tables, rows = whole
    draw = random.Random(attempt)
    moment = draw.randrange(1 + rows * attempt // KILLS, 2 + rows * (attempt + 1) // KILLS - rows // 10)
    ended, run, lines, resumed = killed_and_resumed(tmp_path, moment, draw.uniform(0, 0.02))
    assert ended.status == -9, "it was killed while it ran"
    assert faults(tables, ended, run, lines, resumed) == []


@pytest.mark.parametrize(("share", "table"), [pytest.param(0.4, "curves", marks=pytest.mark.slow), (0.9, "cells")])
def test_a_run_told_to_end_writes_its_tables_and_no_report(
    share: float, table: str, whole: tuple[Tables, int], tmp_path: Path
) -> None:
    ended = started(["run", *ASKED], tmp_path, kill_after_rows=int(share * whole[1]), number=signal.SIGTERM)
    assert (ended.status, ended.orphans) == (130, ())
    run = runs.latest(tmp_path / "results")
    assert runs.manifest(run)["state"] == "interrupted"
    assert len(getattr(runs.read(run), table)) >= 1
    assert (run / f"{table}.parquet").exists()
    assert not (tmp_path / "reports").exists()
    again = started(["run", "--resume", run.name, "--no-report"], tmp_path)
    assert again.status == 0, again.stderr
    assert sorted(_keys(runs.read(run).cells, ["cell"])) == sorted(_keys(whole[0].cells, ["cell"]))


@pytest.mark.parametrize("table", [pytest.param("claims", marks=pytest.mark.slow), "curves"])
def test_a_run_cut_in_the_middle_of_a_table_is_completed(table: str, tmp_path: Path) -> None:
    """What a kill between two rows of what is taken once a run leaves behind; seldom hit by chance."""
    tables, _ = undisturbed(tmp_path)
    run = runs.latest(tmp_path / "results")
    lines = (run / "journal.jsonl").read_bytes().splitlines(keepends=True)
    kinds = [kind for kind, _ in read_journal(run / "journal.jsonl")]
    places = [place for place, kind in enumerate(kinds) if kind == table]
    (run / "journal.jsonl").write_bytes(b"".join(lines[: places[len(places) // 3]]))
    again = started(["run", "--resume", run.name, "--no-report"], tmp_path)
    assert again.status == 0, again.stderr
    key = list(TABLES[table].key)
    assert sorted(_keys(getattr(runs.read(run), table), key)) == sorted(_keys(getattr(tables, table), key))


def main(kills: int) -> None:
    """By hand: a line a kill."""
    with TemporaryDirectory() as temporary:
        tables, rows = undisturbed(Path(temporary))
    print(
        f"undisturbed: {rows} rows acknowledged, {len(tables.cells)} cells, {len(tables.measurements)} visits",
        flush=True,
    )
    draw = random.Random()
    for kill in range(kills):
        moment, delay = draw.randrange(1, rows), draw.uniform(0, 0.2)
        with TemporaryDirectory() as temporary:
            ended, run, lines, resumed = killed_and_resumed(Path(temporary), moment, delay)
            wrong = faults(tables, ended, run, lines, resumed)
        safe, journaled = len(ended.acknowledged), sum(line.endswith(b"\n") for line in lines)
        print(
            f"{kill:>3}: status {ended.status}, killed {delay:.2f} s after row {moment}; {safe} acknowledged, "
            f"{journaled} in the journal, {len(resumed.cells)} cells resumed; {'; '.join(wrong) or 'nothing lost'}",
            flush=True,
        )


if __name__ == "__main__":
    main(int(sys.argv[1]))
