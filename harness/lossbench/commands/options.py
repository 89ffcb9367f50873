"""Options that several commands share, worded once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lossbench.record.stores import Place, here, place
from lossbench.spec.errors import BadInput

Modes = Annotated[str, typer.Option("--mode", help="eager, compiled, xla; comma-separated.")]
Losses = Annotated[
    str, typer.Option("--loss", help="Losses, by name or pattern, comma-separated: huber,'*entropy*'. Default: all.")
]
Backends = Annotated[str, typer.Option("--backend", help="tensorflow, torch, jax; comma-separated. Default: all.")]
Suites = Annotated[
    list[Path], typer.Option("--suite", help="A Python file with losses of your own (it is run); may be repeated.")
]
Results = Annotated[
    Place,
    typer.Option("--results", parser=place, metavar="PATH", help="Folder of the runs, or an address such as s3://."),
]


def folder(text: str) -> Path:
    """Where runs are written. BadInput for an address."""
    return here(place(text), "--results")


Written = Annotated[Path, typer.Option("--results", parser=folder, metavar="PATH", help="Folder of the runs.")]
Reports = Annotated[Path, typer.Option("--reports", help="Folder of the reports.")]
RunId = Annotated[str, typer.Argument(metavar="RUN", help="A run id or folder; the latest if left out.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program instead of tables for a person.")]

RESULTS = Path("results")
REPORTS = Path("reports")


def words(text: str) -> tuple[str, ...]:
    """Split a comma-separated option: 'a, b' -> ('a', 'b')."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


def chosen(option: str, text: str, known: tuple[str, ...]) -> tuple[str, ...]:
    """The words of an option, each of which must be known; all of them if the option is empty."""
    wanted = words(text)
    for word in wanted:
        if word not in known:
            raise BadInput(
                subject=option, expected=f"one of {', '.join(known)}", received=repr(word), remedy="use one of these"
            )
    return wanted or known
