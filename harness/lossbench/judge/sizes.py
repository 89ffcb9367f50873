"""Time by size as an overhead and a slope: seconds = overhead + slope * numbers.

The estimator: for each visit, the pair of numbers not below 0 that makes the sum of squared *relative* errors least
over the sizes (non-negative least squares on rows divided by the time), so that a microsecond counts at size 1 and not
at size 2^24. The median over visits, with the interval of order statistics; visits are the replicates, sizes are not.
A machine with caches is no straight line: `worst` says how far the fit is from the medians at most.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from lossbench.judge.timing import Interval, median_interval

FEWEST_SIZES: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """overhead: seconds of a call on nothing. slope: seconds a number of the prediction. worst: relative error."""

    overhead: Interval
    slope: Interval
    worst: float


def line(times: Mapping[int, Mapping[int, float]]) -> Line | None:
    """times: numbers in the prediction -> visit -> seconds. None where no visit has FEWEST_SIZES sizes."""
    visits = sorted({visit for seconds in times.values() for visit in seconds})
    fits = []
    for visit in visits:
        points = [(size, seconds[visit]) for size, seconds in times.items() if visit in seconds]
        if len(points) >= FEWEST_SIZES:
            fits.append(_fitted(points))
    if not fits:
        return None
    overhead, slope = (median_interval([fit[k] for fit in fits]) for k in (0, 1))
    medians = {size: float(np.median(list(seconds.values()))) for size, seconds in times.items() if seconds}
    away = (abs(overhead.median + slope.median * size - t) / t for size, t in medians.items())
    return Line(overhead=overhead, slope=slope, worst=max(away))


def _fitted(points: list[tuple[int, float]]) -> tuple[float, float]:
    """Numbers are counted in the largest size, so that both columns are of one order."""
    from scipy.optimize import nnls  # a second to import, and few runs have sizes

    unit = float(max(size for size, _ in points)) or 1.0
    rows = np.array([[1 / seconds, size / unit / seconds] for size, seconds in points])
    scale = rows.max(axis=0)
    scale[scale == 0] = 1.0
    found, _ = nnls(rows / scale, np.ones(len(points)))
    overhead, slope = found / scale
    return float(overhead), float(slope / unit)
