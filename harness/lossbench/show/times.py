"""Timings as the report shows them: per case and operation, every spelling ranked, fastest right one first.

The statistics are `judge.timing`'s; a factor is always the slower time over the faster one's, paired by visit.
A run of a million blocks has sixty thousand entries and three times as many spans: named tuples are made quickest.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd

from lossbench.judge import stacked, timed, timing
from lossbench.judge.stacked import Ints
from lossbench.judge.timed import Timed
from lossbench.judge.timing import Reals

NEEDED: Final = ["cell", "loss", "backend", "binding", "device", "mode", "operation", "dtype", "shape"]


class Span(NamedTuple):
    """A median with the interval around it. Dimensionless or seconds, as the name of the holder says."""

    middle: float
    low: float
    high: float


class Entry(NamedTuple):
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
    place = {cell: number for number, cell in enumerate(seen.cells["cell"].to_numpy(dtype=object).tolist())}
    bad = agreement[(agreement["against"] == "oracle") & ~agreement["class"].isin((*timing.NUMERICALLY_RIGHT, ""))]
    wrong = set(bad["cell"])
    members: dict[int, list[dict[str, Any]]] = {}
    found = cells[cells["cell"].isin(seen.cells["cell"])].drop_duplicates("cell")[NEEDED]
    for row in _records(found):
        members.setdefault(int(seen.codes[place[row["cell"]]]), []).append(row)
    limits = (
        {} if work is None else dict(zip(*(work[name].tolist() for name in ("cell", "limit_seconds")), strict=True))
    )
    places = {number: np.array([place[row["cell"]] for row in rows]) for number, rows in members.items()}
    ranked: dict[int, Ranking] = {}
    for some in _alike(seen, places):
        ranked |= _ranked(seen, {number: members[number] for number in some}, places, wrong, documented, limits)
    return [ranked[number] for number in members]


def _records(frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    names = [str(name) for name in frame.columns]
    columns = [frame[name].to_numpy(dtype=object).tolist() for name in names]
    return (dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True))


def _alike(seen: Timed, places: Mapping[int, Ints]) -> Iterator[list[int]]:
    """Groups of the same number of visits together, no more numbers at a time than are quick to sort."""
    by_width: dict[int, list[int]] = {}
    for number, own in places.items():
        by_width.setdefault(int(seen.width[own[0]]), []).append(number)
    for width, numbers in by_width.items():
        ends = np.cumsum([len(places[number]) * max(width, 1) for number in numbers]) // stacked.ELEMENTS
        for _, some in groupby(zip(ends.tolist(), numbers, strict=True), key=lambda pair: pair[0]):
            yield [number for _, number in some]


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
    return [*map(Span._make, found)]


def _factors(over: Reals, under: Reals) -> list[Span]:
    """over / under row by row, paired by visit; the median of logarithms, so that a/b is the inverse of b/a."""
    found = np.exp(stacked.intervals(np.log(over) - np.log(under), timing.CONFIDENCE)).tolist()
    return [*map(Span._make, found)]


def _ranked(
    seen: Timed,
    members: Mapping[int, list[dict[str, Any]]],
    places: Mapping[int, Ints],
    wrong: set[str],
    documented: Mapping[tuple[str, str], str],
    limits: Mapping[str, float],
) -> dict[int, Ranking]:
    """Group -> its ranking, of groups of the same number of visits. places: of a group's rows among the timed cells."""
    at = np.concatenate([places[number] for number in members])
    seconds = seen.at(at, np.ones(len(at), dtype=bool))
    times = _spans(seconds)
    rows = [row for number in members for row in members[number]]
    sorted_by: list[int] = []
    starts: list[int] = []  # of each row the one that its gain is over, as a place in the new order
    firsts: list[int] = []
    for own in members.values():
        begin = len(sorted_by)
        order = sorted(
            range(begin, begin + len(own)), key=lambda i: (rows[i]["cell"] in wrong, times[i].middle)
        )  # fmt: skip
        base = {
            rows[i]["backend"]: place
            for place, i in enumerate(order, start=begin)
            if rows[i]["mode"] == "eager"
            and documented.get((rows[i]["loss"], rows[i]["backend"])) == rows[i]["binding"]
        }
        starts += [base.get(rows[i]["backend"], place) for place, i in enumerate(order, start=begin)]
        firsts += [begin] * len(own)
        sorted_by += order
    rows, times, seconds = [rows[i] for i in sorted_by], [times[i] for i in sorted_by], seconds[sorted_by]
    gains, behind = _factors(seconds[starts], seconds), _factors(seconds, seconds[firsts])
    counts = np.count_nonzero(~np.isnan(seconds), axis=-1).tolist()
    entries = [
        Entry(
            cell=row["cell"],
            backend=row["backend"],
            mode=row["mode"],
            binding=row["binding"],
            device=row["device"],
            seconds=times[number],
            visits=counts[number],
            right=row["cell"] not in wrong,
            gain=gains[number] if starts[number] != number else None,
            behind=behind[number],
            limit_seconds=float(limits.get(row["cell"], math.nan)),
        )
        for number, row in enumerate(rows)
    ]
    found: dict[int, Ranking] = {}
    begin = 0
    for number, own in members.items():
        first = rows[begin]
        found[number] = Ranking(
            loss=str(first["loss"]),
            operation=str(first["operation"]),
            dtype=str(first["dtype"]),
            shape=tuple(int(n) for n in first["shape"]),
            entries=tuple(entries[begin : begin + len(own)]),
        )
        begin += len(own)
    return found


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
