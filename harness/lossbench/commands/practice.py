"""`lossbench practice`: the training runs of the sources on every framework, from the same start."""

from __future__ import annotations

import json as jsonlib
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from lossbench.commands.ending import terminable
from lossbench.commands.options import (
    REPORTS,
    RESULTS,
    Backends,
    Json,
    Reports,
    Written,
    chosen,
    words,
)
from lossbench.commands.showing import practice_bar
from lossbench.lanes.backends import BACKENDS, installed_backends
from lossbench.practice import books, carry, report, summary, tables
from lossbench.practice.books import Books
from lossbench.practice.process import TrainingFault
from lossbench.practice.request import Request
from lossbench.spec.errors import BadInput
from lossbench.spec.plain import plain

Only = Annotated[str, typer.Option("--only", help="Experiments, comma-separated: T1,T8,T6-focal,guide. Default: all.")]
Seeds = Annotated[int, typer.Option("--seeds", min=1, help="Runs from different starts; claims need five.")]
Epochs = Annotated[int, typer.Option("--epochs", min=0, help="Epochs of every experiment; 0: what the source says.")]
Short = Annotated[bool, typer.Option("--short", help="The shortened form: few epochs.")]
Data = Annotated[Path | None, typer.Option("--data", help="Folder with the four files of MNIST.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with RUN, or with the latest, from its last epoch.")]
RunName = Annotated[str, typer.Argument(metavar="RUN", help="With --resume: a run id or folder.")]


def command(
    run: RunName = "", only: Only = "", seeds: Seeds = 5, epochs: Epochs = 0, short: Short = False,
    backend: Backends = "", data: Data = None, resume: Resume = False, results: Written = RESULTS,
    reports: Reports = REPORTS, json: Json = False,
) -> None:  # fmt: skip
    """Train T1 to T9 on every framework from the same weights with the same batches; judge what the sources say.

    Example: lossbench practice --only T3,T5
    Example: lossbench practice --short --seeds 1
    Exit status 1: a framework could not finish a run. A claim that is not reproduced is a finding, not a fault.
    """
    if run and not resume:
        raise BadInput(subject="practice", expected="options alone", received=repr(run),
                       remedy="add --resume to go on with a run, or --only to choose experiments")  # fmt: skip
    if resume:
        folder = (Path(run) if Path(run).is_dir() else results / books.FOLDER / run) if run else books.latest(results)
        request = Request.of(books.asked(folder))
        experiments, images = carry.prepare(request)
        book = Books.open(folder)
    else:
        backends = chosen("--backend", backend, tuple(BACKENDS)) if words(backend) else installed_backends()
        request = Request(
            only=words(only), seeds=seeds, epochs=epochs, short=short, backends=backends,
            data=str(data.resolve()) if data else "",
        )  # fmt: skip
        experiments, images = carry.prepare(request)
        book = Books.create(results, request.stored())
    console = Console(stderr=True)
    fault = ""
    with terminable(), book, practice_bar(console) as show:
        try:
            carry.carry_out(request, experiments, images, book, show)
        except TrainingFault as error:
            fault = str(error)
    told = summary.of(book.path)
    tables.write(book.path, told)
    written = report.write(book.path, told, reports)
    if json:
        print(jsonlib.dumps(_record(book.path, told, fault) | {"report": str(written)}, indent=1))
    else:
        for line in summary.lines(told):
            typer.echo(plain(line))
        typer.echo(f"tables   {book.path}")
        typer.echo(f"report   {written}")
    if fault:
        typer.echo(f"lossbench: {fault}; `lossbench practice --resume {book.path.name}` goes on", err=True)
    raise typer.Exit(1 if fault or told.lost else 0)


def _record(path: Path, told: summary.Summary, fault: str) -> dict[str, Any]:
    return {"run": path.name, "folder": str(path), "fault": fault, **asdict(told)}
