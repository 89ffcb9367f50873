"""`lossbench report`: write the report of a recorded run again, compared with another, or while it goes on."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

import typer

from lossbench.bench import trust
from lossbench.commands.options import REPORTS, RESULTS, Reports, Results, RunId, Suites
from lossbench.commands.runs import run_folder
from lossbench.judge import gate, ledger, timed, timing
from lossbench.judge.baseline import READ, Baseline, of
from lossbench.lanes.stopwatch import undisturbed
from lossbench.practice import section
from lossbench.record import run as runs
from lossbench.record import stores
from lossbench.record.stores import Place
from lossbench.record.tables import TABLES
from lossbench.show import costs, page
from lossbench.spec import catalogue
from lossbench.spec.plain import plain

EVERY_SECONDS: Final = 5
_EVERY: Final = {name: tuple(c.name for c in table.columns) for name, table in TABLES.items()}
SHOWN: Final = _EVERY | {"measurements": (*timed.READ, *timing.NAMED, *costs.READ)}
"""Table -> the columns that are on some page."""

Against = Annotated[
    str, typer.Option("--against", metavar="RUN", help="Say what changed since this run: an id, a folder, a baseline.")
]
Lanes = Annotated[
    str,
    typer.Option(
        "--lanes", metavar="A,B", help="Hold two lanes of the run beside each other: torch/eager,jax/compiled."
    ),
]
Watch = Annotated[bool, typer.Option("--watch", help="Write it again as rows arrive, until the run ends.")]


def command(
    run: RunId = "",
    against: Against = "",
    lanes: Lanes = "",
    watch: Watch = False,
    suite: Suites = [],  # noqa: B006 - typer reads the default
    results: Results = RESULTS,
    reports: Reports = REPORTS,
) -> None:
    """Write the report of a recorded run, also of one that was interrupted or goes on.

    A run of two backends has their eager lanes beside each other without being asked.

    Example: lossbench report
    Example: lossbench report --against results/baseline
    Example: lossbench report --lanes torch/eager,jax/compiled
    """
    before = _before(results, against) if against else None
    asked = run_folder(results, run)
    with stores.near(asked) as folder:
        written = _written(folder, before, lanes, watch, suite, reports, beside=folder == asked)
    typer.echo(os.path.relpath(written))


def _written(
    folder: Path, before: Baseline | None, lanes: str, watch: bool, suite: list[Path], reports: Path, *, beside: bool
) -> Path:
    """beside: whether the page may lead to the run's own files."""
    request = runs.manifest(folder)["request"]
    suites, refused = trust.suites(folder, suite)
    if refused:
        typer.echo(f"lossbench: {plain(trust.left_out(folder, refused))}", err=True)
    known = catalogue.load(suites, backend="")

    def write(going: bool) -> Path:
        with undisturbed():  # a million rows make a million small objects, among which there is nothing to collect
            tables = runs.read(folder, only=SHOWN)
            result = gate.compare(before, tables) if before is not None else None
            return page.write(
                tables, known, reports, folder.name, gate=result, lanes=lanes, run_folder=folder if beside else None,
                defects=None if going else ledger.of_run(tables, request), again_seconds=EVERY_SECONDS if going else 0,
                training=section.of_run(folder, reports / folder.name),
            )  # fmt: skip

    return follow(folder, write, lambda: time.sleep(EVERY_SECONDS)) if watch else write(False)


def follow(run: Path, write: Callable[[bool], Path], wait: Callable[[], None]) -> Path:
    """Write while the run grows, and once more when it has ended: `write` is told whether it goes on."""
    seen = -1
    while runs.going(run):
        size = (run / "journal.jsonl").stat().st_size
        if size != seen:
            seen = size
            write(True)
        wait()
    return write(False)


def _before(results: Place, name: str) -> Baseline:
    """A committed baseline, or a run. BadInput, RunDamaged."""
    if (Path(name) / "agreement.csv.gz").exists():
        return gate.load_baseline(Path(name))
    return of(runs.read(run_folder(results, name), only=READ))
