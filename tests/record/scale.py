"""What gate, report, history and query cost as results grow: seconds and peak memory by measurement rows.

    python tests/record/scale.py 1e3 1e4 1e5 1e6

makes runs of so many rows in all (see `grown`), a hundred where there are rows enough, and one run that alone has them,
and starts each command on them as a process of its own. Seconds of processors are beside,
which others' work disturbs less. Memory is the resident set of it and its children together,
looked at every 10 ms, and the system's own record of the largest process where that is more. The files are removed.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import grown
import psutil

EVERY_SECONDS = 0.01
MOST_RUNS = 100
LEAST_ROWS = 100
"""Of a run of a folder of many."""
SQL = (
    "SELECT run, backend, count(*) AS blocks, median(latency_seconds) AS seconds FROM measurements "
    "WHERE status = 'ok' GROUP BY ALL ORDER BY ALL"
)


def measured(*words: object, home: Path) -> tuple[float, float, float, int]:
    """Seconds, seconds of processors, peak MiB and exit status of `lossbench WORDS` in a process of its own."""
    path = str(grown.ROOT / "harness")
    command = [sys.executable, "-m", "lossbench", *map(str, words)]
    began = time.perf_counter()
    with (home / "said").open("w") as said:
        child = subprocess.Popen(command, stdout=said, stderr=said, env={**os.environ, "PYTHONPATH": path}, cwd=home)
        peak = [0]
        watcher = threading.Thread(target=_watch, args=(child.pid, peak))
        watcher.start()
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        watcher.join()
    worked = usage.ru_utime + usage.ru_stime  # with the children that it waited for
    return seconds, worked, max(peak[0], usage.ru_maxrss * 1024) / 2**20, child.returncode


def _watch(pid: int, peak: list[int]) -> None:
    """The largest sum of resident sets of a process and its children, until it has ended."""
    while True:
        try:
            parent = psutil.Process(pid)
            if parent.status() == psutil.STATUS_ZOMBIE:
                return
            family = [parent, *parent.children(recursive=True)]
            total = 0
            for each in family:
                try:
                    total += each.memory_info().rss
                except psutil.Error:
                    continue
        except psutil.Error:
            return
        peak[0] = max(peak[0], total)
        time.sleep(EVERY_SECONDS)


def size(folder: Path) -> float:
    """MiB on disk."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 2**20


def table(rows: int, *, runs: int, visits: int, home: Path, only: tuple[str, ...]) -> None:
    """One line a command. The first run is the baseline of the last; where there is one run, so is another like it."""
    results, reports, baseline = home / "results", home / "reports", home / "baseline"
    # by a process of its own: a child's record of its largest size begins with its parent's
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as maker:
        made = maker.submit(grown.write, results, rows=rows, runs=runs, visits=visits).result()
        if runs == 1:
            made += maker.submit(grown.write, results, rows=rows, visits=visits, first=1).result()
    common = ("--results", results)
    asked: dict[str, tuple[object, ...]] = {
        "baseline": ("baseline", made[0], "--to", baseline),
        "gate": ("gate", *common, "--baseline", baseline),
        "report": ("report", *common, "--reports", reports),
        "history": ("history", results),
        "query": ("query", SQL, "--csv", *common),
    }
    what = f"{runs} runs" if runs > 1 else "1 run"
    for name, words in asked.items():
        if name in only or name == "baseline":
            seconds, worked, peak, status = measured(*words, home=home)
            page = max((p.stat().st_size for p in reports.rglob("index.html")), default=0) / 2**20
            more = f", page {page:.1f} MB" if name == "report" else ""
            print(
                f"| {rows:.0e} | {what} | {name} | {seconds:.2f} | {worked:.2f} | {peak:.0f} | exit {status}{more} |",
                flush=True,
            )
            if status not in (0, 1, 2) or (name != "gate" and status):
                print((home / "said").read_text()[-2000:])
    print(f"| {rows:.0e} | {what} | on disk | | | {size(results):.0f} | |", flush=True)


def main() -> None:
    """Prints a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="+", type=float, help="measurement rows, e.g. 1e3 1e6")
    parser.add_argument("--only", default="gate,report,history,query", help="commands, comma-separated")
    parser.add_argument("--one", action=argparse.BooleanOptionalAction, default=True, help="also one run of them all")
    parser.add_argument("--many", action=argparse.BooleanOptionalAction, default=True, help="many runs")
    asked = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before")
    print("| rows | in | command | seconds | CPU seconds | peak MiB | |\n| --- | --- | --- | --- | --- | --- | --- |")
    for rows in map(int, asked.rows):
        kinds = [(min(MOST_RUNS, rows // LEAST_ROWS), 4)] * asked.many + [(1, 16)] * asked.one
        for runs, visits in kinds:
            home = Path(tempfile.mkdtemp(prefix="lossbench-scale-"))
            try:
                only = tuple(asked.only.split(","))
                table(rows, runs=runs, visits=visits, home=home, only=only)
            finally:
                shutil.rmtree(home)
    print(f"load {os.getloadavg()[0]:.1f} after")


if __name__ == "__main__":
    main()
