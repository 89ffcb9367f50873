"""Finding recorded runs by what a user types."""

from __future__ import annotations

from pathlib import Path

from lossbench.record.run import latest
from lossbench.record.stores import MARK, Place, place


def run_folder(results: Place, run: str) -> Place:
    """The folder of a run: a path or address, an id below `results`, or, left out, the latest. BadInput for none."""
    if not run or run == "latest":
        return latest(results)
    if MARK in run:
        return place(run)
    return Path(run) if Path(run).is_dir() else results / run
