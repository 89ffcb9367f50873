"""Timings as the report shows them: per case and operation, every spelling ranked, fastest right one first.

The statistics are `judge.timing`'s; a factor is always the slower time over the faster one's, paired by visit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lossbench.judge import timing


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A median with the interval around it. Dimensionless or seconds, as the name of the holder says."""

    middle: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One timed cell in a ranking.

    gain: how many times faster than its backend's documented spelling run eagerly; None for that one itself.
    behind: how many times the time of the fastest right entry. visits: replicates behind the numbers.
    limit_seconds: the least that the machine's limits allow; NaN where unknown.
    """

    cell: str
    backend: str
    mode: str
    binding: str
    device: str
    seconds: Span
    visits: int
    right: bool
    gain: Span | None
    behind: Span
    limit_seconds: float = math.nan

    @property
    def share(self) -> float:
        """How much of the machine's limit it reaches: 1 where nothing could be faster."""
        return self.limit_seconds / self.seconds.middle


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """All timed cells of one case, operation and kind of machine; those that are wrong on it stand last."""

    loss: str
    operation: str
    dtype: str
    shape: tuple[int, ...]
    entries: tuple[Entry, ...]

    @property
    def fastest(self) -> Entry | None:
        """The fastest of the entries that are numerically right."""
        return self.entries[0] if self.entries and self.entries[0].right else None

    def best_of(self, backend: str) -> Entry | None:
        """The fastest right entry of one backend."""
        return next((e for e in self.entries if e.backend == backend and e.right), None)


def span(values: Iterable[float]) -> Span:
    """Median and interval of independent values; NaN for none."""
    found = timing.median_interval(list(values))
    return Span(middle=found.median, low=found.low, high=found.high)


def rankings(
    cells: pd.DataFrame,
    measurements: pd.DataFrame,
    agreement: pd.DataFrame,
    documented: Mapping[tuple[str, str], str],
    work: pd.DataFrame | None = None,
) -> list[Ranking]:
    """One ranking per timed group. documented: (loss, backend) -> the binding that the documentation shows.

    work: the run's table of what each cell must touch.
    """
    if measurements.empty:
        return []
    seen = visits(measurements)
    bad = agreement[(agreement["against"] == "oracle") & ~agreement["class"].isin((*timing.NUMERICALLY_RIGHT, ""))]
    wrong = set(bad["cell"])
    groups = dict(zip(measurements["cell"], timing.group_of(measurements), strict=True))
    members: dict[str, list[dict[str, Any]]] = {}
    for found in cells[cells["cell"].isin(seen)].drop_duplicates("cell").to_dict("records"):
        row = {str(name): value for name, value in found.items()}
        members.setdefault(groups[row["cell"]], []).append(row)
    limits = {} if work is None else dict(zip(work["cell"], work["limit_seconds"], strict=True))
    return [_ranking(rows, seen, wrong, documented, limits) for rows in members.values()]


def visits(measurements: pd.DataFrame) -> dict[str, dict[int, float]]:
    """cell -> visit -> median seconds per call of its rounds: the replicate."""
    found: dict[str, dict[int, float]] = {}
    good = measurements[measurements["status"] == "ok"]
    for cell, visit, rounds in zip(good["cell"], good["visit"], good["seconds_per_call"], strict=True):
        if len(rounds):
            found.setdefault(str(cell), {})[int(visit)] = float(np.median(rounds))
    return found


def _factor(over: Mapping[int, float], under: Mapping[int, float]) -> Span:
    """over / under, paired by visit; the median of logarithms, so that a/b is the inverse of b/a."""
    logs = [math.log(over[v] / under[v]) for v in sorted(over.keys() & under.keys())]
    found = timing.median_interval(logs)
    return Span(middle=math.exp(found.median), low=math.exp(found.low), high=math.exp(found.high))


def _ranking(
    rows: list[dict[str, Any]],
    seen: Mapping[str, dict[int, float]],
    wrong: set[str],
    documented: Mapping[tuple[str, str], str],
    limits: Mapping[str, float],
) -> Ranking:
    times = {r["cell"]: span(seen[r["cell"]].values()) for r in rows}
    rows = sorted(rows, key=lambda r: (r["cell"] in wrong, times[r["cell"]].middle))
    base = {
        r["backend"]: r["cell"]
        for r in rows
        if r["mode"] == "eager" and documented.get((r["loss"], r["backend"])) == r["binding"]
    }
    entries = []
    for r in rows:
        own, start = seen[r["cell"]], base.get(r["backend"])
        entries.append(
            Entry(
                cell=r["cell"],
                backend=r["backend"],
                mode=r["mode"],
                binding=r["binding"],
                device=r["device"],
                seconds=times[r["cell"]],
                visits=len(own),
                right=r["cell"] not in wrong,
                gain=_factor(seen[start], own) if start and start != r["cell"] else None,
                behind=_factor(own, seen[rows[0]["cell"]]),
                limit_seconds=float(limits.get(r["cell"], math.nan)),
            )
        )
    first = rows[0]
    return Ranking(
        loss=str(first["loss"]),
        operation=str(first["operation"]),
        dtype=str(first["dtype"]),
        shape=tuple(int(n) for n in first["shape"]),
        entries=tuple(entries),
    )


def headline(ranked: Iterable[Ranking]) -> dict[str, Ranking]:
    """The ranking that speaks for a loss: value with gradient, float32, the largest shape there is."""

    def weight(r: Ranking) -> tuple[bool, bool, int]:
        return (r.operation == "grad", r.dtype == "float32", math.prod(r.shape))

    best: dict[str, Ranking] = {}
    for each in ranked:
        if each.loss not in best or weight(each) > weight(best[each.loss]):
            best[each.loss] = each
    return best
