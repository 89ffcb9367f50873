"""`lossbench query`: SQL over the tables of all recorded runs."""

from __future__ import annotations

import sys
from typing import Annotated

import pandas as pd
import typer
from rich.console import Console
from rich.table import Table

from lossbench.commands.options import RESULTS, Json, Results
from lossbench.commands.runs import run_folder
from lossbench.record import frames, queries
from lossbench.record import run as runs
from lossbench.record.stores import Place
from lossbench.record.tables import TABLES
from lossbench.show.plain import said
from lossbench.spec.errors import BadInput
from lossbench.spec.plain import plain

Sql = Annotated[str, typer.Argument(metavar="[SQL]", help="A SELECT; the tables and their columns if left out.")]
Runs = Annotated[list[str], typer.Option("--run", help="A run id or folder, may be repeated; all that ended if none.")]
Csv = Annotated[bool, typer.Option("--csv", help="Print CSV; what a pipe gets anyway.")]

MOST_SHOWN = 200


def command(
    sql: Sql = "",
    run: Runs = [],  # noqa: B006 - typer reads the default
    results: Results = RESULTS,
    csv: Csv = False,
    json: Json = False,
) -> None:
    """Ask the tables of all runs in SQL (DuckDB); each has a column `run` before its own.

    Example: lossbench query "SELECT run, backend, count(*) FROM agreement WHERE class = 'defect' GROUP BY ALL"
    Example: lossbench query "SELECT cell, max(max_ulp) FROM agreement GROUP BY cell" --csv
    """
    if not sql:
        for table in TABLES.values():
            print(f"{table.name}: run, {', '.join(column.name for column in table.columns)}")
        return
    found = queries.query(sql, _folders(results, run))
    if json:
        print(found.to_json(orient="records", indent=1, date_format="iso"))
    elif csv or not sys.stdout.isatty():
        print(frames.csv(found), end="")
    else:
        Console().print(_drawn(found))
        if len(found) > MOST_SHOWN:
            print(f"{MOST_SHOWN} of {len(found)} rows; --csv prints all")


def _folders(results: Place, named: list[str]) -> list[Place]:
    """Of the runs asked for, or of all that have ended. BadInput where there is none."""
    if named:
        folders = [run_folder(results, name) for name in named]
        for folder in folders:
            runs.manifest(folder)
        return folders
    folders = [folder for folder in runs.recorded(results) if runs.manifest(folder)["state"] != "running"]
    if not folders:
        raise BadInput(
            subject=str(results),
            expected="a run that has ended",
            received="none",
            remedy="make one with `lossbench run`",
        )
    return folders


def _drawn(found: pd.DataFrame) -> Table:
    drawn = Table(*(plain(str(name)) for name in found.columns), box=None, pad_edge=False)
    for row in found.head(MOST_SHOWN).itertuples(index=False):
        drawn.add_row(*(said(value) for value in row))
    return drawn
