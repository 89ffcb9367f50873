"""`lossbench plan`: how many processes and seconds it takes to see a slowdown of a given size; or on how many nodes."""

from __future__ import annotations

import json as jsonlib
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console

from lossbench.bench.hunting import budget as budgets
from lossbench.commands import nodes as clusters
from lossbench.commands.options import RESULTS, Backends, Json, Losses, Results, chosen, words
from lossbench.commands.progress import progress_bar
from lossbench.commands.timing import fraction
from lossbench.judge.calibration import FAIL, Pool, gate_runs
from lossbench.judge.change import Rule
from lossbench.judge.noise import Noise
from lossbench.lanes.backends import BACKENDS
from lossbench.pairing import cores, figures, rates, trees
from lossbench.pairing.sides import sides
from lossbench.spec.errors import BadInput

Detect = Annotated[str, typer.Option("--detect", help="The slowdown to be seen: 3% or 0.03.")]
Pilot = Annotated[str, typer.Option("--budget", help="How long to measure this machine's noise first.")]

Nodes = Annotated[
    str, typer.Option("--nodes", help="Instead: how long a recorded run would take on so many: 1,10,100.")
]
OfRun = Annotated[str, typer.Option("--run", help="With --nodes: a run id or folder; the latest if left out.")]
Seeds = Annotated[int, typer.Option("--seeds", min=1, max=100, help="With --nodes: as if run with so many seeds.")]

MARGIN_SHARE = 0.5
"""Of the slowdown to be seen: the centre must exceed the margin, and half of all centres fall short of the slowdown."""
RUNS = 2000
LEAST = 6


def command(
    detect: Detect = "3%", loss: Losses = "", backend: Backends = "", budget: Pilot = "30s", nodes: Nodes = "",
    run: OfRun = "", seeds: Seeds = 1, results: Results = RESULTS, json: Json = False,
) -> None:  # fmt: skip
    """How many processes and seconds would `compare` need to find a slowdown of this size?

    Measures the noise of unchanged code for a short while, and plays the gate with it.
    With --nodes, measures nothing: what the cells of a recorded run cost, laid out on the nodes of a cluster.

    Example: lossbench plan --detect 3% --loss huber --backend torch
    Example: lossbench plan --nodes 1,10,100,1000
    """
    if nodes or run:
        clusters.tell(nodes, run, seeds, results, json=json)
        return
    size = fraction(detect)
    backends = words(backend) and chosen("--backend", backend, tuple(BACKENDS))
    found = sides(trees.builtin(), trees.builtin(), losses=words(loss), backends=backends)
    with progress_bar(Console(stderr=True)) as progress:
        measured = rates.measure(
            rates.versions(trees.builtin(), ()), [c for c, _ in found.cells], budgets.seconds(budget), tell=progress
        )
    rule = Rule(cells=len(found.cells), margin=MARGIN_SHARE * size)
    enough = [own for own in measured.samples.values() if len(own.head) >= LEAST]
    known = figures.usual(enough)
    rows = [_row(own, rule, size, measured, known[own.cell.lane]) for own in enough]
    if not rows:
        raise BadInput(
            subject="--budget",
            expected=f"time for {LEAST} replicates of a cell",
            received=budget,
            remedy="give more, or fewer losses and backends",
        )
    used = min(len(cores.allowed()), len(measured.replicate_seconds))
    total = sum(row["unchanged_seconds"] for row in rows) / used + max(row["seconds"] for row in rows)
    if json:
        print(jsonlib.dumps({"detect": size, "margin": rule.margin, "seconds": total, "cells": rows}, indent=1))
        return
    typer.echo(
        f"to see {size:+.1%}, with --margin {rule.margin:.2%}: --budget {total:.0f}s and the start of the frameworks, "
        f"for {len(rows)} cells of which one is slower, on {used} cores"
    )
    for row in rows:
        typer.echo(
            f"{row['processes']:>5.1f} processes {row['seconds']:>6.1f} s where slower, "
            f"{row['unchanged_processes']:>5.1f} where not  found {row['found']:>6.1%}  "
            f"noise {row['robust_sd']:.1%} ({row['pilot']} replicates)  {row['cell']}"
        )


def _row(own: rates.Samples, rule: Rule, size: float, measured: rates.Measured, noise: Noise) -> dict[str, Any]:
    """One cell: its noise, and what the gate would need and find with a slowdown of that size."""
    x, control = np.array(own.head), np.array(own.control)
    runs, each = max(1, RUNS // rule.cells), measured.replicate_seconds[own.cell.lane.id]
    shifts = (float(np.log1p(size)), 0.0)
    slowed, still = (Pool(x=x, control=control, planted=shift, noise=noise) for shift in shifts)
    said, taken = gate_runs([slowed], rule, runs, seed=0)
    _, untouched = gate_runs([still], rule, runs, seed=0)
    processes, few = (float(counts.sum(axis=0).mean()) for counts in (taken, untouched))
    return {
        "cell": own.cell.id, "robust_sd": figures.spread(own.head), "pilot": len(x), "processes": processes,
        "seconds": processes * each, "unchanged_processes": few, "unchanged_seconds": few * each,
        "found": float((said == FAIL).mean()),
    }  # fmt: skip
