"""`lossbench calibrate`: the gate's own false alarms and power, on this machine, now."""

from __future__ import annotations

import json as jsonlib
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Annotated, Any

import typer
from rich.console import Console

from lossbench.bench.hunting import budget as budgets
from lossbench.commands.options import Backends, Json, chosen, words
from lossbench.commands.progress import NOW_AND_THEN, progress_bar
from lossbench.commands.timing import MARGIN, fraction
from lossbench.judge.calibration import Rate
from lossbench.judge.change import Rule
from lossbench.lanes.backends import BACKENDS
from lossbench.pairing import bars, figures, peers, rates, trees, whole
from lossbench.pairing.campaign import FEW_ROUNDS, Tell
from lossbench.pairing.rates import Measured
from lossbench.pairing.sides import Sides, sides
from lossbench.pairing.whole import Whole
from lossbench.spec.errors import BadInput

Loss = Annotated[str, typer.Option("--loss", help="Losses to measure with, comma-separated.")]
Budget = Annotated[str, typer.Option("--budget", help="How long in all: 5m is the short form.")]
Margin = Annotated[str, typer.Option("--margin", help="The gate's margin: 2.5% or 0.025.")]
Runs = Annotated[
    int, typer.Option("--runs", min=0, help="Whole gate runs on the unchanged quick profile, 2 minutes each.")
]
Hogs = Annotated[int, typer.Option("--hogs", min=0, help="Processes that only burn time, to be in the way.")]
Long = Annotated[bool, typer.Option("--long", help="The long form, up to 90 minutes: see docs/how-we-time.md.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Of orders and of what is drawn.")]

HOG = "while True: pass"
LOSSES = "huber,binary_crossentropy,kl_divergence"
LEAST_SECONDS = 20.0
OVERHEAD_SECONDS = 20.0
LONG = {"quiet": 1200.0, "hogs": 600.0, "suites": 60, "suite_cells": 50, "suite_seconds": 45.0, "peers": 420.0}
"""Seconds of measuring, alone and beside two hogs; small gate runs end to end; seconds for another gate's program."""


def command(
    loss: Loss = LOSSES, backend: Backends = "", budget: Budget = "5m", margin: Margin = MARGIN, runs: Runs = 1,
    hogs: Hogs = 0, long: Long = False, seed: Seed = 0, json: Json = False,
) -> None:  # fmt: skip
    """How often would `compare` cry wolf here, and what would it find?

    Gate runs over suites as large as the quick profile are drawn from replicates of unchanged code and of planted
    slowdowns: further work, really done. Other gates' rules are computed on the same samples. Whole runs show what the
    time limit costs. Exit status 0; 2 where nothing could be measured.

    Example: lossbench calibrate
    Example: lossbench calibrate --long
    """
    backends = words(backend) and chosen("--backend", backend, tuple(BACKENDS))
    code = trees.builtin()
    every = sides(code, code, backends=backends, operations=("grad",))
    some = sides(code, code, losses=words(loss), backends=backends, operations=("grad",))
    rule = Rule(cells=len(every.cells), margin=fraction(margin))
    left = budgets.seconds(budget) - runs * bars.MOST_SECONDS - OVERHEAD_SECONDS
    seconds = LONG["quiet"] if long else max(LEAST_SECONDS, left)
    with progress_bar(Console(stderr=True), every_seconds=NOW_AND_THEN) as tell:
        with burning(hogs):
            said = _measured(some, rule, seconds, seed, tell, budget, figures.LONG_RUNS if long else 0)
            wholes = [
                whole.run(every.versions, every.cells, rule, bars.MOST_SECONDS, seed + n, tell) for n in range(runs)
            ]
        if not json:
            _echo(_lines(*said, wholes, rule, hogs))
        further = _long(every, some, rule, seed, tell, budget) if long else {}
    if json:
        print(jsonlib.dumps(_record(*said, wholes, hogs) | further, indent=1, default=str))
        return
    _echo(further.get("lines", ()))


def _echo(lines: Iterable[str]) -> None:
    """At once: an hour that ends badly keeps what was said before."""
    for line in lines:
        typer.echo(line)
    sys.stdout.flush()


