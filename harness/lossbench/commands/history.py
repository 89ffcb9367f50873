"""`lossbench history`: many runs one after the other, and where something changed."""

from __future__ import annotations

import json as jsonlib
import math
import os
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Annotated, Any

import typer

from lossbench.commands.listing import console_for
from lossbench.commands.options import Json
from lossbench.judge import baseline, gate
from lossbench.judge.baseline import Baseline
from lossbench.record import commits
from lossbench.record import run as runs
from lossbench.record.stores import Place, here, place
from lossbench.show import chronicle, history
from lossbench.spec.errors import BadInput

Folder = Annotated[
    Place, typer.Argument(metavar="FOLDER", parser=place, help="Folder or address of runs; results/ if left out.")
]
Margin = Annotated[float, typer.Option("--margin", min=0.0, help="The slowdown that matters: 0.25 is 25%.")]


Html = Annotated[Path | None, typer.Option("--html", metavar="OUT", help="Write it as a page, with the trends drawn.")]
Git = Annotated[
    str, typer.Option("--git", metavar="REV", help="FOLDER is a baseline: take it from every commit that changed it.")
]
Notes = Annotated[bool, typer.Option("--notes", help="Take the baselines from the git notes around FOLDER.")]


def command(
    folder: Folder = Path("results"), margin: Margin = gate.MARGIN, html: Html = None, git: Git = "",
    notes: Notes = False, json: Json = False,
) -> None:  # fmt: skip
    """Say of every run in a folder what changed since the run before, by the gate's own rules, and draw the trend.

    Example: lossbench history results
    Example: lossbench history results --html history.html
    Example: lossbench history results/baseline --git main
    Example: lossbench history --notes
    """
    kept = _kept(here(folder, "--git" if git else "--notes"), git, notes=notes) if git or notes else _recorded(folder)
    found, steps = history.walk(kept, margin=margin)
    if len(found) < 2:
        raise BadInput(
            subject="git notes" if notes else str(folder),
            expected="two runs or more",
            received=f"{len(found)}",
            remedy="keep each run with `lossbench baseline --note`" if notes else "run again, or name a folder",
        )
    if html is not None:
        typer.echo(os.path.relpath(chronicle.write(found, steps, html, margin=margin)))
    elif json:
        trends = history.trends(found, {change.subject for step in steps for change in step.changes})
        print(jsonlib.dumps([_record(trends, step) for step in steps], indent=1))
    else:
        console_for().print(history.printed(found, steps))


def _recorded(folder: Place) -> Iterator[tuple[str, Baseline]]:
    """The runs of a folder that have ended, the oldest first; the next is read meanwhile. RunDamaged."""
    ended = [path for path in runs.recorded(folder) if not runs.going(path)]
    with ThreadPoolExecutor(max_workers=1) as reader:
        read = partial(runs.read, only=baseline.READ)
        coming = [reader.submit(read, path) for path in ended[:1]]
        for path, following in zip_longest(ended, ended[1:]):
            tables = coming.pop().result()
            coming += [reader.submit(read, following)] if following else []
            yield path.name, baseline.of(tables)


def _kept(folder: Path, revision: str, *, notes: bool) -> list[tuple[str, Baseline]]:
    """The baselines that were committed there, or noted, the oldest first. BadInput, RunDamaged."""
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        found = commits.noted(folder, place) if notes else commits.versions(folder, revision, place)
        return [(kept.name, gate.load_baseline(kept.path)) for kept in found]


def _record(trends: Mapping[str, list[float]], step: history.Step) -> dict[str, Any]:
    changes = [{**asdict(f), "trend": trends[f.subject]} for f in step.changes]
    return {"run": step.run, "compared": step.result is not None, "changes": [_finite(c) for c in changes]}


def _finite(content: Any) -> Any:
    """NaN as null: JSON has none."""
    if isinstance(content, dict):
        return {name: _finite(value) for name, value in content.items()}
    if isinstance(content, list):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content
