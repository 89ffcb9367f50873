"""A run as plain numbers under stable names: what other tools that keep benchmarks over time are given."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

from lossbench.record.frames import Tables
from lossbench.show import times
from lossbench.show.times import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One cell. seconds: per call, median of the visits with its 95% interval, None where it was not timed.

    visits: the median of each visit, in seconds per call. ulp: the worst of value and gradient against the exact
    result, infinite for another kind of number, NaN where nothing was compared. labels: what the cell is.
    """

    cell: str
    labels: Mapping[str, str]
    seconds: Span | None
    visits: tuple[float, ...]
    ulp: float


LABELS = ("loss", "backend", "binding", "mode", "device", "operation", "dtype", "regime", "shape")


def of(tables: Tables) -> list[Metric]:
    """One metric a cell that was timed or compared, in the order of the run."""
    seen = times.visits(tables.measurements) if len(tables.measurements) else {}
    oracle = tables.agreement[tables.agreement["against"] == "oracle"]
    compared = oracle[oracle["class"] != ""].groupby("cell", sort=False)["max_ulp"].max()
    worst = {str(cell): float(ulp) for cell, ulp in compared.items()}
    found = []
    for row in tables.cells.drop_duplicates("cell").to_dict("records"):
        cell = str(row["cell"])
        if cell in seen or cell in worst:
            own = tuple(seen.get(cell, {}).values())
            found.append(
                Metric(
                    cell=cell,
                    labels={name: _label(row[name]) for name in LABELS},
                    seconds=times.span(own) if own else None,
                    visits=own,
                    ulp=worst.get(cell, math.nan),
                )
            )
    return found


def _label(value: object) -> str:
    if isinstance(value, str):
        return value
    return "x".join(str(n) for n in value) if isinstance(value, Iterable) else str(value)


def facts(frame: pd.DataFrame) -> dict[str, str]:
    """Key -> value, the latest of each."""
    return {str(k): str(v) for k, v in zip(frame["key"], frame["value"], strict=True)}