def _measured(
    some: Sides, rule: Rule, seconds: float, seed: int, tell: Tell, budget: str, runs: int = 0
) -> tuple[Measured, list[figures.Gate]]:
    """Error rates from replicates of the chosen losses: of this gate, of it with few rounds, of other gates.

    BadInput where there was no time for enough replicates.
    """
    found = rates.measure(rates.versions(trees.builtin()), [c for c, _ in some.cells], seconds, seed=seed, tell=tell)
    if not figures.usable(found):
        raise BadInput(
            subject="--budget",
            expected=f"time for {figures.LEAST_REPLICATES} replicates of a cell",
            received=budget,
            remedy="give more, or fewer losses, backends and --runs",
        )
    few = figures.ours(replace(found, samples=found.few), rule, runs=runs, seed=seed, name=f"{FEW_ROUNDS} rounds")
    return found, [figures.ours(found, rule, runs=runs, seed=seed), few, *figures.others(found)]


def _long(every: Sides, some: Sides, rule: Rule, seed: int, tell: Tell, budget: str) -> dict[str, Any]:
    """What the long form adds: the same beside two hogs, many small gate runs end to end, other gates' own programs."""
    with burning(2):
        loaded, gates = _measured(some, rule, LONG["hogs"], seed + 1, tell, budget)
    alarms, verdicts = 0, []
    small = Rule(cells=int(LONG["suite_cells"]), margin=rule.margin)
    for number in range(int(LONG["suites"])):
        cells = whole.suite(every.cells, small.cells, seed + number)
        made = whole.run(every.versions, cells, small, LONG["suite_seconds"], seed + number, tell)
        alarms += made.alarm
        verdicts.append(made.inconclusive.share)
    ran = Rate(hits=alarms, trials=len(verdicts))
    real = peers.compare_fail(LONG["peers"])
    return {
        "hogs": figures.record(loaded, gates), "suites_end_to_end": figures.written(ran),
        "pytest_benchmark": {f"{slowdown:g}": figures.written(found) for slowdown, found in real.items()},
        "lines": [
            "", "beside two processes that only burn time:", *bars.noise(loaded), *bars.table(gates, rule.cells),
            *bars.verdicts(loaded, gates[0], (), gates[1]), "",
            f"{ran.trials} gate runs of {small.cells} unchanged cells, end to end, {LONG['suite_seconds']:.0f} s each: "
            f"with a false alarm {bars.said(ran)}; {sum(verdicts) / max(1, len(verdicts)):.1%} of cells inconclusive",
            *(
                f"pytest-benchmark itself, compare-fail={peers.RULE}, planted {slowdown:+.0%}: "
                f"fails {bars.said(found)} of {found.trials}"
                for slowdown, found in real.items()
            ),
        ],
    }  # fmt: skip


def _lines(measured: Measured, gates: list[figures.Gate], wholes: list[Whole], rule: Rule, hogs: int) -> Iterator[str]:
    """The measurement for a person: noise, the table, then the bars."""
    yield from bars.noise(measured)
    costs = ", ".join(f"{lane} {seconds:.2f} s" for lane, seconds in measured.replicate_seconds.items())
    yield f"a replicate of a cell with its control and six slowed copies: {costs}"
    yield ""
    yield f"suites of {rule.cells} cells; measured for {measured.seconds:.0f} s on {whole.on()}" + (
        f" beside {hogs} hogs" if hogs else ""
    )
    yield from bars.table(gates, rule.cells)
    yield ""
    yield from bars.verdicts(measured, gates[0], wholes, gates[1])


def _record(measured: Measured, gates: list[figures.Gate], wholes: list[Whole], hogs: int) -> dict[str, Any]:
    return figures.record(measured, gates) | {
        "hogs_beside": hogs,
        "whole_runs": [
            {
                "seconds": made.seconds, "verdicts": dict(made.verdicts), "replicates": made.replicates,
                "undecided": made.undecided,
            }
            for made in wholes
        ],
    }  # fmt: skip


@contextmanager
def burning(hogs: int) -> Iterator[None]:
    """So many processes that only burn time, until the end."""
    with ExitStack() as stack:
        for _ in range(hogs):
            stack.callback(_end, subprocess.Popen([sys.executable, "-c", HOG]))
        yield


def _end(hog: subprocess.Popen[bytes]) -> None:
    hog.kill()
    hog.wait()
