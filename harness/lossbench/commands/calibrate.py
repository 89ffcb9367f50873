"""`lossbench calibrate`: the gate's own false alarms and power, on this machine, now."""

from __future__ import annotations

import json as jsonlib
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import replace
from typing import Annotated

import typer
from rich.console import Console

from lossbench.bench.hunting import budget as budgets
from lossbench.commands.compare import fraction
from lossbench.commands.options import Backends, Json, chosen, words
from lossbench.commands.progress import progress_bar
from lossbench.judge.calibration import Rate
from lossbench.judge.change import Rule
from lossbench.lanes.backends import BACKENDS
from lossbench.pairing import figures, rates, trees
from lossbench.pairing.campaign import Campaign
from lossbench.pairing.sides import sides
from lossbench.spec import catalogue
from lossbench.spec.case import Cell
from lossbench.spec.errors import BadInput

Loss = Annotated[str, typer.Option("--loss", help="Losses to measure with, comma-separated.")]
Budget = Annotated[str, typer.Option("--budget", help="How long to measure: 5m is the short form, 90m the long one.")]
Margin = Annotated[str, typer.Option("--margin", help="The gate's margin: 3% or 0.03.")]
Cells = Annotated[int, typer.Option("--cells", min=1, help="Of a suite whose gate runs are drawn.")]
Runs = Annotated[int, typer.Option("--runs", min=0, help="Whole gate runs on unchanged code as well, 2 minutes each.")]
Hogs = Annotated[int, typer.Option("--hogs", min=0, help="Processes that only burn time, to be in the way.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Of orders and of what is drawn.")]

HOG = "while True: pass"
RUN_SECONDS = 120.0


def command(
    loss: Loss = "huber", backend: Backends = "", budget: Budget = "5m", margin: Margin = "3%", cells: Cells = 50,
    runs: Runs = 0, hogs: Hogs = 0, seed: Seed = 0, json: Json = False,
) -> None:  # fmt: skip
    """How often would `compare` cry wolf here, and what would it find?

    Gate runs are drawn from replicates of unchanged code and of planted slowdowns: further calls, really made. Other
    gates' rules are computed on the same samples. Exit status 0; 2 where nothing could be measured.

    Example: lossbench calibrate --budget 5m
    Example: lossbench calibrate --budget 90m --runs 60 --hogs 2
    """
    backends = words(backend) and chosen("--backend", backend, tuple(BACKENDS))
    found = sides(trees.builtin(), trees.builtin(), losses=words(loss), backends=backends, operations=("grad",))
    large = [cell for cell, _ in found.cells]
    chosen_cells = [*large, *(_small(cell) for cell in large)]
    rule = Rule(cells=cells, margin=fraction(margin))
    alarms = 0
    with ExitStack() as stack, progress_bar(Console(stderr=True)) as progress:
        for _ in range(hogs):
            stack.callback(_end, subprocess.Popen([sys.executable, "-c", HOG]))
        made = rates.versions(trees.builtin())
        measured = rates.measure(made, chosen_cells, budgets.seconds(budget), seed=seed, tell=progress)
        for number in range(runs):
            own = Rule(cells=len(found.cells), margin=rule.margin)
            campaign = Campaign(
                versions=found.versions, cells=found.cells, rule=own, budget_seconds=RUN_SECONDS, seed=seed + number
            )
            alarms += any(course.judgement.verdict == "FAIL" for course in campaign.run(progress))
    if not figures.usable(measured):
        raise BadInput(
            subject="--budget",
            expected=f"time for {figures.LEAST_REPLICATES} replicates of a cell",
            received=budget,
            remedy="give more, or fewer losses and backends",
        )
    gates = [figures.ours(measured, rule, seed=seed), *figures.others(measured)]
    whole = Rate(hits=alarms, trials=runs)
    if json:
        print(jsonlib.dumps(figures.record(measured, gates) | {"whole_runs": [alarms, runs], "hogs": hogs}, indent=1))
        return
    typer.echo("\n".join(figures.lines(measured, gates)))
    if runs:
        low, high = whole.interval
        typer.echo(f"whole gate runs on unchanged code: {alarms} of {runs} raised an alarm [{low:.1%}, {high:.1%}]")
    costs = ", ".join(f"{lane} {seconds:.2f} s" for lane, seconds in measured.replicate_seconds.items())
    typer.echo(f"{measured.seconds:.0f} s; a replicate of a cell with its six slowed copies: {costs}")


def _small(cell: Cell) -> Cell:
    """The same on small arrays, where a block is many calls and a slowdown of 2% can be planted as whole ones."""
    shape = catalogue.load(backend="").find(cell.case.loss).shapes["small"]
    return replace(cell, case=replace(cell.case, shape=tuple(shape)))


def _end(hog: subprocess.Popen[bytes]) -> None:
    hog.kill()
    hog.wait()
