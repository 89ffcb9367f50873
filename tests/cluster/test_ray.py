"""Real Ray nodes on this machine, one killed midway: the tables of a run on one machine, every cell accounted for."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest

from lossbench.record.frames import Tables
from lossbench.record.journal import read as read_journal
from lossbench.record.run import latest, read

NODES = Path(__file__).with_name("ray_nodes.py")
ASKED = [
    "--profile", "quick", "--loss", "huber,mae,mse,log_cosh", "--backend", "jax", "--dtype", "float32",
    "--regime", "typical,kink,zeros", "--seconds", "1", "--no-practice", "--no-report",
]  # fmt: skip
"""More than a machine does, however fast, before Ray notices that a node is gone, which takes a second."""
KILL_AFTER = 3
LIMIT_SECONDS = 300


def said_of_cells(tables: Tables) -> list[pd.DataFrame]:
    """All that a run says but for times, places and memory."""
    elsewhere = ["facts", "printed", "peak_bytes"]
    found = []
    for frame, key in ((tables.cells, ["cell"]), (tables.agreement, ["cell", "quantity", "against"])):
        kept = [name for name in frame if name not in elsewhere and not name.endswith("_seconds")]
        found.append(frame[kept].sort_values(key, ignore_index=True))
    return found


@pytest.mark.slow
@pytest.mark.skipif(find_spec("ray") is None, reason="the extra `cluster` is not installed")
def test_three_nodes_one_of_them_killed_say_what_one_machine_says(tmp_path: Path) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    done = subprocess.run(
        [sys.executable, str(NODES), "3", "1", str(KILL_AFTER), *ASKED, "--results", str(there)],
        capture_output=True, text=True, timeout=LIMIT_SECONDS,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["status"] == 0, told["said"]
    assert f"node {told['killed']} is lost (the node is gone)" in told["said"]
    assert "(raylet)" not in told["said"], "Ray speaks to the user"
    alone = subprocess.run(
        [sys.executable, "-m", "lossbench", "run", *ASKED, "--results", str(here)],
        capture_output=True, text=True, timeout=LIMIT_SECONDS,
    )  # fmt: skip
    assert alone.returncode == 0, alone.stderr
    tables, expected = read(latest(there)), read(latest(here))
    for one, other in zip(said_of_cells(tables), said_of_cells(expected), strict=True):
        pd.testing.assert_frame_equal(one, other)
    assert len({node for _, node in told["answers"]}) > 1, "one node did all"
    assert tables.fact("cluster.nodes_lost") == "1"
    journal = Counter(kind for kind, _ in read_journal(latest(there) / "journal.jsonl"))
    assert journal["agreement"] == len(tables.agreement), "a case was judged twice"
    visits = [set(zip(t.measurements["cell"], t.measurements["visit"], strict=True)) for t in (tables, expected)]
    assert visits[0] == visits[1]
    places = {row["cell"]: json.loads(row["facts"])["node"] for _, row in tables.cells.iterrows()}
    for loss, cells in tables.measurements.groupby("loss")["cell"]:
        where = tables.fact(f"cluster.timed.{loss}")
        assert where
        assert where != told["killed"] or {places[cell] for cell in cells} == {where}
