"""`lossbench baseline`: distil a run into a small folder to commit and to gate against."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from lossbench.commands.options import RESULTS, Results, RunId
from lossbench.commands.runs import run_folder
from lossbench.judge import baseline as baselines
from lossbench.record import commits, frames
from lossbench.record import run as runs
from lossbench.record.stores import here

To = Annotated[Path, typer.Option("--to", help="Folder of the baseline.")]
Note = Annotated[bool, typer.Option("--note", help="Keep it as a git note on the commit checked out, not in a folder.")]


def command(run: RunId = "", to: To = Path("results/baseline"), note: Note = False, results: Results = RESULTS) -> None:
    """Make a run the baseline: verdicts and ratios in a few small files, to be committed.

    Example: lossbench baseline --to results/baseline
    Example: lossbench baseline --note
    """
    folder = run_folder(results, run)
    files = baselines.distil(runs.read(folder, only=baselines.READ))
    if note:
        commit = commits.annotate(files, here(folder, "--note"))
        typer.echo(f"{folder.name} is kept in {commits.NOTES} on {commit}; git push origin {commits.NOTES} shares it")
        return
    to.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        frames.write_whole(to / name, content)
    size_bytes = sum(len(content) for content in files.values())
    typer.echo(f"{folder.name} is the baseline in {os.path.relpath(to)} ({size_bytes} bytes in {len(files)} files)")
