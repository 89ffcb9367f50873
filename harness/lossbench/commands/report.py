"""`lossbench report`: write the report of a recorded run again. Needs no framework."""

from __future__ import annotations

import os
from pathlib import Path

import typer

from lossbench.commands.options import REPORTS, RESULTS, Reports, Results, RunId
from lossbench.commands.runs import run_folder
from lossbench.record import run as runs
from lossbench.show import page
from lossbench.spec import catalogue


def command(run: RunId = "", results: Results = RESULTS, reports: Reports = REPORTS) -> None:
    """Write the report of a recorded run, also of one that was interrupted.

    Example: lossbench report
    """
    folder = run_folder(results, run)
    tables = runs.read(folder)
    suites = [Path(path) for path in runs.manifest(folder)["request"].get("suites", ())]
    known = catalogue.load([path for path in suites if path.exists()], backend="")
    written = page.write(tables, known, reports, folder.name, run_folder=folder)
    typer.echo(os.path.relpath(written))
