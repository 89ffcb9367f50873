"""A practice run killed with SIGKILL at a given row goes on from its last epoch, and ends as if nothing had been."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lossbench.practice import books

KILLED_AFTER = """
import os, signal, sys
from lossbench.record.journal import Journal
append, seen = Journal.append, 0
def counted(self, kind, row):
    global seen
    append(self, kind, row)
    seen += kind == {kind!r}
    if kind == {kind!r} and seen == {count}:
        os.kill(os.getpid(), signal.SIGKILL)
Journal.append = counted
from lossbench.__main__ import main
sys.argv = ["lossbench", "practice", *{arguments!r}]
main()
"""
"""The command line as it is, which ends itself when so many rows of a kind are safe."""
ASKED = ["--only", "T7", "--seeds", "1", "--epochs", "4", "--backend", "torch", "--json"]


def ran(folder: Path, *arguments: str, kind: str = "", count: int = 0) -> int:
    code = KILLED_AFTER.format(kind=kind, count=count, arguments=list(arguments))
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, env=os.environ, capture_output=True, timeout=120)
    return done.returncode


def epochs(folder: Path) -> list[dict[str, Any]]:
    return list(books.rows(books.latest(folder / "results"), "epoch"))


@pytest.mark.slow
def test_a_killed_run_goes_on_from_its_last_epoch(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    whole.mkdir()
    cut.mkdir()
    assert ran(whole, *ASKED) == 0
    assert ran(cut, *ASKED, kind="epoch", count=2) == -signal.SIGKILL
    assert [row["epoch"] for row in epochs(cut)] == [1, 2]
    assert ran(cut, "--resume", kind="steps", count=1) == -signal.SIGKILL  # inside the third epoch
    assert len(epochs(cut)) == 2
    assert ran(cut, "--resume", "--json") == 0
    assert epochs(cut) == epochs(whole)
    mine, all_of_it = (books.latest(folder / "results") for folder in (cut, whole))
    for kind, key in (("steps", ("run", "backend", "epoch", "first")), ("epoch", ("run", "epoch"))):
        assert books.once(mine, kind, *key) == books.once(all_of_it, kind, *key)
    assert not list((mine / "states").iterdir())
