"""`lossbench compare`: two recorded runs beside each other."""

from __future__ import annotations

from typing import Annotated

import typer

from lossbench.commands.gate import say
from lossbench.commands.options import RESULTS, Results
from lossbench.commands.runs import run_folder
from lossbench.judge import gate
from lossbench.record import run as runs

Base = Annotated[str, typer.Argument(metavar="BASE", help="The earlier run: an id or a folder.")]
Head = Annotated[str, typer.Argument(metavar="[HEAD]", help="The later run; the latest if left out.")]


def command(base: Base, head: Head = "", results: Results = RESULTS) -> None:
    """Compare two recorded runs: what changed in agreement, and in time as ratios between neighbours.

    Across runs little can be said of time: a slowdown below the margin printed is not seen.

    Example: lossbench compare 20261122T140300Z-1a2b3c
    """
    before, after = (runs.read(run_folder(results, name)) for name in (base, head))
    result = gate.compare(before, after)
    say(result)
    raise typer.Exit(result.exit_status)
