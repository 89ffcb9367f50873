"""What the cells of a recorded run cost, from its tables."""

from __future__ import annotations

from typing import Any

import pandas as pd

from lossbench.cluster.efficiency import Cost, Costs, Function
from lossbench.record.frames import Tables


def costs_of(tables: Tables) -> Costs:
    """Costs by case. The judge's seconds are known for the run as a whole and laid on its cells in equal parts."""
    cells = tables.cells
    seconds = cells[["prepare_seconds", "compile_seconds", "first_call_seconds"]].fillna(0.0)
    cells = cells.assign(
        own=seconds["prepare_seconds"] + seconds["first_call_seconds"], built=seconds["compile_seconds"]
    )
    judging = _judging(tables, float(seconds.to_numpy().sum())) / max(len(cells), 1)
    cases = {
        str(case): Cost(
            loss=str(found["loss"].iloc[0]), cells=len(found), judging=judging * len(found),
            lanes={str(lane): float(own) for lane, own in found.groupby("lane")["own"].sum().items()},
            compiled=_compiled(found),
        )
        for case, found in cells.groupby("case", sort=False)
    }  # fmt: skip
    blocks = tables.measurements
    took = [loops * sum(calls) for loops, calls in zip(blocks["loops"], blocks["seconds_per_call"], strict=True)]
    visits = pd.Series(took, index=blocks["loss"].astype(str), dtype=float).groupby(level=0).sum()
    return Costs(
        cases=cases, visits={str(loss): float(spent) for loss, spent in visits.items()},
        start=_fact(tables, "wall.start_up_seconds"), documents=_fact(tables, "wall.claims_and_curves_seconds"),
    )  # fmt: skip


def _compiled(found: pd.DataFrame) -> dict[Function, float]:
    known: dict[Function, float] = {}
    rows: Any = found[found["built"] > 0]
    for row in rows.itertuples():
        function = (row.lane, row.loss, row.dtype, row.binding, row.operation)
        known[function] = known.get(function, 0.0) + float(row.built)
    return known


def _judging(tables: Tables, lanes_seconds: float) -> float:
    """Busy seconds: the facts hold shares of the wall time, of which those of the lanes are known in full."""
    lanes = _fact(tables, "wall.answers_seconds") + _fact(tables, "wall.compile_seconds")
    return _fact(tables, "wall.judging_seconds") / lanes * lanes_seconds if lanes else 0.0


def _fact(tables: Tables, key: str) -> float:
    try:
        return float(tables.fact(key))
    except ValueError:
        return 0.0
