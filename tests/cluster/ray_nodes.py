"""Several Ray nodes on this machine, and a run on them whose rows are heard as they are journaled.

Run as a program, in a process of its own: `python ray_nodes.py NODES CPUS KILL_AFTER ARGUMENT...` starts NODES nodes of
CPUS cores beside a head without any, calls `lossbench run --cluster auto ARGUMENT...` and, where KILL_AFTER is not 0,
kills the node that the so manieth answer came from. Prints what happened as JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

FORWARDING = """
import os, sys
from lossbench.record.journal import Journal, encode
append = Journal.append
def forwarded(self, kind, row):
    append(self, kind, row)
    os.write({fd}, encode(kind, row))
Journal.append = forwarded
from lossbench.__main__ import main
sys.argv = ["lossbench", "run", *{arguments!r}]
main()
"""
"""The command line as it is, which also says on a pipe which rows are in the journal."""

SOON_LOST = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 300, "health_check_failure_threshold": 3}
SMALL = {"object_store_memory": 100_000_000, "include_dashboard": False}


@contextmanager
def nodes(count: int, cpus: int) -> Iterator[Any]:
    """A cluster of that many nodes, and a head on which nothing runs; where it is stands in RAY_ADDRESS."""
    with TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        (Path(folder) / "ray").mkdir()
        os.environ.update(RAY_TMPDIR=folder, RAY_USAGE_STATS_ENABLED="0")
        from ray.cluster_utils import Cluster

        head = {**SMALL, "num_cpus": 0, "_system_config": SOON_LOST}
        cluster = Cluster(initialize_head=True, head_node_args=head)
        try:
            for _ in range(count):
                cluster.add_node(num_cpus=cpus, **SMALL)
            os.environ["RAY_ADDRESS"] = cluster.address
            yield cluster
        finally:
            cluster.shutdown()


def heard(pipe: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Rows from the pipe until its other end is closed."""
    for line in pipe:
        kind, row = json.loads(line.partition(b" ")[2])
        yield kind, row


def main(count: int, cpus: int, kill_after: int, arguments: list[str]) -> dict[str, Any]:
    """What happened. killed: the node's name. answering_seconds: from the first answer to the last verdict."""
    with nodes(count, cpus) as cluster:
        reading, writing = os.pipe()
        began = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-c", FORWARDING.format(fd=writing, arguments=["--cluster", "auto", *arguments])],
            pass_fds=[writing], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        os.close(writing)
        answers, killed, seen, at = 0, "", [], [0.0]
        with os.fdopen(reading, "rb") as pipe:
            for kind, row in heard(pipe):
                if kind == "cells":
                    seen.append([row["cell"], json.loads(row["facts"])["node"]])
                    answers += 1
                if kind in ("cells", "judged") and seen:
                    at.append(time.monotonic())
                if kill_after and answers == kill_after and not killed:
                    killed = json.loads(row["facts"])["node"]
                    (node,) = [n for n in cluster.worker_nodes if n.node_id.startswith(killed)]
                    cluster.remove_node(node, allow_graceful=False)
        said, _ = process.communicate()
    return {
        "status": process.returncode, "said": said, "killed": killed, "answers": seen,
        "seconds": time.monotonic() - began, "answering_seconds": at[-1] - at[min(1, len(at) - 1)],
        "load": os.getloadavg()[0],
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(main(*map(int, sys.argv[1:4]), sys.argv[4:])))
