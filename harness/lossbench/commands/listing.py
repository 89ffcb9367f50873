"""`lossbench list`: the losses and their spellings, and how much of the frameworks' public APIs they cover."""

from __future__ import annotations

import json as jsonlib
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from lossbench.commands.coverage import Coverage, survey
from lossbench.commands.options import Backends, Json, Losses, Suites, chosen, words
from lossbench.lanes.backends import BACKENDS
from lossbench.spec import catalogue
from lossbench.spec.loss import Loss

ShowCoverage = Annotated[
    bool, typer.Option("--coverage", help="Ask the installed frameworks for their public losses; say which are bound.")
]


def command(
    loss: Losses = "",
    backend: Backends = "",
    suite: Suites = [],
    coverage: ShowCoverage = False,
    json: Json = False,  # noqa: B006 - typer reads the default and the name
) -> None:
    """List the losses, or how much of the frameworks' loss APIs they cover.

    Example: lossbench list --loss '*entropy*'
    Example: lossbench list --coverage --backend torch
    """
    known = catalogue.load(suite)
    backends = chosen("--backend", backend, tuple(BACKENDS))
    losses = known.select(words(loss))
    if coverage:
        _print_coverage(survey(losses, backends), as_json=json)
    elif json:
        print(_json([_record(known.family(one.name), one) for one in losses]))
    else:
        _print_losses(known, losses, backends)


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


def _print_losses(known: catalogue.Catalogue, losses: tuple[Loss, ...], backends: tuple[str, ...]) -> None:
    table = Table("loss", "family", *backends, "summary", title=f"{len(losses)} losses", title_justify="left")
    for loss in losses:
        spellings = [", ".join(b.name for b in loss.bindings_of(backend)) or "-" for backend in backends]
        table.add_row(loss.name, known.family(loss.name), *spellings, loss.summary)
    Console().print(table)


def _print_coverage(found: Coverage, *, as_json: bool) -> None:
    if as_json:
        print(
            _json(
                [{"backend": r.backend, "api": r.api, "kind": r.kind, "bound_to": list(r.losses)} for r in found.rows]
            )
        )
        return
    console = Console()
    for backend in found.backends:
        rows = [row for row in found.rows if row.backend == backend]
        bound = [row for row in rows if row.losses]
        table = Table(
            "public API",
            "kind",
            "bound to",
            title=f"{backend}: {len(bound)} of {len(rows)} bound",
            title_justify="left",
        )
        for row in sorted(rows, key=lambda r: (not r.losses, r.api)):
            table.add_row(row.api, row.kind, ", ".join(row.losses) or "not yet")
        console.print(table)
    for backend, reason in found.missing.items():
        console.print(f"{backend}: {reason}", style="yellow", markup=False)
    for loss, backend in found.empty:
        console.print(f"{loss}: no binding in {backend}", style="red", markup=False)
    if not found.empty:
        console.print(f"Every one of the {found.losses} losses is bound in {', '.join(found.backends)}.", markup=False)


def _json(rows: list[dict[str, Any]]) -> str:
    return jsonlib.dumps(rows, indent=1)
