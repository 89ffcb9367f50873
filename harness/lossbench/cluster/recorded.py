"""What the cells of a recorded run cost, from its tables."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, Final

import pandas as pd

from lossbench.cluster.efficiency import Cost, Costs, Function
from lossbench.record.frames import Tables
from lossbench.record.run import manifest, read, recorded
from lossbench.spec.errors import RunDamaged

SPENT: Final = ("prepare_seconds", "compile_seconds", "first_call_seconds")


def costs_of(tables: Tables) -> Costs:
    """Costs by case. The judge's seconds are known for the run as a whole and laid on its cells in equal parts."""
    columns = ["case", "loss", "lane", "dtype", "binding", "operation", *SPENT]
    rows: Any = tables.cells[columns].fillna(dict.fromkeys(SPENT, 0.0)).itertuples(index=False)
    found: dict[str, list[Any]] = {}
    for row in rows:
        found.setdefault(row.case, []).append(row)
    total = float(tables.cells[list(SPENT)].fillna(0.0).to_numpy().sum())
    judging = _judging(tables, total) / max(len(tables.cells), 1)
    cases = {
        case: Cost(
            loss=own[0].loss, cells=len(own), judging=judging * len(own), lanes=_lanes(own), compiled=_compiled(own)
        )
        for case, own in found.items()
    }
    blocks = tables.measurements
    took = [loops * sum(calls) for loops, calls in zip(blocks["loops"], blocks["seconds_per_call"], strict=True)]
    visits = pd.Series(took, index=blocks["loss"].astype(str), dtype=float).groupby(level=0).sum()
    return Costs(
        cases=cases, visits={str(loss): float(spent) for loss, spent in visits.items()},
        start=_fact(tables, "wall.start_up_seconds"), documents=_fact(tables, "wall.claims_and_curves_seconds"),
    )  # fmt: skip


def expected(results: Path) -> dict[str, float]:
    """Seconds by case of the latest finished run in a folder that holds any; nothing where there is none."""
    for path in reversed(recorded(results)):
        with contextlib.suppress(RunDamaged):
            if manifest(path)["state"] == "finished":
                return {name: cost.seconds for name, cost in costs_of(read(path)).cases.items()}
    return {}


def _lanes(own: list[Any]) -> dict[str, float]:
    known: dict[str, float] = {}
    for row in own:
        known[row.lane] = known.get(row.lane, 0.0) + row.prepare_seconds + row.first_call_seconds
    return known


def _compiled(own: list[Any]) -> dict[Function, float]:
    return {
        (row.lane, row.loss, row.dtype, row.binding, row.operation): row.compile_seconds
        for row in own
        if row.compile_seconds > 0
    }


def _judging(tables: Tables, lanes_seconds: float) -> float:
    """Busy seconds: the facts hold shares of the wall time, of which those of the lanes are known in full."""
    lanes = _fact(tables, "wall.answers_seconds") + _fact(tables, "wall.compile_seconds")
    return _fact(tables, "wall.judging_seconds") / lanes * lanes_seconds if lanes else 0.0


def _fact(tables: Tables, key: str) -> float:
    try:
        return float(tables.fact(key))
    except ValueError:
        return 0.0
