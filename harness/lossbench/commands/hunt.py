"""`lossbench hunt`: looks for the inputs on which a framework's loss is not what it says, and shows the smallest."""

from __future__ import annotations

import json as jsonlib
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from lossbench.bench.hunting import budget as budgets
from lossbench.bench.hunting import records
from lossbench.bench.hunting.finds import Behaviour
from lossbench.bench.hunting.lanes import Asking
from lossbench.bench.hunting.probes import Probe
from lossbench.bench.hunting.reproducers import Reproducer, Writers
from lossbench.bench.hunting.search import Search
from lossbench.bench.pool import Pool
from lossbench.commands.options import Backends, Losses, Suites, chosen, words
from lossbench.commands.progress import NOW_AND_THEN, progress_bar
from lossbench.lanes.backends import BACKENDS, installed_backends
from lossbench.record import frames
from lossbench.running.contract import Progress
from lossbench.spec import catalogue
from lossbench.spec.case import Lane

Dtypes = Annotated[
    str, typer.Option("--dtype", help="float32, float16, bfloat16, float64; comma-separated. Default: all.")
]
Budget = Annotated[str, typer.Option("--budget", help="How long in all: 60s, 2m, 1h.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Another seed draws other inputs.")]
Probes = Annotated[
    int, typer.Option("--probes", min=0, help="End after so many probes instead: the same finds on any machine.")
]
Out = Annotated[Path | None, typer.Option("--json", metavar="OUT", help="Write one record per behaviour.")]
CaseFile = Annotated[
    Path | None, typer.Option("--case-file", metavar="OUT", help="Write the finds as cases for `lossbench check`.")
]

DTYPES: Final = ("float32", "float16", "bfloat16", "float64")
WRITING_SHARE: Final = 0.12
"""Of the budget, for writing and running the reproducers."""
WRITING_SECONDS: Final = 40.0
LEAST_SHARE: Final = 0.5
"""Of the budget, for the search itself, however long the frameworks take to start."""


def command(
    loss: Losses = "", backend: Backends = "", dtype: Dtypes = "", budget: Budget = "60s", seed: Seed = 0,
    probes: Probes = 0, json: Out = None, case_file: CaseFile = None, suite: Suites = [],  # noqa: B006 - typer reads the default
) -> None:  # fmt: skip
    """Search for inputs on which a loss is wrong, shrink what is found, and print it in that framework alone.

    Behaviours that rounding explains are not shown. Exit status 0, whatever is found; 2: bad input.

    Example: lossbench hunt --loss log_cosh --backend torch --dtype float32 --budget 60s
    """
    seconds = budgets.seconds(budget)
    known = catalogue.load(suite, backend="")
    losses = known.select(words(loss)) if words(loss) else tuple(known.losses.values())
    backends = chosen("--backend", backend, tuple(BACKENDS)) if words(backend) else installed_backends()
    dtypes = chosen("--dtype", dtype, DTYPES)
    began = time.monotonic()
    console = Console(stderr=True)
    with Pool(suite) as pool, Writers(suite) as writers:
        lanes = [Lane(backend=name) for name in backends]
        pool.start(lanes)
        for lane in lanes:
            pool.lane(lane).ready()
        left = seconds - (time.monotonic() - began) - min(WRITING_SECONDS, WRITING_SHARE * seconds)
        clock = budgets.Clock(seconds=max(left, LEAST_SHARE * seconds), probes=probes)
        with (
            Asking({lane.backend: pool.lane(lane) for lane in lanes}) as asking,
            progress_bar(console, every_seconds=NOW_AND_THEN) as progress,
        ):
            search = Search(asking=asking, clock=clock, seed=seed)
            search.told = _teller(progress)
            behaviours = search.run(losses, dtypes)
        shown = [(behaviour, writers.write(behaviour.find)) for behaviour in behaviours]
    _say(shown, clock.asked)
    if json is not None:
        found = [records.record(number, *pair) for number, pair in enumerate(shown, 1)]
        frames.write_whole(json, jsonlib.dumps(found, indent=1).encode())
    if case_file is not None:
        frames.write_whole(case_file, jsonlib.dumps(records.cases([b for b, _ in shown]), indent=1).encode())


def _teller(progress: Progress) -> Callable[[budgets.Clock, Probe, int], None]:
    def tell(clock: budgets.Clock, probe: Probe, found: int) -> None:  # noqa: ARG001 - the bar has no room for more
        if clock.probes:
            progress(clock.asked, clock.probes, math.nan)
        else:
            progress(int(clock.seconds - clock.left), int(clock.seconds), clock.left)

    return tell


def _say(shown: Sequence[tuple[Behaviour, Reproducer]], probes: int) -> None:
    own = sum(behaviour.find.native for behaviour, _ in shown)
    for number, (behaviour, reproducer) in enumerate(shown, 1):
        typer.echo(f"{number}. {records.sentence(behaviour)}")
        if not reproducer.reproduced:
            typer.echo("   (the program below did not show it when it was run by itself)")
        typer.echo("\n" + "\n".join(f"    {line}" if line else "" for line in reproducer.program.splitlines()) + "\n")
    typer.echo(
        f"{len(shown)} behaviours that rounding does not explain, after {probes} probes: "
        f"{own} of the frameworks' own losses, {len(shown) - own} of formulas written in their operations."
    )
