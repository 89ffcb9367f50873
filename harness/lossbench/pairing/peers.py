"""Another gate's own program on unchanged code and on planted slowdowns: pytest-benchmark's compare-fail."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from lossbench.judge.calibration import Rate

SLOWDOWNS: Final = (0.0, 0.05, 0.10, 0.20)
RULE: Final = "min:5%"
LIMIT_SECONDS: Final = 120
FAILED: Final = 1
BENCHMARK: Final = """
import os

import numpy as np

CALLS, FURTHER = 20, int(os.environ["FURTHER"])
error = np.random.default_rng(0).standard_normal((128, 128)).astype(np.float32)


def huber():
    size = np.abs(error)
    return np.where(size <= 1, 0.5 * error * error, size - 0.5).mean()


def work(calls):
    for _ in range(calls):
        huber()


def test_huber(benchmark):
    benchmark(work, CALLS + FURTHER)
"""
"""Twenty calls a round, so that 5% is one more."""


def compare_fail(budget_seconds: float) -> Mapping[float, Rate]:
    """By planted slowdown, how many comparisons of two fresh processes it fails; as many as fit."""
    ends = time.monotonic() + budget_seconds
    hits, trials = dict.fromkeys(SLOWDOWNS, 0), dict.fromkeys(SLOWDOWNS, 0)
    with tempfile.TemporaryDirectory(prefix="lossbench-") as scratch:
        (Path(scratch) / "test_peer.py").write_text(BENCHMARK)
        number = 0
        while time.monotonic() < ends:
            slowdown = SLOWDOWNS[number % len(SLOWDOWNS)]
            number += 1
            name = f"{number:04d}"
            if _ran(scratch, 0.0, f"--benchmark-save={name}") != 0:
                continue
            ended = _ran(scratch, slowdown, f"--benchmark-compare={name}", f"--benchmark-compare-fail={RULE}")
            trials[slowdown] += 1
            hits[slowdown] += ended == FAILED
    return {slowdown: Rate(hits=hits[slowdown], trials=trials[slowdown]) for slowdown in SLOWDOWNS}


def _ran(folder: str, slowdown: float, *words: str) -> int:
    """The exit status of one process of pytest."""
    environ = {**os.environ, "FURTHER": str(round(20 * slowdown)), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", folder,
         "--benchmark-storage", folder, *words, "test_peer.py"],
        cwd=folder, env=environ, capture_output=True, timeout=LIMIT_SECONDS, check=False,
    )  # fmt: skip
    return done.returncode
