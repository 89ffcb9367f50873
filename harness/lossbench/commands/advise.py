"""`lossbench advise`: which loss for which problem, measured here and now, with reasons."""

from __future__ import annotations

import json as jsonlib
import math
from dataclasses import asdict
from typing import Annotated

import typer

from lossbench.commands.options import Json
from lossbench.lanes.backends import BACKENDS, installed_backends
from lossbench.practice import guide
from lossbench.practice.problems import PROBLEMS
from lossbench.practice.process import Trainee, TrainingFault
from lossbench.practice.reasons import reasons
from lossbench.spec.errors import BadInput

Task = Annotated[str, typer.Option("--task", help="regression, heavy-tailed, binary, multiclass, imbalanced.")]
Outliers = Annotated[str, typer.Option("--outliers", help="Share of the training targets that are bad: 5% or 0.05.")]
Backend = Annotated[str, typer.Option("--backend", help="The framework to measure on. Default: torch, if installed.")]
Seeds = Annotated[int, typer.Option("--seeds", min=1, help="Runs from different starts.")]


def command(
    task: Task = "regression", outliers: Outliers = "0%", backend: Backend = "", seeds: Seeds = guide.SEEDS,
    json: Json = False,
) -> None:  # fmt: skip
    """Train every loss of a problem type on the same data and say which did best on a clean test, and why.

    Example: lossbench advise --task regression --outliers 5%
    """
    if task not in PROBLEMS:
        raise BadInput(subject="--task", expected=f"one of {', '.join(PROBLEMS)}", received=repr(task),
                       remedy="choose one")  # fmt: skip
    amount, problem = share(outliers), PROBLEMS[task]
    try:
        with Trainee(_one(backend)) as trainee:
            trainee.start()
            scored = guide.score(problem, amount, trainee, seeds=seeds)
    except TrainingFault as fault:
        typer.echo(f"lossbench: {fault}", err=True)
        raise typer.Exit(1) from fault
    said = reasons(scored)
    if json:
        typer.echo(jsonlib.dumps({"task": task, "scored": [asdict(s) for s in scored], "reasons": said}, indent=1))
        return
    typer.echo(f"{task}, {amount:.3g} of the training targets {problem.bad}; {seeds} seeds on {scored[0].backend}")
    names = list(scored[0].metrics)
    typer.echo(
        f"{'loss':36} {'S1':3} " + " ".join(f"{n:>17}" for n in names) + "   shift    near     far  steps us/step"
    )
    for s in scored:
        numbers = " ".join(f"{s.metrics[n]:17.4g}" for n in names)
        steps = "-" if s.steps is None else str(s.steps)
        typer.echo(
            f"{s.loss:36} {'yes' if s.recommended else 'no':3} {numbers} {_cell(s.shift)} {_cell(s.near)} "
            f"{_cell(s.far)} {steps:>6} {s.seconds_a_step * 1e6:7.0f}"
        )
    for sentence in said:
        typer.echo(sentence)


def share(text: str) -> float:
    """`5%` or `0.05` as 0.05. BadInput where it is no share from 0 to less than a half."""
    try:
        found = float(text.removesuffix("%")) / (100.0 if text.endswith("%") else 1.0)
    except ValueError:
        found = math.nan
    if not 0.0 <= found < 0.5:
        raise BadInput(subject="--outliers", expected="a share from 0 to less than a half, as 5% or 0.05",
                       received=repr(text), remedy="correct it")  # fmt: skip
    return found


def _one(backend: str) -> str:
    installed = installed_backends()
    if backend and backend not in BACKENDS:
        raise BadInput(subject="--backend", expected=f"one of {', '.join(BACKENDS)}", received=repr(backend),
                       remedy="choose one")  # fmt: skip
    if backend or not installed:
        return backend or "torch"
    return "torch" if "torch" in installed else installed[0]


def _cell(number: float | None) -> str:
    return f"{'-' if number is None else format(number, '.3g'):>7}"
