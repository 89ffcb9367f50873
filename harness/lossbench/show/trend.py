"""One cell over many runs as a small picture: its time over its neighbours', with interval, and where it changed."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from lossbench.judge.baseline import Baseline
from lossbench.judge.timing import Interval, median_interval
from lossbench.show import format as fmt

WIDTH: Final = 300.0
HEIGHT: Final = 70.0
EDGE: Final = 6.0

Runs = Sequence[tuple[str, Baseline]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """In drawing units, see WIDTH and HEIGHT. path: the line through the medians. bars: (x, from y, to y) of each
    interval. dots: (x, y) of each median. marks: x of each change. text: the same in words."""

    path: str
    bars: tuple[tuple[float, float, float], ...]
    dots: tuple[tuple[float, float], ...]
    marks: tuple[float, ...]
    lowest: str
    highest: str
    text: str


def points(runs: Runs) -> dict[str, list[Interval | None]]:
    """Cell -> run by run the median of its ratios to its group in the same visits, with its 95% interval."""
    found: dict[str, list[Interval | None]] = {}
    for place, (_, run) in enumerate(runs):
        for cell, logs in zip(run.times["cell"], run.times["log_ratios"], strict=True):
            known = np.asarray(logs, dtype=np.float64)
            known = known[np.isfinite(known)]
            if len(known):
                found.setdefault(str(cell), [None] * len(runs))[place] = _ratio(median_interval(known))
    return found


def _ratio(logs: Interval) -> Interval:
    return Interval(
        median=math.exp(logs.median), low=math.exp(logs.low), high=math.exp(logs.high), coverage=logs.coverage
    )


def drawn(names: Sequence[str], seen: Sequence[Interval | None], changed: Collection[str] = ()) -> Trend:
    """names: of the runs, the oldest first. changed: those in which the gate saw a change."""
    known = [(place, at) for place, at in enumerate(seen) if at is not None]
    low, high = min(at.low for _, at in known), max(at.high for _, at in known)
    step = (WIDTH - 2 * EDGE) / max(len(names) - 1, 1)
    span = math.log(high / low) or 1.0

    def x(place: int) -> float:
        return round(EDGE + step * place, 1)

    def y(value: float) -> float:
        return round(HEIGHT - EDGE - (HEIGHT - 2 * EDGE) * math.log(value / low) / span, 1)

    dots = [(x(place), y(at.median)) for place, at in known]
    said = (f"{names[place]}: {fmt.ratio(at.median, at.low, at.high)}" for place, at in known)
    return Trend(
        path="M" + "L".join(f"{a} {b}" for a, b in dots),
        bars=tuple((x(place), y(at.low), y(at.high)) for place, at in known),
        dots=tuple(dots),
        marks=tuple(x(place) for place, name in enumerate(names) if name in changed),
        lowest=fmt.ratio(low),
        highest=fmt.ratio(high),
        text="; ".join(said),
    )
