"""`lossbench check`: somebody's own cases through every backend and the oracle."""

from __future__ import annotations

import json as jsonlib
import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console

from lossbench.bench.pool import Pool
from lossbench.commands.options import Backends, Suites, chosen, words
from lossbench.commands.progress import SOON, progress_bar
from lossbench.judge import conformance
from lossbench.lanes.backends import BACKENDS, backend_class, installed_backends
from lossbench.record import frames
from lossbench.spec import casefile, catalogue
from lossbench.spec.case import Lane
from lossbench.spec.errors import BadInput
from lossbench.spec.plain import plain

Files = Annotated[list[Path], typer.Argument(metavar="FILE...", help="Case files, see docs/case-file.md.")]
Out = Annotated[
    Path | None, typer.Option("--json", metavar="OUT", help="Write one record per case, backend and binding.")
]
Mode = Annotated[str, typer.Option("--mode", help="eager, compiled, xla; comma-separated.")]

MODES = ("eager", "compiled", "xla")
MANY_CASES = 100
"""From here on a second worker, where a framework compiles each new shape, earns what its start costs."""


def command(
    files: Files,
    json: Out = None,
    backend: Backends = "",
    mode: Mode = "eager",
    suite: Suites = [],  # noqa: B006 - typer reads the default
) -> None:
    """Run cases of your own through every backend and the oracle, and say what each result means.

    Exit status 0: nothing is a defect and the oracle meets every `expected`; 1 otherwise; 2: unreadable.

    Example: lossbench check cases.json --json verdicts.json
    """
    known = catalogue.load(suite, backend="")
    prepared = [_prepared(case, known, path) for path in files for case in casefile.read(path)]
    backends = chosen("--backend", backend, tuple(BACKENDS)) if words(backend) else installed_backends()
    lanes = [
        Lane(backend=b, mode=m)  # type: ignore[arg-type]
        for b in backends
        for m in chosen("--mode", mode, MODES)
        if m != "xla" or b == "tensorflow"
    ]
    found: list[dict[str, Any]] = []
    console = Console(stderr=True)
    with Pool(suite) as pool, progress_bar(console, every_seconds=SOON) as progress:
        pool.start(lanes)
        running = {lane.id: pool.lane(lane) for lane in lanes}
        slow = [
            lane for lane in lanes if backend_class(lane.backend).compiles_each_shape and len(prepared) >= MANY_CASES
        ]
        second = {lane.id: pool.lane(lane, second=True) for lane in slow}
        total = sum(len(p.loss.bindings_of(lane.backend)) for p in prepared for lane in lanes)
        for record in conformance.records(prepared, running, second=second):
            found.append(record)
            progress(len(found), total, math.nan)
            _say(record)
    if json is not None:
        frames.write_whole(json, jsonlib.dumps([_plain(record) for record in found], indent=1).encode())
    counts = Counter(record["value_class"] or record["status"] for record in found)
    typer.echo(
        f"{len(prepared)} cases, {len(found)} results: " + ", ".join(f"{n} {name}" for name, n in counts.items())
    )
    unmet = {
        r["id"]: r["expected_verdict"] for r in found if r["expected_verdict"].startswith(("differs", "no oracle"))
    }
    for name, verdict in unmet.items():
        typer.echo(plain(f"the oracle does not meet the expected value of {name}: {verdict}"))
    raise typer.Exit(conformance.exit_status(found))


def _prepared(case: casefile.GivenCase, known: catalogue.Catalogue, path: Path) -> conformance.Prepared:
    try:
        return conformance.prepare(case, known)
    except BadInput as fault:
        subject = fault.subject if case.id in fault.subject else f"{fault.subject} of case {case.id!r}"
        raise BadInput(
            subject=f"{subject} in {path}", expected=fault.expected, received=fault.received, remedy=fault.remedy
        ) from fault


def _say(record: Mapping[str, Any]) -> None:
    value = f"{record['value_class'] or record['status']}"
    grad = f"{record['grad_class'] or '-'}"
    where = f"{record['backend']}/{record['binding']}"
    typer.echo(plain(f"{record['id']}  {where:<24} value {value:<11} grad {grad:<11} {record['reason']}"))


def _plain(record: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _json(value) for key, value in record.items()}


def _json(value: Any) -> Any:
    """JSON has no NaN and no infinity: they are texts, as in the case file."""
    if isinstance(value, np.ndarray):
        return _json(value.tolist())
    if isinstance(value, list):
        return [_json(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    return value
