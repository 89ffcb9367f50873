"""`lossbench export`: a run in the format of a tool that keeps benchmarks over time."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from lossbench.commands.options import RESULTS, Results, RunId
from lossbench.commands.runs import run_folder
from lossbench.record import frames
from lossbench.record import run as runs
from lossbench.record.bounded import within
from lossbench.record.stores import Place
from lossbench.show.interchange import FORMATS
from lossbench.spec.errors import BadInput

BOOK: Final = "pytest-benchmark"
MOST_BYTES: Final = 2**29
"""Of a book: every sample of a full run takes a tenth of it."""
KNOWN: Final = (*FORMATS, BOOK)

Format = Annotated[str, typer.Option("--format", help=f"One of {', '.join(KNOWN)}.")]
Out = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write to a file; left out: to the terminal.")]


def command(run: RunId = "", format: Format = "", out: Out = None, results: Results = RESULTS) -> None:
    """Write a run's times and worst errors as another tool reads them.

    Example: lossbench export --format openmetrics --out lossbench.prom
    """
    if format not in KNOWN:
        raise BadInput(
            subject="--format", expected=f"one of {', '.join(KNOWN)}", received=repr(format), remedy="use one of these"
        )
    folder = run_folder(results, run)
    text = _book(folder) if format == BOOK else FORMATS[format](runs.read(folder), folder.name)
    if out is None:
        sys.stdout.write(text)
    else:
        frames.write_whole(out, text.encode())


def _book(folder: Place) -> str:
    """pytest-benchmark's own file, which the run holds, written anew; BadInput where nothing was timed."""
    try:
        return json.dumps(json.loads(within(folder / "benchmark.json", MOST_BYTES)), indent=4) + "\n"
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput(
            subject=f"run {folder.name}", expected="a benchmark.json",
            received=getattr(error, "strerror", "") or str(error),
            remedy="export a run that timed something",
        ) from error  # fmt: skip
