"""The short form of the soak, and faults of a whole run that want a user's own file or a broken framework."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lossbench.record import run as runs
from soak import COORDINATOR, ENDS, HERE, KINDS, WORKER, soaked

pytestmark = pytest.mark.slow
FEW = ["--profile", "quick", "--loss", "mse", "--backend", "torch", "--mode", "eager", "--seconds", "0.1"]
OWN = """
import os, time
import torch

def hangs(y_true, y_pred):
    print("from now on it hangs", flush=True)
    time.sleep(600)

def forks(y_true, y_pred):
    os.fork()
    return ((y_true - y_pred) ** 2).mean()

def prints(y_true, y_pred):
    os.write(1, b"many words " * 300_000)
    return ((y_true - y_pred) ** 2).mean()
"""


def test_the_faults_of_a_short_soak_lose_and_double_nothing() -> None:
    lines: list[str] = []
    soak = soaked(4, 5, lines.append, [*FEW, "--memory-limit", "2GiB", "--time-limit", "20", "--no-practice"])
    assert len(soak.faults) >= 4
    assert (soak.wrong.lost, soak.wrong.doubled, soak.wrong.other) == (0, 0, []), lines


def test_each_fault_of_the_soak_is_of_one_kind() -> None:
    assert len(KINDS) == len(set(KINDS))
    assert set(ENDS) < set(COORDINATOR)
    assert set(WORKER) & set(COORDINATOR) == set()


def test_a_framework_that_cannot_be_imported_is_said_and_made_good_by_resuming(tmp_path: Path) -> None:
    arguments = [sys.executable, "-m", "lossbench", "run", "--no-report"]
    broken = os.pathsep.join([str(HERE / "faulty" / "framework"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [*arguments, *FEW], cwd=tmp_path, env={**os.environ, "PYTHONPATH": broken}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    run = runs.latest(tmp_path / "results")
    said = "failed: lane torch-cpu-eager does not start: ImportError: libtorch_cpu.so: cannot open shared object file"
    assert said in done.stdout
    assert f"`lossbench run --resume {run.name}` takes them again" in done.stdout
    done = subprocess.run([*arguments, "--resume"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    tables = runs.read(run)
    assert set(tables.cells["status"]) == {"ok"}
    assert set(tables.curves["backend"]) == {"torch"}
    assert not tables.claims["reason"].str.contains("does not start").any()


def test_what_a_users_function_does_costs_that_function(tmp_path: Path) -> None:
    """Forks and prints, beside each other; SIGTERM while one hangs ends the run at once."""
    (tmp_path / "own.py").write_text(OWN)
    arguments = [sys.executable, "-m", "lossbench", "run", "--no-report", "--suite", "own.py", "--mode", "eager"]
    few = ["--profile", "quick", "--seconds", "0.1", "--backend", "torch"]
    done = subprocess.run(
        [*arguments, *few, "--loss", "forks,prints"], cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    cells = runs.read(runs.latest(tmp_path / "results")).cells
    assert {loss: set(rows["status"]) for loss, rows in cells.groupby("loss")} == {"forks": {"ok"}, "prints": {"ok"}}
    assert set(cells.loc[cells["loss"] == "prints", "printed"].str.len()) == {2000}
    with subprocess.Popen(
        [*arguments, *few, "--loss", "hangs"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        logs: list[Path] = []
        while not any("from now on it hangs" in log.read_text() for log in logs):
            assert process.poll() is None
            logs = sorted(tmp_path.glob("results/*/logs/*.log"))
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=120)  # far below the 180 s that the function may take
    assert process.returncode == 130
    assert "was interrupted; all it measured is kept" in out
    assert runs.manifest(runs.latest(tmp_path / "results"))["state"] == "interrupted"
