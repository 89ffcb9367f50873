"""`lossbench show`: the essentials of one loss in the terminal."""

from __future__ import annotations

from typing import Annotated

import typer

from lossbench.bench import trust
from lossbench.commands.listing import console_for
from lossbench.commands.options import RESULTS, Results, Suites
from lossbench.commands.runs import run_folder
from lossbench.record import run as runs
from lossbench.record.frames import Tables
from lossbench.record.stores import Place
from lossbench.show import closeup
from lossbench.spec import catalogue
from lossbench.spec.plain import plain

Name = Annotated[str, typer.Argument(metavar="LOSS", help="A loss by its name or an alias; see `lossbench list`.")]
Run = Annotated[str, typer.Option("--run", help="A run id or folder; the latest if left out.")]


def command(loss: Name, run: Run = "", suite: Suites = [], results: Results = RESULTS) -> None:  # noqa: B006
    """Print one loss: formula, spellings, verdicts, what differs and where, curves and times of a run.

    Example: lossbench show huber
    """
    folder, tables = _latest(results, run)
    suites, refused = trust.suites(folder, suite) if folder else (suite, [])
    if folder and refused:
        typer.echo(f"lossbench: {plain(trust.left_out(folder, refused))}", err=True)
    known = catalogue.load(suites, backend="")
    found = known.find(loss)
    console = console_for()
    console.print(closeup.of(found, known.family(found.name), tables))
    if folder is None:
        hint = f"\nno run yet: lossbench run --loss {found.name}"
    elif tables is not None and found.name not in set(tables.cells["loss"]):
        hint = f"\nrun {folder.name} did not measure it: lossbench run --loss {found.name}"
    else:
        hint = f"\nrun {folder.name}; more in its report: lossbench report {folder.name}"
    console.print(plain(hint.strip()), style="dim", markup=False, highlight=False, soft_wrap=True)


def _latest(results: Place, run: str) -> tuple[Place | None, Tables | None]:
    """The run that is asked for, the latest if none is; none where there is none yet. BadInput for a wrong name."""
    if not run and not runs.recorded(results):
        return None, None
    folder = run_folder(results, run)
    return folder, runs.read(folder)
