"""How long, and how much longer than what: medians with exact intervals, ratios only between neighbours in time.

The replicate is a visit, not a round: rounds inside one visit share their process, its memory placement and the
machine's mood. The interval of a median is of order statistics: with n visits and k chosen by the binomial
distribution, [x(k), x(n+1-k)] covers the median with probability 1 - 2 P(Bin(n, 1/2) < k), whatever the
distribution (W. R. Thompson, Ann. Math. Statist. 7 (1936) 122-128). Too few visits give all there is, and say so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from scipy.special import bdtr

CONFIDENCE: Final = 0.95
NUMERICALLY_RIGHT: Final = frozenset({"rounding", "kink", "convention"})

NAMED: Final = ("loss", "backend", "binding", "position")
"""Columns of the measurements that `visits` hands on beside those that tell blocks apart."""

Reals = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A median with its bounds; coverage is exact and may be below what was asked where there are few samples."""

    median: float
    low: float
    high: float
    coverage: float


def median_interval(samples: npt.ArrayLike, confidence: float = CONFIDENCE) -> Interval:
    """The median and the narrowest pair of order statistics that covers it with the confidence, else the widest."""
    x = np.sort(np.asarray(samples, dtype=np.float64))
    n = x.size
    if n == 0:
        return Interval(median=np.nan, low=np.nan, high=np.nan, coverage=0.0)
    k, coverage = narrowest(n, confidence)
    return Interval(median=float(np.median(x)), low=float(x[k - 1]), high=float(x[n - k]), coverage=coverage)


