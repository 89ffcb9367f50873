"""One loss over the sizes: the lines as a picture, the spellings ranked at each size, overhead and slope of each."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from markupsafe import Markup

from lossbench.judge import sizes
from lossbench.judge.timing import Interval
from lossbench.show import format as fmt
from lossbench.show import plots, svg, times
from lossbench.show.palette import order
from lossbench.show.times import Entry, Ranking

NANO: Final = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A spelling at one size. rank: among the right ones, 0 where it is wrong or missing. gain: over the documented."""

    rank: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A spelling over the sizes. overhead and slope as text with their interval; worst: of the fit, as text."""

    backend: str
    binding: str
    mode: str
    places: tuple[Place, ...]
    overhead: str
    slope: str
    worst: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """All sizes of one operation and dtype. points: what `plots.time_by_size` draws."""

    loss: str
    operation: str
    dtype: str
    sizes: tuple[int, ...]
    rows: tuple[Row, ...]
    points: pd.DataFrame
    limits: Mapping[int, float]

    @property
    def caption(self) -> str:
        what = "value with gradient" if self.operation == "grad" else "value alone"
        return f"{what}, {self.dtype}"


def of(rankings: Iterable[Ranking], measurements: pd.DataFrame) -> list[Sweep]:
    """One a loss, operation and dtype of which enough sizes were timed."""
    groups: dict[tuple[str, str, str], list[Ranking]] = {}
    for each in rankings:
        groups.setdefault((each.loss, each.operation, each.dtype), []).append(each)
    swept = {key: found for key, found in groups.items() if len({_numbers(r) for r in found}) >= sizes.FEWEST_SIZES}
    if not swept:
        return []
    seen = times.visits(measurements)
    return [_sweep(key, sorted(found, key=_numbers), seen) for key, found in swept.items()]


def _numbers(ranking: Ranking) -> int:
    return math.prod(ranking.shape)


def _sweep(key: tuple[str, str, str], rankings: Sequence[Ranking], seen: Mapping[str, Mapping[int, float]]) -> Sweep:
    spellings: dict[tuple[str, str, str], dict[int, Entry]] = {}
    for ranking in rankings:
        for entry in ranking.entries:
            spellings.setdefault((entry.backend, entry.binding, entry.mode), {})[_numbers(ranking)] = entry
    ranks = [[e.cell for e in ranking.entries if e.right] for ranking in rankings]
    rows, points = [], []
    limits = {_numbers(r): e.limit_seconds for r in rankings for e in r.entries if math.isfinite(e.limit_seconds)}
    for (backend, binding, mode), entries in spellings.items():
        fit = sizes.line({size: seen[entry.cell] for size, entry in entries.items()})
        places = [_place(entries.get(_numbers(r)), right) for r, right in zip(rankings, ranks, strict=True)]
        rows.append(
            Row(
                backend=backend,
                binding=binding,
                mode=mode,
                places=tuple(places),
                overhead=_in(fit.overhead, 1e-6) if fit else fmt.NOTHING,
                slope=_in(fit.slope, NANO) if fit else fmt.NOTHING,
                worst=fmt.percent(fit.worst) if fit else fmt.NOTHING,
            )
        )
        for size, entry in entries.items():
            points.append(
                {
                    "backend": backend, "label": f"{binding}, {mode}", "elements": size,
                    "seconds": entry.seconds.middle, "low_seconds": entry.seconds.low,
                    "high_seconds": entry.seconds.high,
                }
            )  # fmt: skip
    rows.sort(key=lambda row: (np.mean([p.rank or len(spellings) for p in row.places]), order(row.backend)))
    return Sweep(
        loss=key[0], operation=key[1], dtype=key[2], sizes=tuple(dict.fromkeys(_numbers(r) for r in rankings)),
        rows=tuple(rows), points=pd.DataFrame(points), limits=limits,
    )  # fmt: skip


def _place(entry: Entry | None, right: Sequence[str]) -> Place:
    if entry is None:
        return Place(rank=0, text=fmt.NOTHING)
    if entry.cell not in right:
        return Place(rank=0, text="wrong")
    rank = right.index(entry.cell) + 1
    gain = f" ({fmt.ratio(entry.gain.middle, entry.gain.low, entry.gain.high)})" if entry.gain else ""
    return Place(rank=rank, text=f"{rank}{gain}")


def _in(found: Interval, unit: float) -> str:
    value, interval = fmt.with_interval(found.median / unit, found.low / unit, found.high / unit)
    return f"{value} {interval}".strip()


def drawn(sweep: Sweep, prefix: str) -> Markup:
    """Of each framework its best spelling in each mode; more lines than that nobody tells apart."""
    best: dict[tuple[str, str], str] = {}
    for row in sweep.rows:
        best.setdefault((row.backend, row.mode), f"{row.binding}, {row.mode}")
    shown = sweep.points[
        [
            best.get((b, label.rpartition(", ")[2])) == label
            for b, label in sweep.points[["backend", "label"]].to_numpy()
        ]
    ]
    largest = max(sweep.sizes)
    words = "; ".join(
        f"{row.backend} {row.binding}, {row.mode}: overhead {row.overhead} microseconds, {row.slope} ns a number"
        for row in sweep.rows
    )
    slope = sweep.limits.get(largest, math.nan) / largest
    figure = plots.time_by_size(shown, slope)
    return svg.inline(figure, prefix=prefix, title=f"Time by size, {sweep.caption}", description=words)
