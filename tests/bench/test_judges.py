"""The judges' processes: they say what the judge here says, and do not outlive the run's process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import psutil

from lossbench.bench.judging import RunJudge, judge_case, judges
from lossbench.lanes.measurement import Answer
from lossbench.spec import catalogue, inputs
from lossbench.spec.case import Case, Cell, Lane

WAITS = """
import os, time
from lossbench.bench.judging import judges
if __name__ == "__main__":
    with judges(()) as pool:
        print(*{pool.submit(os.getpid).result() for _ in range(8)}, flush=True)
        time.sleep(600)
"""


def answers_of(known: catalogue.Catalogue) -> tuple[Case, dict[Cell, Answer]]:
    case = Case(loss="huber", params=(("delta", 1.0),), shape=(4, 3), dtype="float32", regime="typical", seed=1)
    digest = inputs.build(known.losses["huber"], case).digest
    value, grad = np.float32(0.25), np.zeros((4, 3), np.float32)
    cells = [Cell(case=case, binding="formula", lane=Lane(backend=b), operation="grad") for b in ("torch", "jax")]
    return case, {cell: Answer(status="ok", digest=digest, value=value, grad=grad) for cell in cells}


def test_a_judges_process_says_what_the_judge_here_says() -> None:
    known = catalogue.load((), backend="")
    case, answers = answers_of(known)
    with judges(()) as pool:
        there = pool.submit(judge_case, case, answers).result(timeout=120)
    here = list(RunJudge(known)(case, answers))
    pd.testing.assert_frame_equal(pd.DataFrame(there), pd.DataFrame(here))
    assert {row["class"] for row in here if row["against"] == "oracle"} == {"defect"}


def test_judges_end_with_the_process_that_asks_them(tmp_path: Path) -> None:
    script = tmp_path / "waits.py"
    script.write_text(WAITS)
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as asking:
        assert asking.stdout is not None
        found = [psutil.Process(int(pid)) for pid in asking.stdout.readline().split()]
        assert found
        asking.kill()
        asking.wait(30)
        _, alive = psutil.wait_procs(found, timeout=30)
    assert alive == []
