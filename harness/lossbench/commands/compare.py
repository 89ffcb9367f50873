"""`lossbench compare`: two versions of the code timed side by side, or two recorded runs beside each other."""

from __future__ import annotations

import json as jsonlib
import math
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from lossbench.bench.hunting import budget as budgets
from lossbench.commands.gate import say
from lossbench.commands.options import RESULTS, Backends, Json, Losses, Modes, Results, chosen, words
from lossbench.commands.progress import progress_bar
from lossbench.commands.runs import run_folder
from lossbench.judge import change, gate
from lossbench.judge.change import Rule
from lossbench.lanes.backends import BACKENDS
from lossbench.pairing import trees
from lossbench.pairing.campaign import Campaign
from lossbench.pairing.sides import Sides, sides
from lossbench.record import run as runs
from lossbench.show import changes
from lossbench.spec.case import OPERATIONS
from lossbench.spec.errors import BadInput

BaseRun = Annotated[str, typer.Argument(metavar="[BASE]", help="A recorded run, the earlier: an id or a folder.")]
HeadRun = Annotated[str, typer.Argument(metavar="[HEAD]", help="The later recorded run; the latest if left out.")]
Base = Annotated[str, typer.Option("--base", metavar="VERSION", help="A file, a folder, or a git revision.")]
Head = Annotated[str, typer.Option("--head", metavar="VERSION", help="Likewise; default: as it lies there now.")]
Suite = Annotated[
    Path | None, typer.Option("--suite", help="Whose revisions are meant: your file. Default: the built-in suites.")
]
Margin = Annotated[str, typer.Option("--margin", help="Half the slowdown that must be found: 2.5% or 0.025.")]
Budget = Annotated[str, typer.Option("--budget", help="How long in all: 60s, 2m, 1h.")]
Strict = Annotated[bool, typer.Option("--strict", help="Exit 2 also where a cell stays undecided.")]
Profile = Annotated[str, typer.Option("--profile", help="Whose timed cells: quick, standard, full.")]
Operations = Annotated[str, typer.Option("--operation", help="value, grad; comma-separated.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Of the orders in which versions are visited.")]


MARGIN = f"{change.MARGIN:.1%}"


def command(
    base_run: BaseRun = "", head_run: HeadRun = "", base: Base = "", head: Head = "", suite: Suite = None,
    loss: Losses = "", backend: Backends = "", mode: Modes = "", operation: Operations = "", profile: Profile = "quick",
    margin: Margin = MARGIN, budget: Budget = "120s", strict: Strict = False, seed: Seed = 0,
    results: Results = RESULTS, json: Json = False,
) -> None:  # fmt: skip
    """Is the head slower than the base? Both run side by side in the same processes; unchanged code does not fail.

    Exit status 0: nothing is slower by the margin; 1: something is; 2: cannot tell.
    With two recorded runs: what changed in agreement, and in time as ratios between neighbours; across runs little
    can be said of time: a slowdown below the margin printed is not seen.

    Example: lossbench compare --base my_losses_old.py --head my_losses.py
    Example: lossbench compare --base main --suite my_losses.py
    Example: lossbench compare --base v1.2 --head HEAD --loss huber --backend torch
    Example: lossbench compare 20261122T140300Z-1a2b3c
    """
    if bool(base) == bool(base_run):
        raise BadInput(
            subject="compare",
            expected="either --base (and --head), to time two versions now, or recorded runs",
            received="both" if base else "neither",
            remedy="see lossbench compare --help",
        )
    if base_run:
        before, after = (runs.read(run_folder(results, name)) for name in (base_run, head_run))
        result = gate.compare(before, after)
        say(result)
        raise typer.Exit(result.exit_status)
    with tempfile.TemporaryDirectory(prefix="lossbench-") as scratch:
        folders = [Path(scratch).resolve() / name for name in ("base", "head")]
        for folder in folders:
            folder.mkdir()
        head = head or str(suite or trees.builtin())
        found = sides(
            trees.version(base, suite, folders[0]), trees.version(head, suite, folders[1]), profile=profile,
            losses=words(loss), backends=words(backend) and chosen("--backend", backend, tuple(BACKENDS)),
            modes=words(mode), operations=words(operation) and chosen("--operation", operation, OPERATIONS),
        )  # fmt: skip
        rule = Rule(cells=len(found.cells), margin=fraction(margin))
        campaign = Campaign(
            versions=found.versions, cells=found.cells, rule=rule, budget_seconds=budgets.seconds(budget), seed=seed
        )
        with progress_bar(Console(stderr=True)) as progress:
            campaign.run(progress)
    _say(campaign, found, json=json, strict=strict)


def _say(campaign: Campaign, found: Sides, *, json: bool, strict: bool) -> None:
    rows = [(course.cell.id, course.judgement, course.same_value) for course in campaign.courses]
    status = change.status([judgement for _, judgement, _ in rows], strict=strict)
    cost = changes.Cost(margin=campaign.rule.margin, seconds=campaign.seconds, processes=campaign.replicates)
    if json:
        one_sided = {"only_in_base": found.missing, "only_in_head": found.new}
        print(jsonlib.dumps(changes.record(rows, status, cost) | one_sided, indent=1))
    else:
        for line in changes.lines(rows, status, cost):
            typer.echo(line)
        for side, names in (("base", found.missing), ("head", found.new)):
            if names:
                typer.echo(f"only in the {side}: {', '.join(names)}")
    raise typer.Exit(status)


def fraction(text: str) -> float:
    """`5%` or `0.05`. BadInput for anything that is not above 0 and at most 1000%."""
    number = text.strip().removesuffix("%")
    try:
        value = float(number) / (100 if number != text.strip() else 1)
    except ValueError:
        value = math.nan
    if not 0 < value <= 10:
        raise BadInput(
            subject="a change", expected="5% or 0.05, above 0", received=repr(text), remedy="write a number and %"
        )
    return value
