"""The timed cells of a run, group by group, with their seconds visit by visit in one array."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from lossbench.judge import ordered
from lossbench.judge.stacked import Flags, Ints, gathered
from lossbench.judge.timing import Reals, group_of, medians

READ: Final = ("cell", "case", "lane", "operation", "visit", "status", "seconds_per_call")
"""Columns of the measurements that are needed here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """Cells in the order of their groups and ids; the members of a group have the same visits, NaN where one lacks.

    cells: one row a cell, with columns `cell` and `group`. codes: number of its group, ascending. start, width: where
    a cell's seconds begin in `seconds`, and in how many visits its group was seen.
    """

    cells: pd.DataFrame
    codes: Ints
    start: Ints
    width: Ints
    seconds: Reals

    def at(self, rows: Ints, there: Flags) -> Reals:
        """Seconds per call of the cells in these places, of one width: shape (*rows.shape, visits)."""
        return gathered(self.seconds, self.start, self.width, rows, there)


def of(measurements: pd.DataFrame) -> Timed:
    """What was measured, each block as the median of its rounds; blocks that are not ok are left out."""
    seconds, _, rounds = medians(measurements["seconds_per_call"])
    good = (measurements["status"] == "ok").to_numpy(dtype=bool) & (rounds > 0)
    if not good.any():
        none = np.zeros(0, dtype=np.int64)
        nothing = pd.DataFrame(columns=["cell", "group"])
        return Timed(cells=nothing, codes=none, start=none, width=none, seconds=np.zeros(0))
    own, _ = pd.factorize(measurements["cell"])
    own, seconds, visit = own[good], seconds[good], measurements["visit"].to_numpy(dtype=np.int64)[good]
    _, first, own = np.unique(own, return_index=True, return_inverse=True)
    place = np.flatnonzero(good)[first]
    about = measurements[["cell", "case", "lane", "operation"]].iloc[place].astype(str).reset_index(drop=True)
    about = ordered.by(about.assign(group=group_of(about)), ("group", "cell"))
    order = about.index.to_numpy()
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    cell = rank[own]  # of each block, its cell's place in the new order
    codes = pd.factorize(about["group"])[0].astype(np.int64)
    start, width, column = _places(codes, cell, visit)
    table = np.full(int(width.sum()), np.nan)
    table[start[cell] + column] = seconds
    cells = about[["cell", "group"]].reset_index(drop=True)
    return Timed(cells=cells, codes=codes, start=start, width=width, seconds=table)


def _places(codes: Ints, cell: Ints, visit: Ints) -> tuple[Ints, Ints, Ints]:
    """Of each cell where its seconds begin and how many its group has; of each block which of them it is."""
    group = codes[cell]
    order = np.lexsort((visit, group))
    g, v = group[order], visit[order]
    fresh = np.append(True, (g[1:] != g[:-1]) | (v[1:] != v[:-1]))  # the first block of a group and visit
    opening = np.append(True, g[1:] != g[:-1])
    number = np.cumsum(fresh) - 1
    counted = number - np.maximum.accumulate(np.where(opening, number, 0))
    column = np.empty_like(counted)
    column[order] = counted
    visits = np.zeros(int(codes[-1]) + 1, dtype=np.int64)
    np.maximum.at(visits, g, counted + 1)
    width = visits[codes]
    return np.cumsum(width) - width, width, column
