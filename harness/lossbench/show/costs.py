"""What one call costs, each quantity for itself: they are different things, and none stands in for another."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from lossbench.show import format as fmt
from lossbench.show import times
from lossbench.show.times import Entry, Ranking

MEBI: Final = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """One spelling in one mode at one size, as text. forward: the value alone; backward: what the gradient adds."""

    backend: str
    binding: str
    mode: str
    compile: str
    first: str
    opening: str
    latency: str
    throughput: str
    forward: str
    backward: str
    peak: str
    kernels: str
    touched: str


def of(rankings: Sequence[Ranking], cells: pd.DataFrame, measurements: pd.DataFrame) -> list[Cost]:
    """Of one loss at the size that speaks for it, fastest right spelling first."""
    chosen = next(iter(times.headline(rankings).values()), None)
    if chosen is None:
        return []
    asked = [entry.cell for entry in chosen.entries]
    own = cells[cells["cell"].isin(asked)]
    by_cell = {str(row["cell"]): {str(k): v for k, v in row.items()} for row in own.to_dict("records")}
    good = measurements[measurements["cell"].isin(asked) & (measurements["status"] == "ok")]
    blocks = good.groupby("cell")[["latency_seconds", "opening_seconds"]]
    medians = {str(cell): (float(found[0]), float(found[1])) for cell, *found in blocks.median().itertuples()}
    value = next(
        (r for r in rankings if r.operation == "value" and (r.dtype, r.shape) == (chosen.dtype, chosen.shape)), None
    )
    alone = {(e.backend, e.binding, e.mode): e.seconds.middle for e in value.entries} if value else {}
    return [_cost(e, by_cell[e.cell], medians, alone, chosen.operation == "grad") for e in chosen.entries]


def _cost(
    entry: Entry,
    cell: Mapping[str, Any],
    medians: Mapping[str, tuple[float, float]],
    alone: dict[tuple[str, str, str], float],
    gradient: bool,
) -> Cost:
    whole = entry.seconds.middle
    forward = alone.get((entry.backend, entry.binding, entry.mode), math.nan) if gradient else whole
    latency, opening = medians.get(entry.cell, (math.nan, math.nan))
    compile_seconds = float(cell["compile_seconds"])
    return Cost(
        backend=entry.backend,
        binding=entry.binding,
        mode=entry.mode,
        compile=fmt.duration(compile_seconds, 2) if compile_seconds > 0 else fmt.NOTHING,
        first=fmt.duration(float(cell["first_call_seconds"]), 2),
        opening=fmt.duration(opening, 2),
        latency=fmt.duration(latency, 2),
        throughput=fmt.duration(whole, 2),
        forward=fmt.duration(forward, 2),
        backward=fmt.duration(whole - forward, 2) if gradient and whole > forward else fmt.NOTHING,
        peak=fmt.count(round(cell["peak_bytes"] / MEBI)) if cell["peak_bytes"] else fmt.NOTHING,
        kernels=fmt.count(int(cell["own_kernels"])) if cell["own_kernels"] else fmt.NOTHING,
        touched=fmt.significant(cell["own_bytes"] / MEBI, 3) if cell["own_bytes"] else fmt.NOTHING,
    )
