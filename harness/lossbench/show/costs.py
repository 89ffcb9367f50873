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
READ: Final = ("latency_seconds", "opening_seconds")
"""Columns of the measurements that are needed here beside those that name a block."""

Medians = Mapping[str, tuple[float, float]]


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


def medians(measurements: pd.DataFrame) -> Medians:
    """Cell -> median latency and opening seconds of its blocks that are ok."""
    blocks = measurements[measurements["status"] == "ok"].groupby("cell", sort=False)[list(READ)].median()
    return {
        str(cell): (latency, opening)
        for cell, latency, opening in zip(blocks.index, *(blocks[name].tolist() for name in READ), strict=True)
    }


def of(rankings: Sequence[Ranking], cells: Mapping[str, Mapping[str, Any]], seen: Medians) -> list[Cost]:
    """Of one loss at the size that speaks for it, the fastest right spelling first. cells: rows of their table."""
    chosen = next(iter(times.headline(rankings).values()), None)
    if chosen is None:
        return []
    value = next(
        (r for r in rankings if r.operation == "value" and (r.dtype, r.shape) == (chosen.dtype, chosen.shape)), None
    )
    alone = {(e.backend, e.binding, e.mode): e.seconds.middle for e in value.entries} if value else {}
    return [_cost(e, cells[e.cell], seen, alone, chosen.operation == "grad") for e in chosen.entries]


def _cost(
    entry: Entry,
    cell: Mapping[str, Any],
    seen: Medians,
    alone: dict[tuple[str, str, str], float],
    gradient: bool,
) -> Cost:
    whole = entry.seconds.middle
    forward = alone.get((entry.backend, entry.binding, entry.mode), math.nan) if gradient else whole
    latency, opening = seen.get(entry.cell, (math.nan, math.nan))
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
