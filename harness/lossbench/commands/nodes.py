"""`lossbench plan --nodes`: how long a recorded run would take on the nodes of a cluster."""

from __future__ import annotations

import json as jsonlib
from typing import Final

import typer

from lossbench.cluster.efficiency import Simulation
from lossbench.cluster.recorded import costs_of
from lossbench.commands.options import words
from lossbench.commands.runs import run_folder
from lossbench.record.run import read
from lossbench.record.stores import Place
from lossbench.spec.errors import BadInput

MOST: Final = 100_000


def tell(asked: str, run: str, seeds: int, results: Place, *, json: bool) -> None:
    """Prints a row for each number of nodes. BadInput where there is no run or no number."""
    numbers = [_number(word) for word in words(asked)]
    if not numbers:
        raise _bad(asked)
    folder = run_folder(results, run)
    costs = costs_of(read(folder))
    if not costs.cases:
        raise BadInput(
            subject=f"run {folder.name}", expected="cells", received="none", remedy="name a run that measured something"
        )
    simulation = Simulation(costs.seeded(seeds) if seeds > 1 else costs)
    found = [simulation.on(nodes) for nodes in numbers]
    if json:
        rows = [
            {
                "nodes": spread.nodes, "seconds": spread.seconds, "efficiency": spread.efficiency,
                "efficiency_after_start": spread.scheduled, "bound": spread.bound,
            }
            for spread in found
        ]  # fmt: skip
        about = {"run": folder.name, "work_seconds": found[0].work, "start_seconds": found[0].start}
        about |= {"documents_seconds": found[0].documents}
        longest = {"longest_seconds": found[0].longest, "longest_case": found[0].longest_case}
        print(jsonlib.dumps({**about, **longest, "nodes": rows}, indent=1))
        return
    one = found[0]
    typer.echo(f"run {folder.name}: {len(costs.cases)} cases, {one.work:.0f} s of one node; start-up {one.start:.0f} s")
    typer.echo(f"claims and curves take the coordinator {one.documents:.0f} s")
    typer.echo(f"the longest takes {one.longest:.1f} s: {one.longest_case}")
    typer.echo(f"{'nodes':>6} {'seconds':>9} {'efficiency':>11} {'after start':>12}  bound by")
    for spread in found:
        shares = f"{spread.efficiency:>11.1%} {spread.scheduled:>12.1%}"
        typer.echo(f"{spread.nodes:>6} {spread.seconds:>9.1f} {shares}  {spread.bound}")


def _number(word: str) -> int:
    if not word.isascii() or not word.isdigit() or not 1 <= int(word[:9]) <= MOST:
        raise _bad(word)
    return int(word)


def _bad(received: str) -> BadInput:
    return BadInput(
        subject="--nodes", expected=f"numbers from 1 to {MOST}, comma-separated", received=repr(received),
        remedy="write 1,10,100",
    )  # fmt: skip
