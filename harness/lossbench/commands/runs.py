"""Finding recorded runs by what a user types."""

from __future__ import annotations

from pathlib import Path

from lossbench.record.run import latest


def run_folder(results: Path, run: str) -> Path:
    """The folder of a run: a path, an id below `results`, or, left out, the latest. BadInput where there is none."""
    if not run or run == "latest":
        return latest(results)
    return Path(run) if Path(run).is_dir() else results / run
