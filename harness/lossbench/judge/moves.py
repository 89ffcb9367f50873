"""How far the cells of two recorded runs moved between them: what any one of them must exceed to be worth a word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtri

from lossbench.judge import ordered, stacked
from lossbench.judge.timing import Reals

ALARM: Final = 0.01
"""Probability of any false alarm among the cells of two runs of unchanged code, were their changes normal."""

LEAST_CELLS: Final = 6
"""From so many on, how far the cells moved between the runs is known from the cells."""

TO_SD: Final = 0.7413
"""Of a normal distribution, its SD over its interquartile range."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moves:
    """Cells of two runs, each against the median of its group's other members, visit by visit; one entry a cell.

    others: how many neighbours; where there is none the rest of the entry says nothing. was, now: median, low and high
    of the logarithms, from the baseline's own level, `offset` of which is the cell's. own: logarithm by which the
    cell's bare seconds moved, less the median of the cells outside its group.
    """

    cells: pd.Series[Any]
    others: npt.NDArray[np.int64]
    was: Reals
    now: Reals
    offset: Reals
    own: Reals

    @property
    def change(self) -> Reals:
        """Logarithm of after over before; NaN where no visit has a neighbour."""
        return np.asarray(self.now[:, 0] - self.was[:, 0], dtype=np.float64)

    def spread(self) -> tuple[float, float]:
        """Robust SD of the changes, and what no unchanged cell should exceed: most code is unchanged."""
        changes = self.change[(self.others > 0) & np.isfinite(self.change)]
        if len(changes) < LEAST_CELLS:
            return np.nan, 0.0
        low, high = np.percentile(changes, [25, 75])
        spread = float(TO_SD * (high - low))
        return spread, spread * -float(ndtri(ALARM / len(changes)))


def between(before: pd.DataFrame, after: pd.DataFrame, confidence: float) -> Moves:
    """Every cell that both have, by the baseline's groups. before, after: as `Baseline.times`, a row a cell."""
    ours, theirs = _common(before, after)
    codes = pd.factorize(ours["group"])[0].astype(np.int64)
    base, head = _Logs.of(ours["log_ratios"]), _Logs.of(theirs["log_ratios"])
    n = len(ours)
    others, (offset, own) = np.zeros(n, np.int64), np.full((2, n), np.nan)
    was, now = np.full((2, n, 3), np.nan)
    ratios = theirs["median_seconds"].to_numpy(np.float64) / ours["median_seconds"].to_numpy(np.float64)
    moves = np.log(ratios)
    for rows, there in stacked.batches(codes, np.maximum(base.width, head.width)):
        if rows.shape[1] < 2:
            continue
        # each member from its own level in the baseline, so that the median of the others is that of their changes
        level, cells = stacked.middle(base.at(rows, there)), rows[there]
        others[cells] = np.broadcast_to(there.sum(axis=1, keepdims=True) - 1, rows.shape)[there]
        for found, logs in ((was, base), (now, head)):
            found[cells] = _to_others(logs.at(rows, there) - level[..., None], confidence)[there]
        offset[cells] = (level - stacked.of_others(level))[there]
        drift = np.nan_to_num(stacked.of_the_rest(moves, rows, there), nan=0.0)
        own[cells] = (moves[rows] - drift[:, None])[there]
    return Moves(cells=ours["cell"], others=others, was=was, now=now, offset=offset, own=own)


def _common(before: pd.DataFrame, after: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of the cells that both have, in the order of the baseline's groups."""
    if not before["cell"].equals(after["cell"]):
        before = before[before["cell"].isin(after["cell"])]
        after = after.set_index("cell").loc[before["cell"]].reset_index()
    place = pd.Series(np.arange(len(before)))
    order = ordered.by(pd.DataFrame({"group": before["group"].to_numpy(), "place": place}), ("group", "place"))["place"]
    return before.take(order.to_numpy()), after.take(order.to_numpy())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Logs:
    flat: Reals
    start: stacked.Ints
    width: stacked.Ints

    @classmethod
    def of(cls, rows: pd.Series[Any]) -> _Logs:
        flat, start, width = stacked.flattened(rows)
        return cls(flat=flat, start=start, width=width)

    def at(self, rows: stacked.Ints, there: stacked.Flags) -> Reals:
        return stacked.gathered(self.flat, self.start, self.width, rows, there)


def _to_others(logs: Reals, confidence: float) -> Reals:
    """logs: (groups, members, visits). Median and interval of each member's ratio to the median of the others."""
    rest = np.swapaxes(stacked.of_others(np.swapaxes(logs, 1, 2)), 1, 2)
    return stacked.intervals(logs - rest, confidence)