@cache
def narrowest(n: int, confidence: float) -> tuple[int, float]:
    """k, and how surely the median of n samples lies between the k-th smallest and the k-th largest, k from 1."""
    covered = 1 - 2 * bdtr(np.arange((n + 1) // 2), n, 0.5)
    k = max(1, int(np.count_nonzero(covered >= confidence)))
    return k, max(0.0, float(covered[k - 1]))


def medians(rounds: pd.Series[Any]) -> tuple[Reals, Reals, npt.NDArray[np.int64]]:
    """Of each row of samples the median, the smallest and how many there are; NaN for none."""
    samples, width = _samples(rounds)
    middle, least = np.full(len(width), np.nan), np.full(len(width), np.nan)
    start = np.cumsum(width) - width
    for length in np.unique(width[width > 0]):
        rows = np.flatnonzero(width == length)
        block = samples[start[rows, None] + np.arange(length)]
        middle[rows], least[rows] = np.median(block, axis=1), np.min(block, axis=1)
    return middle, least, width


def _samples(rounds: pd.Series[Any]) -> tuple[Reals, npt.NDArray[np.int64]]:
    """All samples one after the other, and how many each row has."""
    if isinstance(rounds.dtype, pd.ArrowDtype):  # as `record.frames` reads them: no array a row
        lists = pa.chunked_array(pa.array(rounds)).combine_chunks()
        width = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
        return lists.flatten().to_numpy(zero_copy_only=False), width.astype(np.int64)
    width = np.fromiter(map(len, rounds), dtype=np.int64, count=len(rounds))
    return np.concatenate([np.zeros(0), *rounds]), width


def visits(measurements: pd.DataFrame) -> pd.DataFrame:
    """One row per cell and visit that was measured: the median seconds per call of its rounds."""
    seconds, least, rounds = medians(measurements["seconds_per_call"])
    taken = measurements.assign(seconds=seconds, min_seconds=least, rounds=rounds)
    good = taken[(taken["status"] == "ok") & (taken["rounds"] > 0)]
    seen = good.assign(group=group_of(good))
    kept = ["cell", "case", "loss", "lane", "backend", "binding", "operation", "visit", "position"]
    text = {name: str for name in kept if name not in ("visit", "position")}  # dictionaries where few columns were read
    return seen[[*kept, "seconds", "min_seconds", "rounds", "group"]].astype(text).reset_index(drop=True)


def group_of(measurements: pd.DataFrame) -> pd.Series[str]:
    """Cells that may be compared: same case, operation, device, threads and label; any backend, mode and binding."""
    places = {lane: "-".join([*lane.split("-")[1:2], *lane.split("-")[3:]]) for lane in measurements["lane"].unique()}
    case, lane, operation = (measurements[name].astype(str) for name in ("case", "lane", "operation"))
    return case + ":" + operation + "@" + lane.map(places)


def by_visit(seen: pd.DataFrame) -> pd.DataFrame:
    """Log seconds, one row a visit and one column a cell; missing where a cell was not measured in that visit."""
    table = seen.pivot_table(index="visit", columns="cell", values="seconds", aggfunc="median")
    return table.map(np.log)


def ratio(logs: pd.DataFrame, cell: str, reference: str) -> Interval:
    """cell / reference from the visits that have both: exp of the median log ratio and of its bounds."""
    if cell == reference:
        return Interval(median=1.0, low=1.0, high=1.0, coverage=1.0)
    found = median_interval((logs[cell] - logs[reference]).dropna().to_numpy())
    bounds = (float(np.exp(v)) for v in (found.median, found.low, found.high))
    return Interval(**dict(zip(("median", "low", "high"), bounds, strict=True)), coverage=found.coverage)


def summarise(measurements: pd.DataFrame, *, documented: Mapping[tuple[str, str], str] | None = None) -> pd.DataFrame:
    """One row a measured cell.

    documented: (loss, backend) -> name of the binding that its documentation shows; the first one visited where
    not given. Its eager spelling is what `ratio_to_documented` is taken to (below 1: faster than documented);
    `ratio_to_fastest` is to the fastest of the group. Bounds end in `_low` and `_high`.
    """
    seen = visits(measurements).sort_values(["visit", "position"], kind="stable")
    rows: list[dict[str, Any]] = []
    for group, members in seen.groupby("group", sort=False):
        logs = by_visit(members)
        medians = members.groupby("cell", sort=False)["seconds"].median()
        fastest = str(medians.idxmin())
        for cell, own in members.groupby("cell", sort=False):
            first = own.iloc[0]
            base = _documented(members, str(first["loss"]), str(first["backend"]), documented or {})
            row = {name: first[name] for name in ("cell", "case", "loss", "lane", "backend", "binding", "operation")}
            row |= {"group": group, "visits": len(own), "rounds": int(own["rounds"].sum())}
            row |= _spread("seconds", median_interval(own["seconds"].to_numpy()), "median_seconds")
            row |= {"min_seconds": own["min_seconds"].min(), "documented": base, "fastest": fastest}
            row |= _spread("ratio_to_documented", ratio(logs, str(cell), base))
            row |= _spread("ratio_to_fastest", ratio(logs, str(cell), fastest))
            rows.append(row | {"is_fastest": cell == fastest, "is_documented": cell == base})
    return pd.DataFrame(rows, columns=COLUMNS)


COLUMNS: Final = (
    *("cell", "case", "loss", "lane", "backend", "binding", "operation", "group", "visits", "rounds"),
    *("median_seconds", "seconds_low", "seconds_high", "seconds_coverage", "min_seconds", "documented", "fastest"),
    *("ratio_to_documented", "ratio_to_documented_low", "ratio_to_documented_high", "ratio_to_documented_coverage"),
    *("ratio_to_fastest", "ratio_to_fastest_low", "ratio_to_fastest_high", "ratio_to_fastest_coverage"),
    *("is_fastest", "is_documented"),
)


def fastest(summary: pd.DataFrame, agreement: pd.DataFrame | None = None) -> pd.DataFrame:
    """The fastest spelling of each group, among those that are numerically right where `agreement` is given."""
    rows = summary
    if agreement is not None and len(agreement):
        wrong = agreement[(agreement["against"] == "oracle") & ~agreement["class"].isin(NUMERICALLY_RIGHT)]
        rows = rows[~rows["cell"].isin(set(wrong["cell"]))]
    best = rows.loc[rows.groupby("group", sort=False)["median_seconds"].idxmin()] if len(rows) else rows
    return best.reset_index(drop=True)


def _spread(name: str, found: Interval, median_name: str = "") -> dict[str, float]:
    bounds = {f"{name}_low": found.low, f"{name}_high": found.high, f"{name}_coverage": found.coverage}
    return {median_name or name: found.median, **bounds}


def _documented(members: pd.DataFrame, loss: str, backend: str, documented: Mapping[tuple[str, str], str]) -> str:
    own = members[members["backend"] == backend]
    named = own[own["binding"] == documented.get((loss, backend), own["binding"].iloc[0])]
    candidates = named if len(named) else own
    eager = candidates[candidates["lane"].map(lambda lane: lane.split("-")[2] == "eager")]
    return str((eager if len(eager) else candidates)["cell"].iloc[0])
