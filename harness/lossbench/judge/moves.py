"""How far the cells of two recorded runs moved between them: what any one of them must exceed to be worth a word."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd
from scipy.stats import norm

ALARM: Final = 0.01
"""Probability of any false alarm among the cells of two runs of unchanged code, were their changes normal."""

LEAST_CELLS: Final = 6
"""From so many on, how far the cells moved between the runs is known from the cells."""

TO_SD: Final = 0.7413
"""Of a normal distribution, its SD over its interquartile range."""


def moved(before: pd.DataFrame, after: pd.DataFrame) -> tuple[float, float]:
    """How far cells moved against their neighbours, as a robust SD of logs, and what no unchanged one should exceed.

    Most code is unchanged most of the time: it is what two recorded runs of the same differ by.
    """
    changes: list[float] = []
    for _, members in before.groupby("group", sort=True):
        cells = list(members.index)
        if len(cells) > 1:
            logs = [np.array(frame.loc[cells, "log_ratios"].tolist(), dtype=np.float64) for frame in (before, after)]
            level = np.nanmedian(logs[0], axis=1, keepdims=True)
            was, now = ([np.median(to_others(own - level, i)) for i in range(len(cells))] for own in logs)
            changes += [b - a for a, b in zip(was, now, strict=True) if np.isfinite(b - a)]
    if len(changes) < LEAST_CELLS:
        return np.nan, 0.0
    low, high = np.percentile(changes, [25, 75])
    spread = float(TO_SD * (high - low))
    return spread, spread * float(norm.isf(ALARM / len(changes)))


def to_others(logs: Any, place: int) -> Any:
    """Log ratios of one member of a group to the median of the others, by visit; those without both left out."""
    others = np.delete(logs, place, axis=0)
    kept = ~np.isnan(logs[place]) & ~np.isnan(others).all(axis=0)
    return logs[place][kept] - np.nanmedian(others[:, kept], axis=0) if kept.any() else np.zeros(0)
