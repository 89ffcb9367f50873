"""Timings as the report shows them: per case and operation, every spelling ranked, fastest right one first.

The statistics are `judge.timing`'s; a factor is always the slower time over the faster one's, paired by visit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from lossbench.judge import stacked, timed, timing
from lossbench.judge.timed import Timed
from lossbench.judge.timing import Reals

NEEDED: Final = ["cell", "loss", "backend", "binding", "device", "mode", "operation", "dtype", "shape"]


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
    seen = timed.of(measurements)
    place = {cell: number for number, cell in enumerate(seen.cells["cell"])}
    bad = agreement[(agreement["against"] == "oracle") & ~agreement["class"].isin((*timing.NUMERICALLY_RIGHT, ""))]
    wrong = set(bad["cell"])
    members: dict[int, list[dict[str, Any]]] = {}
    for found in cells[cells["cell"].isin(seen.cells["cell"])].drop_duplicates("cell")[NEEDED].to_dict("records"):
        row = {str(name): value for name, value in found.items()}
        members.setdefault(int(seen.codes[place[row["cell"]]]), []).append(row)
    limits = {} if work is None else dict(zip(work["cell"], work["limit_seconds"], strict=True))
    return [_ranking(rows, _seconds(seen, place, rows), wrong, documented, limits) for rows in members.values()]


def _seconds(seen: Timed, place: Mapping[str, int], rows: list[dict[str, Any]]) -> Reals:
    """Shape (rows, visits): seconds per call, NaN where a cell was not measured in a visit of its group."""
    places = np.array([place[row["cell"]] for row in rows])
    return seen.at(places, np.ones(len(places), dtype=bool))


def visits(measurements: pd.DataFrame) -> dict[str, dict[int, float]]:
    """cell -> visit -> median seconds per call of its rounds: the replicate."""
    found: dict[str, dict[int, float]] = {}
    seconds, _, rounds = timing.medians(measurements["seconds_per_call"])
    good = (measurements["status"] == "ok").to_numpy(dtype=bool) & (rounds > 0)
    kept = measurements.loc[good, ["cell", "visit"]]
    for cell, visit, median in zip(kept["cell"], kept["visit"], seconds[good].tolist(), strict=True):
        found.setdefault(str(cell), {})[int(visit)] = median
    return found


def _spans(samples: Reals) -> list[Span]:
    """Of each row; NaN is what is missing."""
    found = stacked.intervals(samples, timing.CONFIDENCE).tolist()
    return [Span(middle=middle, low=low, high=high) for middle, low, high in found]


def _factors(over: Reals, under: Reals) -> list[Span]:
    """over / under row by row, paired by visit; the median of logarithms, so that a/b is the inverse of b/a."""
    found = np.exp(stacked.intervals(np.log(over) - np.log(under), timing.CONFIDENCE)).tolist()
    return [Span(middle=middle, low=low, high=high) for middle, low, high in found]


def _ranking(
    rows: list[dict[str, Any]],
    seconds: Reals,
    wrong: set[str],
    documented: Mapping[tuple[str, str], str],
    limits: Mapping[str, float],
) -> Ranking:
    """seconds: see `_seconds`."""
    times = _spans(seconds)
    order = sorted(range(len(rows)), key=lambda i: (rows[i]["cell"] in wrong, times[i].middle))
    rows, times, seconds = [rows[i] for i in order], [times[i] for i in order], seconds[order]
    base = {
        row["backend"]: number
        for number, row in enumerate(rows)
        if row["mode"] == "eager" and documented.get((row["loss"], row["backend"])) == row["binding"]
    }
    start = [base.get(row["backend"], number) for number, row in enumerate(rows)]
    gains, behind = _factors(seconds[start], seconds), _factors(seconds, seconds[:1])
    entries = [
        Entry(
            cell=row["cell"],
            backend=row["backend"],
            mode=row["mode"],
            binding=row["binding"],
            device=row["device"],
            seconds=times[number],
            visits=int(np.count_nonzero(~np.isnan(seconds[number]))),
            right=row["cell"] not in wrong,
            gain=gains[number] if start[number] != number else None,
            behind=behind[number],
            limit_seconds=float(limits.get(row["cell"], math.nan)),
        )
        for number, row in enumerate(rows)
    ]
    first = rows[0]
    return Ranking(
        loss=str(first["loss"]),
        operation=str(first["operation"]),
        dtype=str(first["dtype"]),
        shape=tuple(int(n) for n in first["shape"]),
        entries=tuple(entries),
    )


def weight(r: Ranking) -> tuple[bool, bool, int]:
    """How much a ranking says of its loss: value with gradient, float32, the largest shape there is."""
    return (r.operation == "grad", r.dtype == "float32", math.prod(r.shape))


def headline(ranked: Iterable[Ranking]) -> dict[str, Ranking]:
    """The ranking that speaks for a loss: the first of the largest `weight`."""
    best: dict[str, Ranking] = {}
    for each in ranked:
        if each.loss not in best or weight(each) > weight(best[each.loss]):
            best[each.loss] = each
    return best
