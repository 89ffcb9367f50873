"""`lossbench compare`: two versions of the code timed side by side, or two recorded runs beside each other."""

from __future__ import annotations

import json as jsonlib
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from lossbench.bench.hunting import budget as budgets
from lossbench.commands import upgrading
from lossbench.commands.gate import say
from lossbench.commands.options import RESULTS, Backends, Json, Losses, Modes, Results, chosen, words
from lossbench.commands.runs import run_folder
from lossbench.commands.timing import MARGIN, Asked, Timing, fraction
from lossbench.judge import gate
from lossbench.judge.baseline import READ
from lossbench.lanes.backends import BACKENDS
from lossbench.pairing import environments, trees
from lossbench.record import run as runs
from lossbench.spec.case import OPERATIONS
from lossbench.spec.errors import BadInput

BaseRun = Annotated[str, typer.Argument(metavar="BASE", help="A recorded run, the earlier: an id or a folder.")]
HeadRun = Annotated[str, typer.Argument(metavar="HEAD", help="The later recorded run; the latest if left out.")]
Base = Annotated[
    str, typer.Option("--base", metavar="VERSION", help="A file, a folder, a git revision, or 'keras==3.14.0'.")
]
Head = Annotated[str, typer.Option("--head", metavar="VERSION", help="Likewise; default: as it lies there now.")]
Suite = Annotated[
    Path | None, typer.Option("--suite", help="Whose revisions are meant: your file. Default: the built-in suites.")
]
BasePython = Annotated[
    str, typer.Option("--base-python", metavar="PATH", help="An interpreter with the base's versions of everything.")
]
HeadPython = Annotated[str, typer.Option("--head-python", metavar="PATH", help="Likewise; default: this one.")]
Margin = Annotated[str, typer.Option("--margin", help="Half the slowdown that must be found: 2.5% or 0.025.")]
Budget = Annotated[str, typer.Option("--budget", help="How long in all: 60s, 2m, 1h.")]
Strict = Annotated[bool, typer.Option("--strict", help="Exit 2 also where a cell stays undecided.")]
Profile = Annotated[str, typer.Option("--profile", help="Whose timed cells: quick, standard, full.")]
Operations = Annotated[str, typer.Option("--operation", help="value, grad; comma-separated.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Of the orders in which versions are visited.")]


def command(
    base_run: BaseRun = "", head_run: HeadRun = "", base: Base = "", head: Head = "",
    base_python: BasePython = "", head_python: HeadPython = "", suite: Suite = None,
    loss: Losses = "", backend: Backends = "", mode: Modes = "", operation: Operations = "", profile: Profile = "quick",
    margin: Margin = MARGIN, budget: Budget = "120s", strict: Strict = False, seed: Seed = 0,
    results: Results = RESULTS, json: Json = False,
) -> None:  # fmt: skip
    """Is the head slower than the base? Both run side by side in the same processes; unchanged code does not fail.

    Exit status 0: nothing is slower by the margin; 1: something is; 2: cannot tell (with --strict, any cell).
    With requirements or interpreters, the two take turns on one core, and every value and gradient of the profile is
    compared too: 1 also where one moved by more than rounding, or is no longer answered.
    With two recorded runs: what changed in agreement, and in time as ratios between neighbours; across runs little
    can be said of time: a slowdown below the margin printed is not seen.

    Example: lossbench compare --base my_losses_old.py --head my_losses.py
    Example: lossbench compare --base main --suite my_losses.py
    Example: lossbench compare --base v1.2 --head HEAD --loss huber --backend torch
    Example: lossbench compare --base 'keras==3.14.0'
    Example: lossbench compare --base 'jax==0.9.2 optax==0.2.7' --head 'jax==0.9.2 optax==0.2.8'
    Example: lossbench compare --base-python ~/old/bin/python --backend torch
    Example: lossbench compare 20261122T140300Z-1a2b3c
    """
    timed = bool(base or base_python)
    if timed == bool(base_run):
        raise BadInput(
            subject="compare",
            expected="either --base (and --head), to time two versions now, or recorded runs",
            received="both" if timed else "neither",
            remedy="see lossbench compare --help",
        )
    if base_run:
        before, after = (runs.read(run_folder(results, name), only=READ) for name in (base_run, head_run))
        result = gate.compare(before, after)
        say(result)
        raise typer.Exit(result.exit_status)
    rule = Timing(margin=fraction(margin), budget_seconds=budgets.seconds(budget), seed=seed, strict=strict, json=json)
    asked = Asked(
        profile=profile, losses=words(loss), backends=words(backend) and chosen("--backend", backend, tuple(BACKENDS)),
        modes=words(mode), operations=words(operation) and chosen("--operation", operation, OPERATIONS),
    )  # fmt: skip
    if base_python or head_python or environments.named(base):
        upgrading.command(base, head, base_python, head_python, suite, asked, rule)
    with tempfile.TemporaryDirectory(prefix="lossbench-") as scratch:
        folders = [Path(scratch).resolve() / name for name in ("base", "head")]
        for folder in folders:
            folder.mkdir()
        head = head or str(suite or trees.builtin())
        found = asked.sides(trees.version(base, suite, folders[0]), trees.version(head, suite, folders[1]))
        campaign = rule.timed(found)
    one_sided = {"only_in_base": found.missing, "only_in_head": found.new}
    status = rule.status(campaign)
    if json:
        print(jsonlib.dumps(rule.record(campaign, status) | one_sided, indent=1))
    else:
        typer.echo("\n".join(rule.lines(campaign, status)))
        for side, names in (("base", found.missing), ("head", found.new)):
            if names:
                typer.echo(f"only in the {side}: {', '.join(names)}")
    raise typer.Exit(status)
