"""`lossbench list`: the losses and their spellings, and how much of the frameworks' public APIs they cover."""

from __future__ import annotations

import json as jsonlib
import os
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Column, Table

from lossbench.commands.coverage import Coverage, survey
from lossbench.commands.options import Backends, Json, Losses, Suites, chosen, words
from lossbench.lanes.backends import BACKENDS
from lossbench.show import terminal
from lossbench.spec import catalogue
from lossbench.spec.loss import Loss

PIPED_COLUMNS: Final = 160

ShowCoverage = Annotated[
    bool, typer.Option("--coverage", help="Ask the installed frameworks for their public losses; say which are bound.")
]

Long = Annotated[bool, typer.Option("--long", help="Say of each loss what it measures, its source and parameters.")]


def command(
    loss: Losses = "",
    backend: Backends = "",
    suite: Suites = [],  # noqa: B006 - typer reads the default
    coverage: ShowCoverage = False,
    long: Long = False,
    json: Json = False,
) -> None:
    """List the losses, or how much of the frameworks' loss APIs they cover.

    Example: lossbench list --loss '*entropy*'
    Example: lossbench list --coverage --backend torch
    """
    known = catalogue.load(suite, backend="")
    backends = chosen("--backend", backend, tuple(BACKENDS))
    losses = known.select(words(loss))
    if coverage:
        _print_coverage(survey(losses, backends), as_json=json)
    elif json:
        print(_json([_record(known.family(one.name), one) for one in losses]))
    else:
        _print_losses(known, losses, backends, long=long)


def _record(family: str, loss: Loss) -> dict[str, Any]:
    return {
        "loss": loss.name,
        "title": loss.title,
        "family": family,
        "aliases": list(loss.aliases),
        "formula": loss.formula,
        "source": loss.source,
        "documented_in": list(loss.documented_in),
        "params": dict(loss.params),
        "known_params": list(loss.known_params),
        "definitions": {d.name: d.where for d in loss.definitions},
        "bindings": [
            {"backend": b.backend, "binding": b.name, "docs": list(b.docs), "differs": b.differs} for b in loss.bindings
        ],
    }


def _print_losses(
    known: catalogue.Catalogue, losses: tuple[Loss, ...], backends: tuple[str, ...], *, long: bool
) -> None:
    console = console_for()
    if long:
        for loss in losses:
            console.print(terminal.described(loss, known.family(loss.name), backends))
    else:
        console.print(terminal.losses(losses, known.families, backends))
    console.print(f"{len(losses)} loss{'es' * (len(losses) != 1)}", markup=False, highlight=False)


def console_for() -> Console:
    """As wide as the terminal; into a file or a pipe one line a row, whatever its length."""
    console = Console()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = PIPED_COLUMNS
    return console


def _print_coverage(found: Coverage, *, as_json: bool) -> None:
    if as_json:
        print(
            _json(
                [{"backend": r.backend, "api": r.api, "kind": r.kind, "bound_to": list(r.losses)} for r in found.rows]
            )
        )
        return
    console = console_for()
    for backend in found.backends:
        rows = [row for row in found.rows if row.backend == backend]
        bound = [row for row in rows if row.losses]
        table = Table(
            Column("public API", no_wrap=True),
            "kind",
            Column("bound to", overflow="fold"),
            box=None,
            pad_edge=False,
            header_style="bold",
            title=f"{backend}: {len(bound)} of {len(rows)} bound",
            title_justify="left",
        )
        for row in sorted(rows, key=lambda r: (not r.losses, r.api)):
            table.add_row(row.api, row.kind, ", ".join(row.losses) or "not yet")
        console.print(table, "")
    for backend, reason in found.missing.items():
        console.print(f"{backend}: {reason}", style="yellow", markup=False)
    for loss, backend in found.empty:
        console.print(f"{loss}: no binding in {backend}", style="red", markup=False)
    if not found.empty:
        console.print(f"Every one of the {found.losses} losses is bound in {', '.join(found.backends)}.", markup=False)


def _json(rows: list[dict[str, Any]]) -> str:
    return jsonlib.dumps(rows, indent=1)
